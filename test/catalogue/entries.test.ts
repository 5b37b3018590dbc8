import { describe, expect, it } from 'vitest';
import { storedBytes } from '../../src/catalogue/bytes.ts';
import { findModel, MODELS, modelNamed } from '../../src/catalogue/entries.ts';
import { FAMILIES, familyOf } from '../../src/catalogue/families.ts';
import published from '../../src/catalogue/web-llm.json' with { type: 'json' };
import { catalogueEntry } from '../../src/cost/catalogue.ts';

describe('the catalogue', () => {
  it('has what was promised, each entry once', () => {
    for (const id of [
      ...['proto', 'Qwen3-0.6B', 'Qwen3-8B', 'DeepSeek-R1-Distill-Qwen-1.5B', 'DeepSeek-R1-Distill-Llama-8B'],
      ...['Llama-3.2-1B-Instruct', 'Llama-3.2-3B-Instruct-q4f16_1-MLC', 'SmolLM2-360M-Instruct-q4f32_1-MLC'],
      ...['Qwen3-4B-q4f16_1-MLC', 'DeepSeek-R1-Distill-Qwen-7B-q4f16_1-MLC', 'gemma-2-2b-it-q4f16_1-MLC'],
    ]) {
      expect(findModel(id)?.id, id).toBe(id);
    }
    expect(new Set(MODELS.map(({ id }) => id)).size).toBe(MODELS.length);
    const mlc = MODELS.filter(({ format }) => format === 'mlc').map(({ id }) => id);
    expect(published.models.filter(({ id }) => !mlc.includes(id)).map(({ id }) => id)).toEqual(
      ['Phi-3.5-vision-instruct-q4f16_1-MLC', 'Phi-3.5-vision-instruct-q4f32_1-MLC'].filter((id) =>
        published.models.some((model) => model.id === id),
      ),
    );
  });

  it('knows a shape where it names an architecture, and the licence of nearly all', () => {
    for (const { id, shape, architecture, downloadBytes } of MODELS) {
      expect(shape !== null, id).toBe(architecture !== null);
      expect(downloadBytes !== null, id).toBe(shape !== null);
    }
    const unread = MODELS.filter(({ licence }) => licence.name === 'see its page').map(({ model }) => model);
    expect([...new Set(unread)]).toEqual(['stablelm-2-zephyr-1_6b']);
    for (const { licence } of MODELS) expect(licence.url).toMatch(/^https:\/\//);
  });

  it('has no family that nothing belongs to', () => {
    const used = new Set(MODELS.map(({ model }) => familyOf(model)?.names));
    expect(FAMILIES.filter(({ names }) => !used.has(names)).map(({ names }) => names)).toEqual([]);
  });

  it('gives the sizes that manifests of published repositories state', () => {
    // ParamBytes of the tensor caches, in MB: browser-engines digest, section 4.
    expect(storedBytes(catalogueEntry('Qwen2.5-1.5B'), 'q4f16_1') / 1e6).toBeCloseTo(868.5, 0);
    expect(storedBytes(catalogueEntry('Qwen2.5-0.5B'), 'q4f16_1') / 1e6).toBeCloseTo(278.0, 0);
    // Its model.safetensors, header aside.
    expect(findModel('proto')!.downloadBytes).toBe(2 * 798_336);
  });

  it('finds entries by repository, in any case, and names those near a wrong name', () => {
    expect(findModel(' qwen/qwen3-0.6b ')?.id).toBe('Qwen3-0.6B');
    expect(findModel('mlc-ai/qwen3-0.6b-q4f16_1-mlc')?.id).toBe('Qwen3-0.6B-q4f16_1-MLC');
    expect(() => modelNamed('qwen3 4b q4f16')).toThrow(/Near it: Qwen3-4B-q4f16_1-MLC, Qwen3\.5-4B-q4f16_1-MLC\./);
    expect(() => modelNamed('no such thing')).toThrow(/owner\/name/);
  });
});
