/**
 * The tokenizer in a GGUF file's metadata, as the `tokenizer.json` and `tokenizer_config.json` that it amounts to. Two models
 * are known: "gpt2", byte-level BPE, and "llama", SentencePiece's BPE with byte fallback, whose merges follow from the scores.
 */
import { ReckonError } from '../errors.ts';
import type { Gguf } from './gguf-weights.ts';
import type { JsonObject } from './json.ts';

/** Kinds of tokens (llama.cpp's `llama_token_type`). */
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
/** What Llama 3, Qwen and others split by; they differ in how many digits stay together. */
const modern = (digits: string) =>
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

/** GPT-4o's, which Phi-4-mini has: words end where capitals begin, and contractions stay with them. */
const [UPPER, LOWER] = ['[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]', '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]'];
const CASED =
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${CONTRACTIONS}?|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${CONTRACTIONS}?` +
  '|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

interface Splitting {
  /** Null: GPT-2's own, which is the byte-level step's. */
  readonly pattern: string | null;
  /** Each digit by itself, before the rest. */
  readonly digits?: boolean;
  readonly normalizer?: 'NFC';
  /** Whole words that are tokens are taken without merging. */
  readonly ignoreMerges?: boolean;
}

/** By `tokenizer.ggml.pre`: what splits text into words before BPE, as in the models' own `tokenizer.json`. */
const SPLITTINGS: Readonly<Record<string, Splitting>> = {
  'gpt-2': { pattern: null },
  default: { pattern: null },
  smollm: { pattern: null, digits: true },
  'llama-bpe': { pattern: modern('\\p{N}{1,3}'), ignoreMerges: true },
  dbrx: { pattern: modern('\\p{N}{1,3}') },
  'gpt-4o': { pattern: CASED },
  qwen2: { pattern: modern('\\p{N}'), normalizer: 'NFC' },
  'deepseek-r1-qwen': { pattern: modern('\\p{N}'), normalizer: 'NFC' },
};

function bad(file: string, what: string, hint: string): ReckonError {
  return new ReckonError('bad-tokenizer', `${file}: ${what}.`, { hint, details: { file } });
}

const DAMAGED = 'The file is damaged: download it again.';
const BESIDE = "Put the model's own tokenizer.json and tokenizer_config.json beside the file: they are used then.";

/** A token by the metadata that holds its id. */
function named(gguf: Gguf, key: string): { id: number; text: string } | undefined {
  const id = gguf.metadata.get(`tokenizer.ggml.${key}_token_id`);
  const tokens = gguf.metadata.get('tokenizer.ggml.tokens');
  const text = typeof id === 'number' && Array.isArray(tokens) ? tokens[id] : undefined;
  return typeof text === 'string' ? { id: id as number, text } : undefined;
}

/** The `tokenizer_config.json` that a file's metadata amount to; never throws. */
export function ggufTokenizerConfig(gguf: Gguf): JsonObject {
  const template = gguf.metadata.get('tokenizer.chat_template');
  return {
    bos_token: named(gguf, 'bos')?.text,
    eos_token: named(gguf, 'eos')?.text,
    unk_token: named(gguf, 'unknown')?.text,
    pad_token: named(gguf, 'padding')?.text,
    ...(typeof template === 'string' ? { chat_template: template } : {}),
  };
}

/**
 * The `tokenizer.json` that a file's metadata amount to.
 * @throws ReckonError `bad-tokenizer` when there is none, or one of a kind that is not known.
 */
export function ggufTokenizer(gguf: Gguf): JsonObject {
  const file = gguf.files[0]!.file;
  const get = (key: string) => gguf.metadata.get(`tokenizer.ggml.${key}`);
  const list = <T extends 'string' | 'number'>(key: string, type: T): (T extends 'string' ? string : number)[] => {
    const value = get(key);
    if (Array.isArray(value) && value.every((one) => typeof one === type)) return value;
    throw bad(file, `tokenizer.ggml.${key} is no list of ${type}s`, DAMAGED);
  };
  const model = get('model');
  if (model !== 'gpt2' && model !== 'llama')
    throw bad(file, `its tokenizer is of the kind ${JSON.stringify(model)?.slice(0, 80)}, which is not known`, BESIDE);
  const tokens = list('tokens', 'string');
  const types = get('token_type') === undefined ? [] : list('token_type', 'number');
  const added = tokens.flatMap((content, id) => {
    const special = types[id] === CONTROL || (types[id] === UNKNOWN && model === 'llama');
    if (!special && types[id] !== USER_DEFINED) return [];
    return [{ id, content, special, normalized: false, lstrip: false, rstrip: false, single_word: false }];
  });
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const core =
    model === 'gpt2'
      ? byteLevel(vocab, list('merges', 'string'), splittingOf(get('pre'), file))
      : sentencePiece(vocab, list('scores', 'number'), {
          unknown: named(gguf, 'unknown')?.text ?? '<unk>',
          prefix: get('add_space_prefix') !== false,
        });
  const bos = named(gguf, 'bos');
  const begins = get('add_bos_token') ?? model === 'llama';
  return {
    version: '1.0',
    added_tokens: added,
    ...core,
    post_processor: begins === true && bos ? beginWith(bos) : null,
  };
}

function splittingOf(pre: unknown, file: string): Splitting {
  const name = pre === undefined ? 'default' : String(pre);
  if (Object.hasOwn(SPLITTINGS, name)) return SPLITTINGS[name]!;
  throw bad(file, `its tokenizer splits text as ${JSON.stringify(name.slice(0, 80))}, which is not known`, BESIDE);
}

function byteLevel(vocab: JsonObject, merges: readonly string[], splitting: Splitting): JsonObject {
  const { pattern, digits, normalizer, ignoreMerges } = splitting;
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: pattern === null };
  const split = (regex: string) => ({
    type: 'Split',
    pattern: { Regex: regex },
    behavior: 'Isolated',
    invert: false,
  });
  const steps = [
    // Any numeral, as the step named Digits does in Rust, but not in JavaScript.
    ...(digits ? [split('\\p{N}')] : []),
    ...(pattern === null ? [] : [split(pattern)]),
    bytes,
  ];
  return {
    normalizer: normalizer === undefined ? null : { type: normalizer },
    pre_tokenizer: steps.length === 1 ? bytes : { type: 'Sequence', pretokenizers: steps },
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: { type: 'BPE', vocab, merges, ignore_merges: ignoreMerges ?? false },
  };
}

/** Every way to put a token together of two, the best token first; of equal ones, those of the longer left part. */
function mergesOf(vocab: JsonObject, scores: readonly number[]): [string, string][] {
  const found: { pair: [string, string]; score: number }[] = [];
  for (const [token, id] of Object.entries(vocab)) {
    const letters = Array.from(token);
    let left = '';
    for (const letter of letters.slice(0, -1)) {
      left += letter;
      const right = token.slice(left.length);
      if (Object.hasOwn(vocab, left) && Object.hasOwn(vocab, right))
        found.push({ pair: [left, right], score: scores[id as number] ?? Number.NEGATIVE_INFINITY });
    }
  }
  found.sort((a, b) => b.score - a.score || b.pair[0].length - a.pair[0].length || b.pair[1].length - a.pair[1].length);
  return found.map(({ pair }) => pair);
}

function sentencePiece(
  vocab: JsonObject,
  scores: readonly number[],
  { unknown, prefix }: { unknown: string; prefix: boolean },
): JsonObject {
  const space = { String: ' ' };
  return {
    normalizer: {
      type: 'Sequence',
      normalizers: [
        ...(prefix ? [{ type: 'Prepend', prepend: '▁' }] : []),
        { type: 'Replace', pattern: space, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: 'BPE',
      unk_token: unknown,
      fuse_unk: true,
      byte_fallback: true,
      vocab,
      merges: mergesOf(vocab, scores),
    },
  };
}

/** Puts a token before every text that is encoded with special tokens. */
function beginWith({ id, text: token }: { id: number; text: string }): JsonObject {
  return {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: token, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [
      { SpecialToken: { id: token, type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { Sequence: { id: 'B', type_id: 1 } },
    ],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}
