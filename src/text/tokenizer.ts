/** Text to token ids and back: `@huggingface/tokenizers` behind a small face that does not throw on odd text. */
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { badTokenizer, type JsonObject, optionalText, parseObject, type ReadOptions, type TextFiles } from './files.ts';

export interface Tokenizer {
  /** One more than the highest id. A model's vocabulary may be padded beyond it. */
  readonly vocabSize: number;
  /** Added tokens by content, special or not (`<|im_end|>`, `<think>`): they encode to one id wherever they stand. */
  readonly added: ReadonlyMap<string, number>;
  /** Ids that `skipSpecialTokens` leaves out. */
  readonly specials: ReadonlySet<number>;
  /** Token ids of any text. Lone surrogates become U+FFFD; text without a token is the unknown token, or left out. */
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  /** Text of ids, spaces as they are. Ids outside the vocabulary decode to nothing. */
  decode(ids: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }): string;
  idOf(token: string): number | undefined;
  /** The id of `eos_token` in `tokenizer_config.json`. */
  readonly eos: number | undefined;
}

/** With the u flag, halves of pairs do not match. */
const LONE_SURROGATES = /\p{Surrogate}/gu;

const FILE = 'tokenizer.json';
const CONFIG = 'tokenizer_config.json';

/** The model's unknown token, which the library reads from the config where the model is a plain word list. */
function withUnknown(json: JsonObject, config: JsonObject): JsonObject {
  const unknown = (json.model as JsonObject | null | undefined)?.unk_token;
  return typeof unknown === 'string' && config.unk_token === undefined ? { ...config, unk_token: unknown } : config;
}

/**
 * Reads `tokenizer.json` and, where there is one, `tokenizer_config.json`.
 * @throws ReckonError `bad-tokenizer` when a file is missing or malformed; what the source fails with otherwise.
 */
export async function loadTokenizer(files: TextFiles, options: ReadOptions = {}): Promise<Tokenizer> {
  const [text, configText] = await Promise.all([
    optionalText(files, FILE, options),
    optionalText(files, CONFIG, options),
  ]);
  if (text === undefined) throw badTokenizer(files, FILE, 'is missing');
  const json = parseObject(files, FILE, text);
  const config = configText === undefined ? {} : parseObject(files, CONFIG, configText);
  let library: Library;
  try {
    // Absent parts mean the same as null ones; the library insists on null.
    const whole = {
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: null,
      added_tokens: [],
      ...json,
    };
    library = new Library(whole, withUnknown(json, config));
    library.encode('a');
  } catch (cause) {
    throw badTokenizer(files, FILE, `does not describe a tokenizer (${(cause as Error).message})`, cause);
  }
  return wrap(library, config.eos_token, (problem) => badTokenizer(files, FILE, problem));
}

/** @param eosToken `eos_token` of the configuration: text, or an object with the text as its content. */
function wrap(library: Library, eosToken: unknown, fail: (problem: string) => Error): Tokenizer {
  const vocab = library.model?.vocab ?? [];
  if (vocab.length === 0) throw fail('has an empty vocabulary');
  const added = new Map<string, number>();
  const specials = new Set<number>();
  for (const [id, token] of library.get_added_tokens_decoder()) {
    if (!Number.isInteger(id) || id < 0) throw fail(`gives ${JSON.stringify(token.content)} the id ${id}`);
    added.set(token.content, id);
    if (token.special) specials.add(id);
  }
  const unknown = library.model?.unk_token_id;
  const idOf = (token: string) => added.get(token) ?? library.token_to_id(token);
  const eos = typeof eosToken === 'string' ? eosToken : (eosToken as JsonObject | null | undefined)?.content;

  return {
    vocabSize: vocab.length,
    added,
    specials,
    encode(text, { addSpecialTokens = false } = {}) {
      if (text === '') return addSpecialTokens ? library.encode('', { add_special_tokens: true }).ids : [];
      const { ids } = library.encode(text.replace(LONE_SURROGATES, '\ufffd'), { add_special_tokens: addSpecialTokens });
      return ids.map((id) => id ?? unknown).filter((id): id is number => id !== undefined);
    },
    decode(ids, { skipSpecialTokens = false } = {}) {
      const known = Array.from(ids).filter((id) => vocab[id] !== undefined && !(skipSpecialTokens && specials.has(id)));
      if (known.length === 0) return '';
      // Tidying spaces would lose text, and make it depend on what follows.
      return library.decode(known, { clean_up_tokenization_spaces: false });
    },
    idOf,
    eos: typeof eos === 'string' ? idOf(eos) : undefined,
  };
}
