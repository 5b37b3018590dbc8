/** Which bytes of a file are here: a set of ranges, sorted, with gaps between them. */

export interface Interval {
  readonly start: number;
  /** Behind the last. */
  readonly end: number;
}

export class Intervals {
  #ranges: Interval[] = [];

  /** Adds a range; an empty one is none. */
  add(start: number, end: number): void {
    if (end <= start) return;
    const before = this.#ranges.filter((range) => range.end < start);
    const behind = this.#ranges.filter((range) => range.start > end);
    const touched = this.#ranges.slice(before.length, this.#ranges.length - behind.length);
    const joined = {
      start: Math.min(start, ...touched.map((range) => range.start)),
      end: Math.max(end, ...touched.map((range) => range.end)),
    };
    this.#ranges = [...before, joined, ...behind];
  }

  clear(): void {
    this.#ranges = [];
  }

  get ranges(): readonly Interval[] {
    return this.#ranges;
  }

  /** Bytes that are here. */
  get size(): number {
    return this.#ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** Bytes from the beginning without a gap. */
  get prefix(): number {
    const [first] = this.#ranges;
    return first?.start === 0 ? first.end : 0;
  }

  /** Whether all of `start` to `end` is here. */
  covers(start: number, end: number): boolean {
    return end <= start || this.#ranges.some((range) => range.start <= start && range.end >= end);
  }

  /** What is missing of the first `size` bytes, in pieces of at most `most` bytes, in order. */
  *gaps(size: number, most = Number.POSITIVE_INFINITY): Generator<Interval, void, undefined> {
    let position = 0;
    for (const { start, end } of [...this.#ranges, { start: size, end: size }]) {
      for (const stop = Math.min(start, size); position < stop; ) {
        const next = Math.min(position + most, stop);
        yield { start: position, end: next };
        position = next;
      }
      position = Math.max(position, end);
    }
  }
}
