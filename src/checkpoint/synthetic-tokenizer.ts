/** Small tokenizers, valid for `@huggingface/tokenizers`, for checkpoints of random weights. */
import { ReckonError } from '../errors.ts';

const SPECIALS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<think>', '</think>'];
const WORDS = ['user', 'assistant', 'system', '\n', ' '];
const CHARACTERS = 'abcdefghijklmnopqrstuvwxyz0123456789.,:;!?+-*/=()<>|_\'"ABCDEFGHIJKLMNOPQRSTUVWXYZ';

const CHAT_TEMPLATE = [
  '{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}',
  '{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n',
  '{% if enable_thinking is defined and enable_thinking is false %}\n</think>\n\n{% endif %}{% endif %}',
].join('');

/** The printable stand-in of each byte in byte-level BPE (GPT-2's table). */
export function byteAlphabet(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCharCode(printable ? byte : next++);
  });
}

function addedTokens() {
  return SPECIALS.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    // The thinking marks are text that a reader may want to see; the others are not.
    special: id < 3,
  }));
}

/** All 256 bytes and no merges: encodes any text, a token a byte. */
function byteLevel() {
  const vocab = Object.fromEntries([...SPECIALS, ...byteAlphabet()].map((token, id) => [token, id]));
  return {
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab, merges: [], unk_token: null, byte_fallback: false },
  };
}

/** As many characters as fit, the rest unknown: for vocabularies under 261. */
function characters(vocabSize: number) {
  const tokens = [...SPECIALS, ...WORDS, ...CHARACTERS].slice(0, vocabSize);
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  return {
    pre_tokenizer: {
      type: 'Split',
      pattern: { Regex: 'user|assistant|system|[\\s\\S]' },
      behavior: 'Isolated',
      invert: false,
    },
    decoder: { type: 'Fuse' },
    model: { type: 'WordLevel', vocab, unk_token: SPECIALS[0] },
  };
}

/**
 * Texts of `tokenizer.json` and `tokenizer_config.json` for a vocabulary of `vocabSize`. Ids: `<|endoftext|>` 0,
 * `<|im_start|>` 1, `<|im_end|>` 2, `<think>` 3, `</think>` 4; ids that the tokenizer leaves unused decode to nothing.
 * @throws ReckonError `bad-option` when not even those and the roles fit.
 */
export function syntheticTokenizer(vocabSize: number): { tokenizer: string; config: string } {
  const least = SPECIALS.length + WORDS.length;
  if (vocabSize < least) {
    throw new ReckonError('bad-option', `A vocabulary of ${vocabSize} is too small for the synthetic tokenizer.`, {
      hint: `It needs at least ${least} tokens; or give a tokenizer of your own.`,
      details: { vocabSize },
    });
  }
  const pieces = vocabSize >= SPECIALS.length + 256 ? byteLevel() : characters(vocabSize);
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens(),
    normalizer: null,
    post_processor: null,
    ...pieces,
  };
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: SPECIALS[0],
    eos_token: SPECIALS[2],
    pad_token: SPECIALS[0],
    clean_up_tokenization_spaces: false,
    chat_template: CHAT_TEMPLATE,
  };
  return { tokenizer: JSON.stringify(tokenizer), config: JSON.stringify(config) };
}
