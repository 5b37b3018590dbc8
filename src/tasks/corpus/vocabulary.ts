/**
 * The vocabulary of the embedded family: whole words of the tasks' language, single digits, and every printable ASCII
 * character, into which any other word falls apart. So all ASCII text round-trips exactly, and what the models are trained
 * on takes one token a word. Changing anything here makes trained checkpoints unreadable: only append, before the unused.
 */
import { NAMES } from '../islanders/wording.ts';

/** Ids 0 to 4, as in the rest of the Qwen family of templates. */
export const SPECIALS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<think>', '</think>'] as const;
export const END_OF_TEXT = 0;
export const IM_START = 1;
export const IM_END = 2;
export const THINK = 3;
export const END_THINK = 4;

const CHARACTERS = ['\n', ...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))];

/** Words at the start of a line. */
const STARTING = [
  ...['system', 'user', 'assistant', 'Think', 'Grade', 'How', 'Use', 'Compute', 'Given'],
  ...['easy', 'medium', 'hard', 'Wait', 'back', 'reconsider', 'so'],
  ...NAMES,
];

/** Words behind a space. */
const FOLLOWING = [
  ...[
    'in',
    'full',
    'briefly',
    'the',
    'last',
    'step',
    'hard',
    'is',
    'this',
    'it',
    'a',
    'and',
    'or',
    'if',
    'iff',
    'only',
  ],
  ...['says', 'claims', 'tells', 'you', 'that', 'not', 'true', 'both', 'either', 'then', 'knight', 'knave'],
  ...['Use', 'to', 'make', 'Compute', 'Given', 'Follow', 'left', 'yes', 'no', 'T', 'F', 'ok', 'but', 'all', 'fit'],
  ...['fails', 'fail', 'reconsider', 'write', 'carry', 'borrow'],
  ...NAMES,
].map((word) => ` ${word}`);

/** The size of the embedding: ids beyond the words are for words to come. */
const SIZE = 256;

/** Token texts by id. */
export const VOCABULARY: readonly string[] = (() => {
  const tokens: string[] = [...new Set([...SPECIALS, ...CHARACTERS, ...STARTING, ...FOLLOWING])];
  for (let id = tokens.length; id < SIZE; id++) tokens.push(`<|unused${id}|>`);
  return tokens;
})();

/** Pieces of text that are looked up whole, else by character. In JavaScript and in the `tokenizers` library alike. */
const PIECES = ' ?[A-Za-z]+|[0-9]|\\n| |[^\\sA-Za-z0-9]';

const IDS: ReadonlyMap<string, number> = new Map(VOCABULARY.map((token, id) => [token, id]));
/** Special tokens first: they hold their ground wherever they stand. */
const SPLIT = new RegExp(`${SPECIALS.map((token) => token.replace(/[|]/g, '\\|')).join('|')}|${PIECES}|[\\s\\S]`, 'gu');

/**
 * Token ids of a text: what `tokenizer.json` says, in a few lines and fast enough for a corpus. What is not ASCII becomes
 * the end of text.
 */
export function encodeFamily(text: string): number[] {
  const ids: number[] = [];
  for (const piece of text.match(SPLIT) ?? []) {
    const whole = IDS.get(piece);
    if (whole !== undefined) ids.push(whole);
    else for (const character of piece) ids.push(IDS.get(character) ?? END_OF_TEXT);
  }
  return ids;
}

/** `tokenizer.json` in the layout of Hugging Face: words by `ignore_merges`, characters as BPE without a merge. */
export function tokenizerJson(): Record<string, unknown> {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIALS.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: id <= IM_END,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'Split', pattern: { Regex: PIECES }, behavior: 'Isolated', invert: false },
    post_processor: null,
    decoder: { type: 'Fuse' },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: SPECIALS[END_OF_TEXT],
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: true,
      vocab: Object.fromEntries(IDS),
      merges: [],
    },
  };
}
