import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Detokenizer, loadTokenizer, type Tokenizer } from '../../src/text/index.ts';
import { anyText } from '../support/any-text.ts';
import { learnBpe, SAMPLE_TEXT } from '../support/bpe.ts';
import { memorySource, protoSource } from '../support/checkpoint.ts';

const bpe = learnBpe();
const tokenizers: Record<string, Tokenizer> = {};

beforeAll(async () => {
  tokenizers.bytes = await loadTokenizer(memorySource({ 'tokenizer.json': bpe.tokenizerJson }));
  tokenizers.words = await loadTokenizer(protoSource());
  tokenizers.pieces = await loadTokenizer(memorySource({ 'tokenizer.json': sentencePieces() }));
});

/** In the manner of Llama 2: ▁ for spaces, byte tokens for the rest, and the first space stripped. */
function sentencePieces(): string {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
  const tokens = ['<unk>', '<s>', '</s>', ...bytes, '▁', '▁the', '▁cat', 's', '.', '▁▁', 'é'];
  return JSON.stringify({
    added_tokens: [0, 1, 2].map((id) => ({ id, content: tokens[id], special: true, normalized: false })),
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [],
      unk_token: '<unk>',
      byte_fallback: true,
    },
  });
}

function stream(tokenizer: Tokenizer, ids: readonly number[], skipSpecialTokens = false): string[] {
  const detokenizer = new Detokenizer(tokenizer, { skipSpecialTokens });
  return [...ids.map((id) => detokenizer.push(id)), detokenizer.flush()];
}

describe('Detokenizer', () => {
  it('gives characters when they are whole', () => {
    const ids = [...new TextEncoder().encode('a🤔é')].map(byteId);
    expect(stream(tokenizers.bytes!, ids)).toEqual(['a', '', '', '', '🤔', '', 'é', '']);
  });

  it('joins to the text of all ids, for text and for ids at random', () => {
    for (const [name, tokenizer] of Object.entries(tokenizers)) {
      const size = tokenizer.vocabSize + 3;
      const low = fc.integer({ min: 0, max: Math.min(size, 300) });
      const anyIds = fc.oneof(fc.array(fc.nat(size), { maxLength: 60 }), fc.array(low, { maxLength: 60 }));
      fc.assert(
        fc.property(
          fc.oneof(
            anyIds,
            anyText().map((text) => tokenizer.encode(text)),
          ),
          fc.boolean(),
          (ids, skip) => {
            expect(stream(tokenizer, ids, skip).join(''), name).toBe(
              tokenizer.decode(ids, { skipSpecialTokens: skip }),
            );
          },
        ),
        { numRuns: 150 },
      );
    }
  });

  it('joins over bytes that are mostly broken characters', () => {
    const byte = fc.constantFrom(0x41, 0x80, 0x82, 0xac, 0xbf, 0xc3, 0xe2, 0xef, 0xf0, 0x9f, 0xff).map(byteId);
    fc.assert(
      fc.property(fc.array(fc.oneof(byte, fc.constantFrom(0, 3)), { maxLength: 80 }), fc.boolean(), (ids, skip) => {
        expect(stream(tokenizers.bytes!, ids, skip).join('')).toBe(
          tokenizers.bytes!.decode(ids, { skipSpecialTokens: skip }),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('never gives out what changes later', () => {
    const tokenizer = tokenizers.bytes!;
    const ids = tokenizer.encode(SAMPLE_TEXT.repeat(3));
    const detokenizer = new Detokenizer(tokenizer);
    let text = '';
    for (const id of ids) {
      text += detokenizer.push(id);
      expect(SAMPLE_TEXT.repeat(3).startsWith(text)).toBe(true);
    }
    expect(text).toBe(SAMPLE_TEXT.repeat(3));
  });

  it('decodes a bounded number of ids per token, also when no character ever ends', () => {
    for (const ids of [
      tokenizers.bytes!.encode(SAMPLE_TEXT.repeat(4)),
      Array(400).fill(byteId(0x80)),
      Array(400).fill(byteId(0xf0)),
      Array(400).fill(2),
    ]) {
      let longest = 0;
      let decoded = 0;
      const counting = {
        decode(part: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }) {
          longest = Math.max(longest, part.length);
          decoded += part.length;
          return tokenizers.bytes!.decode(part, options);
        },
      };
      const detokenizer = new Detokenizer(counting, { skipSpecialTokens: true });
      for (const id of ids) detokenizer.push(id);
      expect(longest).toBeLessThanOrEqual(16);
      expect(decoded / ids.length).toBeLessThan(60);
    }
  });

  it('keeps the spaces that a decoder strips only at the beginning', () => {
    const tokenizer = tokenizers.pieces!;
    const ids = ['▁the', '</s>', '▁cat', 's', '▁', '▁the', '.'].map((token) => tokenizer.idOf(token)!);
    expect(stream(tokenizer, ids, true)).toEqual(['the', '', ' cat', 's', ' ', ' the', '.', '']);
  });

  it('is as new after a flush', () => {
    const detokenizer = new Detokenizer(tokenizers.bytes!);
    detokenizer.push(byteId(0xe2));
    expect(detokenizer.flush()).toBe('\ufffd');
    expect(detokenizer.push(byteId(0x41))).toBe('A');
  });
});

/** The id of one byte's token: the bytes follow the five specials. */
function byteId(byte: number): number {
  return 5 + byte;
}
