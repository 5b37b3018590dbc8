/**
 * What a lane's next rows may cost, from what its last ones did. Bounds where there are some: a row's cost is a + b·length
 * with a, b ≥ 0 (dense attention; less under sparse), so it grows at most in proportion to the length; where b was
 * measured, at most by twice that.
 */

/** Lengths closer than this say nothing of growth: pages and splits of the cache make steps. */
const APART = 16;
/** Measured growth is trusted up to this factor. */
const GROWTH = 2;

/** Rows around `length` cost `perRow` each. */
export interface RowSample {
  readonly perRow: number;
  readonly length: number;
}

/** Rows computed, and tokens drawn. */
export interface Counts {
  readonly rows: number;
  readonly sampled: number;
}

/** Where a measurement begins. */
interface Mark {
  readonly amount: number;
  readonly counts: Counts;
  readonly length: number;
  readonly shared: number;
}

/** The growth of a row's cost per token of length; infinite where the samples do not tell. */
function growth(one: RowSample, other: RowSample): number {
  const apart = other.length - one.length;
  return apart < APART ? Number.POSITIVE_INFINITY : Math.max(0, (GROWTH * (other.perRow - one.perRow)) / apart);
}

/** The part of a row's cost that grows with its own lane; what lanes share in a step is somebody else's account. */
export class Price {
  #sample: RowSample;
  #growth = Number.POSITIVE_INFINITY;
  #mark: Mark | null = null;
  /** The last sample is of decoding, and comparable with the next. */
  #decoded = false;

  constructor(sample: RowSample) {
    this.#sample = sample;
  }

  /**
   * A measurement begins.
   * @param amount spent so far, the lane now `length` long.
   * @param shared part of each row's cost to come that is not the lane's own.
   */
  begin(amount: number, counts: Counts, length: number, shared: number): void {
    this.#mark = { amount, counts, length, shared };
  }

  /** The measurement begun ends. One without draws says nothing. */
  end(amount: number, { rows, sampled }: Counts, length: number): void {
    const mark = this.#mark;
    this.#mark = null;
    if (!mark) return;
    // Rows that were only read are cheaper than those drawn from, and the first draw may need no row: the fewer count.
    const count = Math.min(rows - mark.counts.rows, sampled - mark.counts.sampled);
    if (count <= 0 || amount <= mark.amount) return;
    const perRow = Math.max(0, (amount - mark.amount) / count - mark.shared);
    // Draws behind a stop lie beyond the length; the shorter length gives the higher bound.
    const sample = { perRow, length: Math.max(1, (mark.length + length) / 2) };
    if (this.#decoded) {
      const grown = growth(this.#sample, sample);
      if (Number.isFinite(grown)) this.#growth = grown;
    }
    this.#sample = sample;
    this.#decoded = true;
  }

  /** The most that `rows` rows behind `length` tokens may cost. */
  cost(rows: number, length: number): number {
    const { perRow, length: around } = this.#sample;
    const slope = Math.min(this.#growth, perRow / Math.max(1, around));
    return rows * (perRow + slope * (length + (rows + 1) / 2 - around));
  }
}

/** The largest whole number up to `most` for which `fits` holds; it holds for all below one for which it does. 0 if none. */
export function largest(most: number, fits: (n: number) => boolean): number {
  if (fits(most)) return most;
  let [yes, no] = [0, most];
  while (no - yes > 1) {
    const middle = Math.floor((yes + no) / 2);
    if (fits(middle)) yes = middle;
    else no = middle;
  }
  return yes;
}
