/**
 * Text and tokens of a word-level tokenizer, read from its `tokenizer.json` by definition: special tokens first, then
 * the pre-tokenizer's expression, then the vocabulary. Written apart from `src/text`.
 */
interface TokenizerJson {
  added_tokens: { id: number; content: string }[];
  pre_tokenizer: { pattern: { Regex: string } };
  model: { vocab: Record<string, number>; unk_token: string };
}

export interface Codec {
  readonly vocabSize: number;
  encode(text: string): number[];
  decode(tokens: Iterable<number>): string;
}

export function wordLevelCodec(json: string): Codec {
  const { added_tokens: added, pre_tokenizer, model } = JSON.parse(json) as TokenizerJson;
  const byText = new Map(Object.entries(model.vocab));
  const byId = new Map([...byText].map(([text, id]) => [id, text]));
  const unknown = byText.get(model.unk_token)!;
  const escaped = added.map(({ content }) => content.replace(/[|\\{}()[\]^$+*?.]/g, '\\$&'));
  const pieces = new RegExp(`${escaped.join('|')}|${pre_tokenizer.pattern.Regex}`, 'gu');
  return {
    vocabSize: byId.size,
    encode: (text) => [...text.matchAll(pieces)].map((m) => byText.get(m[0]) ?? unknown),
    decode: (tokens) => Array.from(tokens, (id) => byId.get(id) ?? '').join(''),
  };
}
