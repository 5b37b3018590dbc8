/**
 * Repeated passages in a stream of tokens. A passage is n tokens in a row; it repeats when the same n tokens stood
 * somewhere before, overlapping or not. After "Demystifying Long CoT" (arXiv 2502.03373), whose dense penalty it gives too.
 */

/** An odd multiplier for a polynomial hash modulo 2^32. */
const BASE = 0x01000193;

/** Remembers every passage of `n` tokens; constant work a token. */
export class RepeatDetector {
  readonly #n: number;
  readonly #lead: number;
  readonly #tokens: number[] = [];
  /** hashes[i]: of the passage that ends at token i. */
  readonly #hashes: number[] = [];
  /** Ends of the passages with a hash, in order. */
  readonly #ends = new Map<number, number[]>();
  #hash = 0;

  constructor(n: number) {
    this.#n = n;
    let lead = 1;
    for (let i = 0; i < n; i++) lead = Math.imul(lead, BASE);
    this.#lead = lead;
  }

  get length(): number {
    return this.#tokens.length;
  }

  /** Takes a token. True when the passage it ends stood before. */
  push(token: number): boolean {
    const end = this.#tokens.length;
    this.#tokens.push(token);
    const gone = end >= this.#n ? this.#tokens[end - this.#n]! + 1 : 0;
    this.#hash = (Math.imul(this.#hash, BASE) + token + 1 - Math.imul(gone, this.#lead)) | 0;
    this.#hashes.push(this.#hash);
    if (end + 1 < this.#n) return false;
    const ends = this.#ends.get(this.#hash);
    if (!ends) {
      this.#ends.set(this.#hash, [end]);
      return false;
    }
    const repeats = ends.some((other) => this.#same(other, end));
    ends.push(end);
    return repeats;
  }

  /** Forgets the tokens from `length` on. */
  truncate(length: number): void {
    for (let end = this.#tokens.length - 1; end >= length; end--) {
      const hash = this.#hashes.pop()!;
      this.#tokens.pop();
      if (end + 1 < this.#n) continue;
      const ends = this.#ends.get(hash)!;
      ends.pop();
      if (ends.length === 0) this.#ends.delete(hash);
    }
    this.#hash = this.#hashes.at(-1) ?? 0;
  }

  #same(one: number, other: number): boolean {
    for (let i = 0; i < this.#n; i++) if (this.#tokens[one - i] !== this.#tokens[other - i]) return false;
    return true;
  }
}

/** `penalty` on every token of every passage of `n` tokens that stood before, 0 elsewhere; passages do not add up. */
export function denseRepetition(tokens: readonly number[], n: number, penalty: number): number[] {
  const detector = new RepeatDetector(n);
  const penalties = new Array<number>(tokens.length).fill(0);
  for (const [end, token] of tokens.entries()) if (detector.push(token)) penalties.fill(penalty, end - n + 1, end + 1);
  return penalties;
}
