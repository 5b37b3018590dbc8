/** The metadata of tokenizers in GGUF files, as llama.cpp's converter writes them. */
import { learnBpe, SAMPLE_TEXT } from '../bpe.ts';
import type { Typed } from './gguf.ts';

const NORMAL = 1;
const CONTROL = 3;
const USER_DEFINED = 4;

export interface Vocabulary {
  metadata: [string, Typed][];
  tokens: string[];
}

/**
 * A byte-level vocabulary learned on the spot: specials `<|endoftext|>`, `<|im_start|>`, `<|im_end|>` (0, 1, 2), and `<think>`
 * and `</think>`, which are not hidden.
 */
export function byteLevelVocabulary(pre: string, chatTemplate: string): Vocabulary {
  const bpe = learnBpe(200, `${SAMPLE_TEXT} 2024 1234567 don't I'LL we'd  \r\n\r\n\t words and words`);
  const { model, added_tokens } = JSON.parse(bpe.tokenizerJson);
  const special = new Map<string, boolean>(
    added_tokens.map((one: { content: string; special: boolean }) => [one.content, one.special]),
  );
  // By id: JavaScript puts keys that look like numbers first.
  const tokens = Object.entries<number>(model.vocab)
    .sort((a, b) => a[1] - b[1])
    .map(([token]) => token);
  // Tokens that no merge makes: Llama 3's tokenizer takes them as whole words.
  tokens.push('123', '456');
  const types = tokens.map((token) => (special.has(token) ? (special.get(token) ? CONTROL : USER_DEFINED) : NORMAL));
  return {
    tokens,
    metadata: [
      ['tokenizer.ggml.model', { type: 'string', value: 'gpt2' }],
      ['tokenizer.ggml.pre', { type: 'string', value: pre }],
      ['tokenizer.ggml.tokens', { type: 'strings', value: tokens }],
      ['tokenizer.ggml.token_type', { type: 'i32s', value: types }],
      ['tokenizer.ggml.merges', { type: 'strings', value: model.merges }],
      ['tokenizer.ggml.bos_token_id', { type: 'u32', value: 0 }],
      ['tokenizer.ggml.eos_token_id', { type: 'u32', value: 2 }],
      ['tokenizer.ggml.add_bos_token', { type: 'bool', value: true }],
      ['tokenizer.chat_template', { type: 'string', value: chatTemplate }],
    ],
  };
}
