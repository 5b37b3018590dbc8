import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/api/types.ts';
import { languageHere, systemHere, untaught } from '../../src/cli/language.ts';
import { encodeFamily } from '../../src/tasks/corpus/index.ts';
import { taskById } from '../../src/tasks/index.ts';

/** A model as far as its language can be told. */
function model(name: string, encode: (text: string) => ArrayLike<number>): Model {
  return { info: { name }, engine: { encode: (text: string) => Int32Array.from(encode(text)) } } as unknown as Model;
}
const checkpoint = model('step-2000', encodeFamily);
const stranger = model('Qwen3-0.6B', (text) => [...text].map((_, i) => i));

describe('the language of the model at hand', () => {
  it('is told by its tokenizer, whatever its folder is called', () => {
    expect(languageHere(checkpoint)).toBe('family');
    expect(languageHere(stranger)).toBe('general');
  });

  it('decides what the model is told before a problem', () => {
    expect(systemHere(checkpoint, 'kk', 'full')).toEqual({ system: 'Think in full.' });
    expect(systemHere(checkpoint, 'kk', 'auto')).toEqual({});
    expect(systemHere(stranger, 'countdown', 'auto').system).toContain('"9*10=90, 90-13=77"');
    expect(() => systemHere(stranger, 'kk', 'full')).toThrow(/--length is full, but Qwen3-0.6B is not of the embedded/);
  });

  it('is said where a model was not trained on a problem', () => {
    expect(untaught('proto', taskById('knights').generate(1, 3))).toBeNull();
    expect(untaught('Qwen3-0.6B', taskById('kk').generate(1, 7))).toBeNull();
    expect(untaught('reckon-1m', taskById('kk').generate(1, 4))).toBeNull();
    expect(untaught('reckon-1m', taskById('knights').generate(1, 3))).toBe(
      'Note: reckon-1m was not trained on knights of difficulty 3; trained on such are: proto.',
    );
    expect(untaught('proto', taskById('countdown').generate(1, 5))).toBe(
      'Note: proto was not trained on countdown of difficulty 5.',
    );
  });
});
