/**
 * What a lane's next tokens may cost, from what its last ones did. Bounds where there are some:
 * - A row's cost is a + b·length with a, b ≥ 0 (dense attention; less under sparse), so it grows at most in proportion to
 *   the length; where b was measured, at most by twice that.
 * - What lanes share (reading the weights) is split over those in the step: when B lanes become B', a row costs at most
 *   B / B' times as much.
 */

/** Lengths closer than this say nothing of growth: pages and splits of the cache make steps. */
const APART = 16;
/** Measured growth is trusted up to this factor. */
const GROWTH = 2;

/** Rows around `length` cost `perRow` each, `lanes` lanes running. */
export interface RowSample {
  readonly perRow: number;
  readonly length: number;
}

/** Where a measurement begins. */
interface Mark {
  readonly amount: number;
  readonly count: number;
  readonly length: number;
  readonly lanes: number;
}

/** The growth of a row's cost per token of length; infinite where the samples do not tell. */
function growth(one: RowSample, other: RowSample): number {
  const apart = other.length - one.length;
  return apart < APART ? Number.POSITIVE_INFINITY : Math.max(0, (GROWTH * (other.perRow - one.perRow)) / apart);
}

export class Price {
  #sample: RowSample;
  #growth: number;
  /** Lanes that ran when the sample was taken. */
  #lanes = 1;
  #mark: Mark | null = null;
  /** The last sample is of decoding, and comparable with the next. */
  #decoded = false;

  /** @param samples what rows cost at one or two lengths, the longer last, computed alone. */
  constructor(samples: readonly [RowSample, ...RowSample[]]) {
    this.#sample = samples.at(-1) as RowSample;
    this.#growth = growth(samples[0], this.#sample);
  }

  /** A measurement begins: `amount` spent so far, `count` rows drawn from, at this length. */
  begin(amount: number, count: number, length: number, lanes: number): void {
    this.#mark = { amount, count, length, lanes };
  }

  /** The measurement begun ends. One without draws says nothing. */
  end(amount: number, count: number, length: number): void {
    const mark = this.#mark;
    this.#mark = null;
    if (!mark || count <= mark.count || amount <= mark.amount) return;
    const perRow = (amount - mark.amount) / (count - mark.count);
    // Draws behind a stop lie beyond the length; the shorter length gives the higher bound.
    const sample = { perRow, length: Math.max(1, (mark.length + length) / 2) };
    if (this.#decoded && mark.lanes === this.#lanes) {
      const grown = growth(this.#sample, sample);
      if (Number.isFinite(grown)) this.#growth = grown;
    }
    this.#sample = sample;
    this.#lanes = mark.lanes;
    this.#decoded = true;
  }

  /** A row behind L tokens costs at most `base` + `slope` · L. */
  #line(lanes: number): { base: number; slope: number } {
    const { perRow, length } = this.#sample;
    const shared = Math.max(1, this.#lanes / Math.max(1, lanes));
    const slope = Math.min(this.#growth, perRow / Math.max(1, length));
    return { base: (perRow - slope * length) * shared, slope: slope * shared };
  }

  /** The most that `rows` rows behind `length` tokens may cost. */
  cost(rows: number, length: number, lanes: number): number {
    const { base, slope } = this.#line(lanes);
    return rows * (base + slope * (length + (rows + 1) / 2));
  }

  /** How many rows behind `length` tokens surely cost no more than `amount`. */
  rows(amount: number, length: number, lanes: number): number {
    if (amount <= 0) return 0;
    const { base, slope } = this.#line(lanes);
    const first = base + slope * (length + 0.5);
    if (first === 0) return Number.POSITIVE_INFINITY;
    // The positive root of slope/2 · r² + first · r = amount, in the form that does not cancel.
    return Math.floor((2 * amount) / (first + Math.sqrt(first * first + 2 * slope * amount)));
  }
}
