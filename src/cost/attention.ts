/** Which keys a decoded token attends to, as the cost model sees it: budgets and sums of tokens. */
import { checkNumber, ReckonError } from '../errors.ts';

export type CostAttention =
  | { readonly kind: 'dense' }
  /** The `budget` best tokens for each KV head, found for nothing: an oracle. */
  | { readonly kind: 'tokenTopK'; readonly budget: number }
  /** The `blocks` best blocks of `blockSize` tokens, found by their mean keys, beside first and last tokens always kept. */
  | {
      readonly kind: 'blockTopK';
      readonly blockSize: number;
      readonly blocks: number;
      readonly sinks: number;
      readonly local: number;
    }
  /** The first `sinks` and the last `window` tokens. */
  | { readonly kind: 'window'; readonly sinks: number; readonly window: number };

/** Tokens that a token attends to at most (B), for each KV head; Infinity where there is no bound. */
export function attentionBudget(attention: CostAttention): number {
  switch (attention.kind) {
    case 'dense':
      return Number.POSITIVE_INFINITY;
    case 'tokenTopK':
      return attention.budget;
    case 'blockTopK':
      return attention.sinks + attention.local + attention.blockSize * attention.blocks;
    case 'window':
      return attention.sinks + attention.window;
  }
}

/**
 * Checks the numbers of a policy.
 * @throws ReckonError `bad-option` naming the number.
 */
export function checkAttention(attention: CostAttention): CostAttention {
  const whole = { min: 1, integer: true };
  const orNone = { min: 0, integer: true };
  switch (attention.kind) {
    case 'dense':
      break;
    case 'tokenTopK':
      checkNumber('attention.budget', attention.budget, whole);
      break;
    case 'blockTopK':
      checkNumber('attention.blockSize', attention.blockSize, whole);
      checkNumber('attention.blocks', attention.blocks, whole);
      checkNumber('attention.sinks', attention.sinks, orNone);
      checkNumber('attention.local', attention.local, orNone);
      break;
    case 'window':
      checkNumber('attention.window', attention.window, whole);
      checkNumber('attention.sinks', attention.sinks, orNone);
  }
  return attention;
}

export const ATTENTION_FORMS = 'dense, topk:BUDGET, block:SIZExCOUNT[+LOCAL[+SINKS]], window:SINKS+WINDOW';

const COUNT = '([1-9]\\d{0,8})';
const COUNT_OR_NONE = '(\\d{1,9})';
const TOP_K = new RegExp(`^topk:${COUNT}$`);
const BLOCK = new RegExp(`^block:${COUNT}x${COUNT}(?:\\+${COUNT_OR_NONE})?(?:\\+${COUNT_OR_NONE})?$`);
const WINDOW = new RegExp(`^window:${COUNT_OR_NONE}\\+${COUNT}$`);

/**
 * Reads a policy as people write it: "dense", "topk:1024", "block:16x64", "block:16x60+60+4", "window:4+1024".
 * @throws ReckonError `bad-option` telling the forms.
 */
export function parseAttention(text: string): CostAttention {
  if (text === 'dense') return { kind: 'dense' };
  const topK = TOP_K.exec(text);
  if (topK) return { kind: 'tokenTopK', budget: Number(topK[1]) };
  const block = BLOCK.exec(text);
  if (block) {
    const [, blockSize, blocks, local = '0', sinks = '0'] = block;
    return {
      kind: 'blockTopK',
      blockSize: Number(blockSize),
      blocks: Number(blocks),
      local: Number(local),
      sinks: Number(sinks),
    };
  }
  const window = WINDOW.exec(text);
  if (window) return { kind: 'window', sinks: Number(window[1]), window: Number(window[2]) };
  throw new ReckonError('bad-option', `${JSON.stringify(text.slice(0, 80))} is no attention policy.`, {
    hint: `Forms: ${ATTENTION_FORMS}, as in block:16x64 for the 64 best blocks of 16 tokens.`,
    details: { text },
  });
}

/** A policy in the engine's terms, `AttentionPolicy` of src/engine/types.ts; what is not said is left to its defaults. */
export type WrittenPolicy =
  | { readonly kind: 'dense' }
  | { readonly kind: 'tokenTopK'; readonly budget: number; readonly sinks: number }
  | {
      readonly kind: 'blockTopK';
      readonly budget: number;
      readonly blockSize: number;
      readonly local?: number;
      readonly sinks?: number;
    }
  | { readonly kind: 'window'; readonly local: number; readonly sinks: number };

/**
 * Reads a policy for the engine from the same forms. Blocks without "+LOCAL+SINKS" have the engine's own sinks and local
 * tokens; "topk:" attends to the best tokens alone, without sinks.
 * @throws ReckonError `bad-option` telling the forms.
 */
export function parsePolicy(text: string): WrittenPolicy {
  const attention = parseAttention(text);
  switch (attention.kind) {
    case 'dense':
      return attention;
    case 'tokenTopK':
      return { ...attention, sinks: 0 };
    case 'window':
      return { kind: 'window', sinks: attention.sinks, local: attention.window };
    case 'blockTopK': {
      const { blockSize, blocks, local, sinks } = attention;
      const said = text.split('+').length - 1;
      return {
        kind: 'blockTopK',
        budget: blocks * blockSize,
        blockSize,
        ...(said > 0 ? { local } : {}),
        ...(said > 1 ? { sinks } : {}),
      };
    }
  }
}

/** What a policy attends to at most, by whole blocks: sinks, the best, local ones and the row's own. */
interface AnyPolicy {
  readonly kind: CostAttention['kind'];
  readonly budget?: number;
  readonly blockSize?: number;
  readonly sinks?: number;
  readonly local?: number;
  readonly denseLayers?: readonly number[];
}

/**
 * A policy of the engine as the formulas take it, with the engine's defaults (docs/sparse-attention.md): sinks and local tokens
 * are whole blocks, and the row's own block, half full on average, is attended to as well.
 */
export function costAttention(policy: AnyPolicy): CostAttention {
  if (policy.kind === 'dense') return { kind: 'dense' };
  const size = policy.kind === 'tokenTopK' ? 1 : (policy.blockSize ?? 16);
  const sinks = Math.ceil((policy.sinks ?? 4) / size) * size;
  // From t·size on: max(1, local) tokens and what is left of the block they begin in.
  const local = Math.max(1, policy.local ?? 0) + Math.floor(size / 2);
  if (policy.kind === 'window') return { kind: 'window', sinks, window: local };
  const budget = policy.budget ?? 0;
  if (policy.kind === 'tokenTopK') return { kind: 'tokenTopK', budget: budget + sinks + local };
  return { kind: 'blockTopK', blockSize: size, blocks: budget / size, sinks, local };
}

/** Layers that a policy leaves dense. */
export function denseLayerCount({ kind, denseLayers = [0] }: AnyPolicy): number {
  return kind === 'dense' ? 0 : new Set(denseLayers).size;
}

/** What {@link parseAttention} reads back. */
export function attentionText(attention: CostAttention): string {
  switch (attention.kind) {
    case 'dense':
      return 'dense';
    case 'tokenTopK':
      return `topk:${attention.budget}`;
    case 'blockTopK': {
      const { blockSize, blocks, local, sinks } = attention;
      const kept = sinks > 0 ? `+${local}+${sinks}` : local > 0 ? `+${local}` : '';
      return `block:${blockSize}x${blocks}${kept}`;
    }
    case 'window':
      return `window:${attention.sinks}+${attention.window}`;
  }
}

/**
 * S: KV tokens attended to while `tokens` tokens are decoded behind `prompt` tokens with a budget of `budget`, as an area:
 * ∫ min(budget, length) over lengths from `prompt` to `prompt + tokens`. The paper's half-squares are this.
 */
export function attendedArea(prompt: number, tokens: number, budget: number): number {
  const ramp = Math.min(tokens, Math.max(0, budget - prompt));
  const level = tokens - ramp;
  return prompt * ramp + (ramp * ramp) / 2 + (level > 0 ? budget * level : 0);
}

/**
 * The same as the engine counts it, row by row: Σ min(budget, prompt + i) for i = 0 … tokens − 1. The first row is the prompt's
 * last token, whose logits the first token is drawn from; the last token drawn is never a row.
 */
export function attendedRows(prompt: number, tokens: number, budget: number): number {
  const ramp = Math.min(tokens, Math.max(0, budget - prompt));
  const level = tokens - ramp;
  return prompt * ramp + (ramp * (ramp - 1)) / 2 + (level > 0 ? budget * level : 0);
}
