/**
 * Attention policies by their definition: which tokens a decoded row attends to, in numbers of blocks; which blocks those
 * are, only the GPU knows.
 *
 * A row at position p sees its lane's first n = p + 1 tokens, its own included, cut into blocks of b tokens at multiples of
 * b. With s = ⌈sinks / b⌉ and t = ⌊(n − max(1, local)) / b⌋ it always attends to the blocks before s and to every token
 * from b·t on; blocks s … t − 1 are candidates, of which the policy takes k. With k candidates or fewer it attends to
 * everything, as if it were dense.
 */
import { checkNumber, ReckonError } from '../errors.ts';
import { MAX_LAYERS } from '../kernels/row-lists.ts';
import type { AttentionPolicy } from './types.ts';

/** A policy that leaves something out, resolved: defaults filled in, lengths in blocks. */
export interface Sparsity {
  readonly kind: 'blockTopK' | 'window' | 'tokenTopK';
  /** b, tokens: a power of two up to 64. */
  readonly blockSize: number;
  /** k: candidates chosen, for each KV head. */
  readonly chosen: number;
  /** s: blocks at the start that are always attended to. */
  readonly sinks: number;
  /** Tokens at the end that are always attended to, at least 1. */
  readonly local: number;
  /** Where scores come from: page summaries, the keys themselves, or nowhere, where nothing is chosen. */
  readonly search: 'summaries' | 'keys' | null;
  /** Layers that attend to everything, ascending. */
  readonly denseLayers: readonly number[];
}

/** How much a row attends to, tokens, and of how many candidate blocks it chooses. */
export interface Span {
  readonly tokens: number;
  readonly candidates: number;
}

/** What engines differ in. */
export interface AttentionSupport {
  readonly layers: number;
  /** Whether pages have summaries. */
  readonly summaries: boolean;
}

/** Tokens in a page: blocks of that many or more are found by page summaries. */
const PAGE = 16;
const MAX_BLOCK = 64;
const DEFAULT_SINKS = 4;

/**
 * Checks a policy and fills in its defaults. Null: everything is attended to everywhere.
 * @throws ReckonError `bad-option` naming the number that makes no sense or that this engine cannot serve.
 */
export function resolveAttention(policy: AttentionPolicy, { layers, summaries }: AttentionSupport): Sparsity | null {
  if (policy.kind === 'dense') return null;
  if (policy.kind !== 'blockTopK' && policy.kind !== 'window' && policy.kind !== 'tokenTopK') {
    throw new ReckonError('bad-option', `${JSON.stringify(policy)} is no attention policy.`, {
      hint: 'Kinds: dense, blockTopK, window, tokenTopK.',
    });
  }
  const whole = { min: 0, integer: true };
  const sinks = checkNumber('attention.sinks', policy.sinks ?? DEFAULT_SINKS, whole);
  const local = checkNumber('attention.local', policy.local ?? 0, whole);
  const denseLayers = [...new Set(policy.denseLayers ?? [0])].sort((a, b) => a - b);
  for (const layer of denseLayers) {
    checkNumber('attention.denseLayers', layer, { min: 0, max: MAX_LAYERS - 1, integer: true });
  }
  const blockSize = policy.kind === 'blockTopK' ? (policy.blockSize ?? PAGE) : policy.kind === 'window' ? PAGE : 1;
  if (!Number.isInteger(Math.log2(blockSize)) || blockSize < 1 || blockSize > MAX_BLOCK) {
    throw new ReckonError('bad-option', `attention.blockSize is ${blockSize}; it must be 1, 2, 4, 8, 16, 32 or 64.`);
  }
  const budget = policy.kind === 'window' ? 0 : checkNumber('attention.budget', policy.budget, { ...whole, min: 1 });
  if (budget % blockSize !== 0) {
    throw new ReckonError(
      'bad-option',
      `attention.budget is ${budget} tokens; it must be a multiple of the block size, which is ${blockSize}.`,
      { hint: `Use ${Math.ceil(budget / blockSize) * blockSize}.` },
    );
  }
  const search = policy.kind === 'window' ? null : blockSize >= PAGE ? 'summaries' : 'keys';
  if (search === 'summaries' && !summaries) {
    throw new ReckonError('bad-option', 'This engine keeps no page summaries, which block top-k attention needs.', {
      hint: "Load the model with summary: 'mean' or 'minmax', or use blocks of 8 tokens or fewer.",
    });
  }
  if (denseLayers.filter((layer) => layer < layers).length === layers) return null;
  return {
    kind: policy.kind,
    blockSize,
    chosen: budget / blockSize,
    sinks: Math.ceil(sinks / blockSize),
    local: Math.max(1, local),
    search,
    denseLayers: denseLayers.filter((layer) => layer < layers),
  };
}

/** The least length at which a policy leaves something out. */
export function sparseFrom({ blockSize, chosen, sinks, local }: Sparsity): number {
  return (sinks + chosen + 1) * blockSize + local;
}

/** What a row of a lane attends to when the lane has `length` tokens, its own the last; null: everything. */
export function spanOf(sparsity: Sparsity | null, length: number): Span | null {
  if (!sparsity || length < sparseFrom(sparsity)) return null;
  const { blockSize, chosen, sinks, local } = sparsity;
  const end = Math.floor((length - local) / blockSize);
  return {
    tokens: (sinks + chosen) * blockSize + length - end * blockSize,
    candidates: end - sinks,
  };
}
