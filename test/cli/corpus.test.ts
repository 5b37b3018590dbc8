import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { corpus } from '../../src/cli/corpus.ts';
import { type Example, encodeExample, encodeFamily, VOCABULARY } from '../../src/tasks/corpus/index.ts';
import { loadTokenizer } from '../../src/text/index.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'reckon-corpus-'));
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterAll(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const text = (name: string) => readFileSync(join(folder, name), 'utf8');
const bytes = (name: string) => readFileSync(join(folder, name));

describe('reckon corpus', () => {
  it('writes the same examples as lines and as token ids, with what is learnt and where each begins', async () => {
    const prefix = join(folder, 'some');
    const args = ['--examples', '40', '--seed', '3', '--tasks', 'kk:2-3,countdown:3,arithmetic:1,recall:8'];
    await corpus([...args, '--tokens', prefix, '--out', join(folder, 'some.jsonl')]);
    const examples = text('some.jsonl')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Example);
    const [ids, mask, index] = [bytes('some.bin'), bytes('some.mask'), bytes('some.idx')];
    const head = JSON.parse(text('some.json'));
    expect(examples).toHaveLength(40);
    expect(head).toMatchObject({ format: 'reckon-corpus', examples: 40, seed: 3, vocabulary: VOCABULARY.length });
    expect(head.tokens).toBe(ids.length / 2);
    expect(head.tokens).toBe(mask.length);
    expect(head.learnt).toBe(mask.reduce((sum, one) => sum + one, 0));
    expect(index).toHaveLength(4 * 41);
    expect(index.readUInt32LE(4 * 40)).toBe(head.tokens);
    for (const [i, example] of examples.entries()) {
      const [from, to] = [index.readUInt32LE(4 * i), index.readUInt32LE(4 * i + 4)];
      const encoded = encodeExample(example);
      expect(Array.from({ length: to - from }, (_, at) => ids.readUInt16LE(2 * (from + at)))).toEqual(encoded.ids);
      expect([...mask.subarray(from, to)]).toEqual(encoded.learnt.map(Number));
    }
    // The second half by itself is the second half.
    await corpus([...args, '--examples', '20', '--from', '20', '--tokens', join(folder, 'half')]);
    expect(bytes('half.bin').equals(ids.subarray(2 * index.readUInt32LE(4 * 20)))).toBe(true);
  });

  it('stops at the first example behind a limit of tokens', async () => {
    const prefix = join(folder, 'few');
    await corpus(['--token-limit', '3000', '--tasks', 'countdown:3', '--tokens', prefix]);
    const { tokens, longest } = JSON.parse(text('few.json'));
    expect(tokens).toBeGreaterThanOrEqual(3000);
    expect(tokens - longest).toBeLessThan(3000);
  });

  it('writes a tokenizer that reads as it should', async () => {
    const into = join(folder, 'model');
    await corpus(['--tokenizer', into, '--context', '512']);
    const files = { name: 'written', text: async (path: string) => readFileSync(join(into, path), 'utf8') };
    const line = 'Alice knight: Bob says if Carol knave ? then Zoe knight F is T; but Bob knave\n12+3=15, ok';
    expect((await loadTokenizer(files)).encode(line)).toEqual(encodeFamily(line));
    expect(JSON.parse(text('model/tokenizer_config.json')).model_max_length).toBe(512);
    expect(JSON.parse(text('model/generation_config.json')).eos_token_id).toEqual([2, 0]);
  });

  it.each([
    [['--examples', '0'], /--examples is 0/],
    [['--tasks', 'kk:99'], /asks for nothing/],
    [['--context', '10'], /--context is 10/],
    [['--nothing'], /--nothing/],
  ])('refuses %j', async (args, message) => {
    await expect(corpus(args)).rejects.toMatchObject({ code: 'bad-option', message: expect.stringMatching(message) });
  });
});
