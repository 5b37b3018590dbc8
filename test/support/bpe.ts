/** A byte-level BPE tokenizer learned from a text on the spot, with a plain encoder to hold the library against. */
import { byteAlphabet } from '../../src/checkpoint/synthetic-tokenizer.ts';

export const SAMPLE_TEXT =
  'Größe naïve café — «цена» 価格は千円です。数学の問題 🤔🤔 👩‍👩‍👧 é́ the theory then think thinking 12 + 30 = 42, ∑∂ x² → y\n\n';

const SPECIALS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<think>', '</think>'];

function bytesOf(text: string): string[] {
  const alphabet = byteAlphabet();
  return Array.from(new TextEncoder().encode(text), (byte) => alphabet[byte]!);
}

function mergeAll(parts: readonly string[], [left, right]: readonly [string, string]): string[] {
  const merged: string[] = [];
  for (let i = 0; i < parts.length; i++) {
    if (parts[i] === left && parts[i + 1] === right) merged.push(left + parts[++i]!);
    else merged.push(parts[i]!);
  }
  return merged;
}

export interface Bpe {
  tokenizerJson: string;
  configJson: string;
  vocabSize: number;
  /** Textbook BPE over the whole text: merges in the order they were learned. */
  encode(text: string): number[];
}

/** Learns `count` merges, the commonest pair first; merged bytes do not respect characters, which is the point. */
export function learnBpe(count = 80, text = SAMPLE_TEXT): Bpe {
  const merges: [string, string][] = [];
  let parts = bytesOf(text);
  while (merges.length < count) {
    const counts = new Map<string, { pair: [string, string]; count: number }>();
    for (let i = 0; i + 1 < parts.length; i++) {
      const pair: [string, string] = [parts[i]!, parts[i + 1]!];
      const key = JSON.stringify(pair);
      counts.set(key, { pair, count: (counts.get(key)?.count ?? 0) + 1 });
    }
    const best = [...counts.values()].sort((a, b) => b.count - a.count)[0];
    if (!best) break;
    merges.push(best.pair);
    parts = mergeAll(parts, best.pair);
  }
  const tokens = [...new Set([...SPECIALS, ...byteAlphabet(), ...merges.map(([left, right]) => left + right)])];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const tokenizerJson = JSON.stringify({
    added_tokens: SPECIALS.map((content, id) => ({
      id,
      content,
      special: id < 3,
      normalized: false,
      lstrip: false,
      rstrip: false,
      single_word: false,
    })),
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab: Object.fromEntries(ids), merges: merges.map((pair) => pair.join(' ')) },
  });
  return {
    tokenizerJson,
    configJson: JSON.stringify({ eos_token: '<|im_end|>' }),
    vocabSize: tokens.length,
    encode: (input) => merges.reduce(mergeAll, bytesOf(input)).map((token) => ids.get(token)!),
  };
}
