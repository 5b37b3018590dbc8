import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReckonError, ReckonError } from '../../src/errors.ts';
import { detectDialect, loadChatTemplate, loadTokenizer, parseThinking, renderChat } from '../../src/text/index.ts';
import { anyText } from '../support/any-text.ts';
import { learnBpe, SAMPLE_TEXT } from '../support/bpe.ts';
import { errorOf, memorySource, protoSource } from '../support/checkpoint.ts';

interface GoldenCase {
  question: string;
  promptIds: number[];
  greedyIds: number[];
  greedyText: string;
}
const golden = JSON.parse(readFileSync(new URL('../golden/proto.json', import.meta.url), 'utf8')) as {
  cases: GoldenCase[];
};

const bpe = learnBpe();
const bpeFiles = { 'tokenizer.json': bpe.tokenizerJson, 'tokenizer_config.json': bpe.configJson };
const text = fc.oneof(
  anyText(),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(...SAMPLE_TEXT.split(' ')),
  fc.string(),
);

describe('the embedded model', () => {
  it('gets the golden prompts and texts', async () => {
    const source = protoSource();
    const [tokenizer, template] = [await loadTokenizer(source), await loadChatTemplate(source)];
    expect(golden.cases).toHaveLength(8);
    for (const { question, promptIds, greedyIds, greedyText } of golden.cases) {
      const prompt = renderChat(template, [{ role: 'user', content: question }], { addGenerationPrompt: true });
      expect(tokenizer.encode(prompt)).toEqual(promptIds);
      expect(tokenizer.decode(greedyIds)).toBe(greedyText);
      const reply = parseThinking(
        tokenizer.decode(greedyIds, { skipSpecialTokens: true }),
        detectDialect(template, tokenizer),
      );
      if (reply.closed) expect(greedyText).toBe(`${reply.thinking}\n</think>\n${reply.answer}<|im_end|>`);
    }
    expect(tokenizer.vocabSize).toBe(80);
    expect([...tokenizer.specials]).toEqual([0, 1, 2]);
    expect([tokenizer.idOf('</think>'), tokenizer.idOf(' knight'), tokenizer.idOf('dragon')]).toEqual([
      4,
      18,
      undefined,
    ]);
  });

  it('encodes what it does not know as the unknown token', async () => {
    const tokenizer = await loadTokenizer(protoSource());
    expect(tokenizer.encode('dragon')).toEqual([0]);
    fc.assert(
      fc.property(text, (odd) => {
        expect(tokenizer.encode(odd).every((id) => Number.isInteger(id) && id >= 0 && id < 80)).toBe(true);
      }),
    );
  });
});

describe('byte-level BPE', () => {
  it('encodes as textbook BPE does, and decodes to the same text', async () => {
    const tokenizer = await loadTokenizer(memorySource(bpeFiles));
    expect(tokenizer.vocabSize).toBe(bpe.vocabSize);
    expect(tokenizer.encode(SAMPLE_TEXT)).toEqual(bpe.encode(SAMPLE_TEXT));
    expect(tokenizer.encode(SAMPLE_TEXT).length).toBeLessThan(new TextEncoder().encode(SAMPLE_TEXT).length);
    fc.assert(
      fc.property(text, (any) => {
        const ids = tokenizer.encode(any);
        const clean = any.replace(/\p{Surrogate}/gu, '\ufffd');
        expect(ids).toEqual(bpe.encode(clean));
        expect(tokenizer.decode(ids)).toBe(clean);
        expect(tokenizer.decode(Uint32Array.from(ids))).toBe(clean);
      }),
    );
  });

  it('keeps added tokens whole, leaves out specials where asked, ignores ids that are none', async () => {
    const tokenizer = await loadTokenizer(memorySource(bpeFiles));
    const ids = tokenizer.encode('a<think>b</think><|im_end|>');
    expect(ids.filter((id) => id < 5)).toEqual([3, 4, 2]);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('a<think>b</think>');
    expect(tokenizer.decode([2, 999_999, -1], { skipSpecialTokens: true })).toBe('');
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.encode('')).toEqual([]);
  });

  it('takes long and hostile text', async () => {
    const tokenizer = await loadTokenizer(memorySource(bpeFiles));
    for (const long of ['a'.repeat(20_000), '\ud800'.repeat(1000), '\u0000'.repeat(1000), '<|im_end|'.repeat(500)]) {
      expect(tokenizer.encode(long).length).toBeGreaterThan(0);
    }
  });
});

describe('loadTokenizer', () => {
  it('names the file that is missing or malformed', async () => {
    const cases: [Record<string, string>, RegExp][] = [
      [{}, /tokenizer.json of memory is missing/],
      [{ 'tokenizer.json': '{' }, /tokenizer.json of memory is not JSON/],
      [{ 'tokenizer.json': '[]' }, /tokenizer.json of memory is not a JSON object/],
      [{ 'tokenizer.json': '{}' }, /does not describe a tokenizer/],
      [{ 'tokenizer.json': '{"model":{"type":"BPE"}}' }, /does not describe a tokenizer/],
      [{ 'tokenizer.json': '{"model":{"type":"Oracle"}}' }, /does not describe a tokenizer .*Oracle/],
      [{ 'tokenizer.json': '{"model":{"type":"BPE","vocab":{},"merges":[]}}' }, /has an empty vocabulary/],
      [{ ...bpeFiles, 'tokenizer_config.json': 'null' }, /tokenizer_config.json of memory is not a JSON object/],
    ];
    for (const [files, message] of cases) {
      const error = await errorOf(() => loadTokenizer(memorySource(files)));
      expect(isReckonError(error, 'bad-tokenizer') && error.message).toMatch(message);
    }
  });

  it('answers any JSON with typed errors only', async () => {
    const known = JSON.parse(bpe.tokenizerJson) as Record<string, unknown>;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(known)), fc.jsonValue({ maxDepth: 2 }), async (field, value) => {
        try {
          await loadTokenizer(memorySource({ 'tokenizer.json': JSON.stringify({ ...known, [field]: value }) }));
        } catch (error) {
          if (!isReckonError(error, 'bad-tokenizer')) throw error;
        }
      }),
      { numRuns: 60 },
    );
  });

  it('passes on what the source fails with', async () => {
    const failure = new ReckonError('network', 'The line is dead.');
    const error = await errorOf(() => loadTokenizer({ name: 'x', text: () => Promise.reject(failure) }));
    expect(error).toBe(failure);
  });

  it('works without a config', async () => {
    const tokenizer = await loadTokenizer(memorySource({ 'tokenizer.json': bpe.tokenizerJson }));
    expect(tokenizer.decode(tokenizer.encode(" . don 't"))).toBe(" . don 't");
  });
});
