/** Tokenizers out of GGUF metadata, against Hugging Face's in Rust and against SentencePiece's rule written out. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/index.ts';
import { isReckonError } from '../../src/errors.ts';
import { Detokenizer, loadChatTemplate, loadTokenizer, renderChat, type Tokenizer } from '../../src/text/index.ts';
import { learnBpe, SAMPLE_TEXT } from '../support/bpe.ts';
import { errorOf, memorySource } from '../support/checkpoint.ts';
import { ggufCheckpoint, type Typed } from '../support/formats/gguf.ts';
import { byteLevelVocabulary } from '../support/formats/gguf-vocabulary.ts';
import { TINY_SHAPES } from '../support/formats/layout.ts';
import { type OracleTokenizer, oracleTokenizer } from '../support/oracle-tokenizer.ts';

const CONTROL = 3;
const BYTE = 6;

/** Opens a checkpoint with these metadata, and its text files. */
async function textOf(metadata: [string, Typed][], vocab: number) {
  const made = ggufCheckpoint({ ...TINY_SHAPES.llama, vocab }, { format: () => 'Q8_0', metadata: new Map(metadata) });
  return openCheckpoint({ ...memorySource(made.files, { chunk: 1 << 20 }), list: async () => Object.keys(made.files) });
}

async function both(metadata: [string, Typed][], vocab: number): Promise<[Tokenizer, OracleTokenizer]> {
  const { text } = await textOf(metadata, vocab);
  return [await loadTokenizer(text), await oracleTokenizer(await text.text('tokenizer.json'))];
}

const TEMPLATE = '{% for m in messages %}<|im_start|>{{ m.content }}{{ eos_token }}{% endfor %}';

const PIECES = [
  '▁',
  't',
  'h',
  'e',
  'o',
  'r',
  'y',
  '▁t',
  'he',
  '▁the',
  'or',
  'ory',
  '▁theory',
  'é',
  '数',
  '▁▁',
  'th',
  'eo',
];
const scoreOf = (piece: string) => -PIECES.indexOf(piece) - (piece.length > 1 ? 0 : 100);

/** The metadata of a SentencePiece vocabulary: unknown, begin, end, bytes, pieces. */
function sentencePieces(): { metadata: [string, Typed][]; size: number; tokens: string[] } {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
  const tokens = ['<unk>', '<s>', '</s>', ...bytes, ...PIECES];
  const types = tokens.map((_, id) => (id === 0 ? 2 : id < 3 ? CONTROL : id < 259 ? BYTE : 1));
  return {
    tokens,
    size: tokens.length,
    metadata: [
      ['tokenizer.ggml.model', { type: 'string', value: 'llama' }],
      ['tokenizer.ggml.tokens', { type: 'strings', value: tokens }],
      ['tokenizer.ggml.scores', { type: 'f32s', value: tokens.map((token, id) => (id < 259 ? 0 : scoreOf(token))) }],
      ['tokenizer.ggml.token_type', { type: 'i32s', value: types }],
      ['tokenizer.ggml.bos_token_id', { type: 'u32', value: 1 }],
      ['tokenizer.ggml.eos_token_id', { type: 'u32', value: 2 }],
      ['tokenizer.ggml.unknown_token_id', { type: 'u32', value: 0 }],
    ],
  };
}

/** SentencePiece's BPE: join the neighbours that make the best piece, the leftmost of equals, until none do. */
function pieceIds(text: string, tokens: readonly string[]): number[] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const parts = Array.from(`▁${text.replaceAll(' ', '▁')}`);
  for (;;) {
    let best = -1;
    for (let i = 0; i + 1 < parts.length; i++) {
      const piece = parts[i]! + parts[i + 1]!;
      if (!PIECES.includes(piece)) continue;
      if (best < 0 || scoreOf(piece) > scoreOf(parts[best]! + parts[best + 1]!)) best = i;
    }
    if (best < 0) break;
    parts.splice(best, 2, parts[best]! + parts[best + 1]!);
  }
  return parts.flatMap((part) => {
    const id = ids.get(part);
    return id === undefined ? Array.from(new TextEncoder().encode(part), (byte) => byte + 3) : [id];
  });
}

const words = fc.constantFrom(
  ...SAMPLE_TEXT.split(' '),
  "don't",
  '12345',
  '  ',
  '\r\n',
  '\n \n',
  'theory',
  'the',
  '🤷🏽‍♀️',
  "HTMLParser's",
  'iPhone/n',
  '…',
);
const texts = fc
  .array(fc.oneof(words, fc.string({ unit: 'grapheme', maxLength: 6 })), { maxLength: 12 })
  .map((all) => all.join(' '));

function streamed(tokenizer: Tokenizer, ids: readonly number[]): string {
  const detokenizer = new Detokenizer(tokenizer);
  return ids.map((id) => detokenizer.push(id)).join('') + detokenizer.flush();
}

describe('byte-level BPE out of GGUF', () => {
  const PRES = ['gpt-2', 'smollm', 'llama-bpe', 'qwen2', 'deepseek-r1-qwen', 'dbrx', 'gpt-4o'];
  const tokenizers = new Map<string, [Tokenizer, OracleTokenizer]>();

  beforeAll(async () => {
    for (const pre of PRES) {
      const {
        metadata,
        tokens: { length: size },
      } = byteLevelVocabulary(pre, TEMPLATE);
      tokenizers.set(pre, await both(metadata, size));
    }
  });

  it.each(PRES)('%s encodes as in Rust, and streams back the text', (pre) => {
    const [own, oracle] = tokenizers.get(pre)!;
    fc.assert(
      fc.property(texts, (text) => {
        const ids = own.encode(text);
        expect(ids).toEqual([...oracle.encode(text)]);
        const normal = pre.includes('qwen') ? text.normalize('NFC') : text;
        expect(streamed(own, ids)).toBe(normal);
        expect(oracle.decode(Int32Array.from(ids))).toBe(normal);
      }),
      { numRuns: 40 },
    );
  });

  it('splits digits as each family does', () => {
    const pieces = (pre: string) => {
      const [own] = tokenizers.get(pre)!;
      return own.encode('1234567').map((id) => own.decode([id]));
    };
    expect(pieces('qwen2')).toEqual([...'1234567']);
    expect(pieces('smollm')).toEqual([...'1234567']);
    expect(pieces('llama-bpe')).toEqual(['123', '456', '7']);
  });

  it('brings specials, ends and chat template along', async () => {
    const {
      metadata,
      tokens: { length: size },
    } = byteLevelVocabulary('qwen2', TEMPLATE);
    const { text, json } = await textOf(metadata, size);
    const tokenizer = await loadTokenizer(text);
    expect(tokenizer.added.get('<think>')).toBe(3);
    expect([...tokenizer.specials]).toEqual([0, 1, 2]);
    expect(tokenizer.eos).toBe(2);
    expect(json.eos_token_id).toBe(2);
    expect(tokenizer.encode('a', { addSpecialTokens: true })[0]).toBe(0);
    const chat = await loadChatTemplate(text);
    expect(renderChat(chat, [{ role: 'user', content: 'hi' }])).toBe('<|im_start|>hi<|im_end|>');
  });
});

describe('SentencePiece out of GGUF', () => {
  it('encodes by its rule and as in Rust, bytes where there is no piece, and streams back the text', async () => {
    const { metadata, size, tokens } = sentencePieces();
    const [own, oracle] = await both(metadata, size);
    const letters = fc.string({ unit: fc.constantFrom(...'theory  é数🤔x'), maxLength: 24 });
    fc.assert(
      fc.property(fc.oneof(letters, texts), (text) => {
        if (text === '') return;
        const ids = own.encode(text);
        expect(ids).toEqual(pieceIds(text, tokens));
        expect(ids).toEqual([...oracle.encode(text)]);
        expect(streamed(own, ids)).toBe(text);
      }),
      { numRuns: 150 },
    );
    expect(own.encode('x', { addSpecialTokens: true })[0]).toBe(1);
  });
});

describe('GGUF tokenizers that are not known', () => {
  it('ask for tokenizer.json beside the file, and take it', async () => {
    const {
      metadata,
      tokens: { length: size },
    } = byteLevelVocabulary('chameleon', TEMPLATE);
    const { text } = await textOf(metadata, size);
    const error = await errorOf(() => loadTokenizer(text));
    expect(isReckonError(error, 'bad-tokenizer') && error.message).toMatch(
      /splits text as "chameleon".*tokenizer.json/,
    );
    const made = ggufCheckpoint(
      { ...TINY_SHAPES.llama, vocab: size },
      { format: () => 'Q8_0', metadata: new Map(metadata) },
    );
    const files = { ...made.files, 'tokenizer.json': learnBpe().tokenizerJson };
    const opened = await openCheckpoint({ ...memorySource(files), list: async () => Object.keys(files) });
    expect((await loadTokenizer(opened.text)).encode('the')).toEqual(learnBpe().encode('the'));
    const other = await textOf([['tokenizer.ggml.model', { type: 'string', value: 't5' }]], 96);
    expect((await errorOf(() => loadTokenizer(other.text))).message).toMatch(/of the kind "t5"/);
  });
});
