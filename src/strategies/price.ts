/**
 * What a lane's next tokens may cost, from what its last ones did. Bounds, not guesses:
 * - A row's cost is a + b·length with a, b ≥ 0 (dense attention; less under sparse), so it grows at most in proportion to
 *   the length.
 * - What lanes share (reading the weights) is split over those in the step: when B lanes become B', a row costs at most
 *   B / B' times as much.
 */

/** A measured cost per row: of rows around `length`, with `lanes` lanes running. */
interface Sample {
  readonly perRow: number;
  readonly length: number;
  readonly lanes: number;
}

/** Where a measurement begins. */
interface Mark {
  readonly amount: number;
  readonly count: number;
  readonly length: number;
  readonly lanes: number;
}

export class Price {
  #sample: Sample;
  #mark: Mark | null = null;

  /** @param perRow cost of a row around `length`, `lanes` lanes running. */
  constructor(perRow: number, length: number, lanes = 1) {
    this.#sample = { perRow, length, lanes };
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
    this.#sample = { perRow, length: Math.max(1, (mark.length + length) / 2), lanes: mark.lanes };
  }

  /** Cost per row and token of length. */
  #slope(lanes: number): number {
    const { perRow, length, lanes: then } = this.#sample;
    return (perRow * Math.max(1, then / Math.max(1, lanes))) / length;
  }

  /** The most that `rows` rows behind `length` tokens may cost. */
  cost(rows: number, length: number, lanes: number): number {
    return this.#slope(lanes) * rows * (length + (rows + 1) / 2);
  }

  /** How many rows behind `length` tokens surely cost no more than `amount`. */
  rows(amount: number, length: number, lanes: number): number {
    const slope = this.#slope(lanes);
    if (amount <= 0) return 0;
    if (slope === 0) return Number.POSITIVE_INFINITY;
    const half = length + 0.5;
    return Math.max(0, Math.floor(Math.sqrt(half * half + (2 * amount) / slope) - half));
  }
}
