/**
 * Under which policy the KV of each of a lane's tokens was computed. What a token attended to shapes its keys and values in
 * all later layers, so KV that was dropped must be computed again in the same way, or a lane would go on with other tokens.
 */
import { MAX_LAYERS } from '../kernels/row-lists.ts';
import { type Sparsity, sparseFrom } from './attention.ts';

/** Tokens from position `from` to the next range's, or to the end of the history. Null: dense. */
export interface PolicyRange {
  readonly from: number;
  readonly policy: Sparsity | null;
}

/** A history as plain data. */
export interface PlainHistory {
  readonly length: number;
  readonly ranges: readonly PolicyRange[];
}

export class PolicyHistory {
  #ranges: PolicyRange[] = [];
  #length = 0;

  /** What {@link plain} gave. */
  static from({ length, ranges }: PlainHistory): PolicyHistory {
    const history = new PolicyHistory();
    history.#ranges = [...ranges];
    history.#length = length;
    return history;
  }

  /** The first `length` positions, as far as they are known. */
  plain(length: number): PlainHistory {
    const copy = this.copy();
    copy.truncate(length);
    return { length: copy.#length, ranges: copy.#ranges };
  }

  /** Positions whose policy is known: all whose KV is there or was once. */
  get length(): number {
    return this.#length;
  }

  get ranges(): readonly PolicyRange[] {
    return this.#ranges;
  }

  /** Says that KV up to `to` is computed under `policy`; what is known already stays as it is. */
  note(to: number, policy: Sparsity | null): void {
    if (to <= this.#length) return;
    const last = this.#ranges.at(-1);
    if (!last || !samePolicy(last.policy, policy)) this.#ranges.push({ from: this.#length, policy });
    this.#length = to;
  }

  /** Forgets positions from `length` on. */
  truncate(length: number): void {
    if (length >= this.#length) return;
    this.#length = length;
    while (this.#ranges.length > 0 && this.#ranges.at(-1)!.from >= length) this.#ranges.pop();
  }

  copy(): PolicyHistory {
    const copy = new PolicyHistory();
    copy.#ranges = [...this.#ranges];
    copy.#length = this.#length;
    return copy;
  }

  /** The policy at `position` where it left something out; null where the row was dense, or is not known. */
  sparseAt(position: number): Sparsity | null {
    if (position >= this.#length) return null;
    const range = this.#ranges.findLast(({ from }) => from <= position);
    return range?.policy && position + 1 >= sparseFrom(range.policy) ? range.policy : null;
  }

  /** The first position from `from` on that was not dense; Infinity where there is none. */
  denseUntil(from: number): number {
    for (const [i, range] of this.#ranges.entries()) {
      const end = this.#ranges[i + 1]?.from ?? this.#length;
      if (!range.policy || end <= from) continue;
      const first = Math.max(from, range.from, sparseFrom(range.policy) - 1);
      if (first < end) return first;
    }
    return Number.POSITIVE_INFINITY;
  }
}

/** Whether a value that was read from somewhere is a history of at most `length` positions. */
export function isHistory(value: unknown, length: number): value is PlainHistory {
  if (typeof value !== 'object' || value === null) return false;
  const { length: known, ranges } = value as Partial<PlainHistory>;
  if (!isCount(known) || known > length || !Array.isArray(ranges) || (ranges.length === 0) !== (known === 0))
    return false;
  return ranges.every((range: Partial<PolicyRange> | null, i) => {
    if (typeof range !== 'object' || range === null || !isCount(range.from) || range.from >= known) return false;
    const before: PolicyRange | undefined = ranges[i - 1];
    return (
      (before ? range.from > before.from : range.from === 0) && (range.policy === null || isSparsity(range.policy))
    );
  });
}

function isSparsity(value: unknown): value is Sparsity {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, blockSize, chosen, sinks, local, search, denseLayers } = value as Partial<Sparsity>;
  return (
    (kind === 'blockTopK' || kind === 'window' || kind === 'tokenTopK') &&
    isCount(blockSize) &&
    blockSize <= 64 &&
    Number.isInteger(Math.log2(blockSize)) &&
    isCount(chosen) &&
    isCount(sinks) &&
    isCount(local) &&
    local > 0 &&
    search === (kind === 'window' ? null : blockSize >= 16 ? 'summaries' : 'keys') &&
    Array.isArray(denseLayers) &&
    denseLayers.every((layer) => isCount(layer) && layer < MAX_LAYERS)
  );
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function samePolicy(a: Sparsity | null, b: Sparsity | null): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
