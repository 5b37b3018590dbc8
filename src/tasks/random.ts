/**
 * The generator behind every problem: xoshiro128** (Blackman and Vigna, 2018), its state filled by SplitMix32 from the
 * seed and a stream name. Integer arithmetic only, so a seed names the same problem on every machine, for ever; changing
 * anything here renames all problems and breaks the golden tests on purpose.
 */
import { checkNumber } from '../errors.ts';

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

/** FNV-1a over the UTF-16 units of a name. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** A finaliser with full avalanche on 32 bits. */
function mix(x: number): number {
  let z = x;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}

export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  private constructor(state: readonly [number, number, number, number]) {
    [this.#a, this.#b, this.#c, this.#d] = state;
  }

  /**
   * @param seed whole number from 0 to 2^53 − 1.
   * @param stream names an independent sequence of the same seed ("countdown/3").
   * @throws ReckonError `bad-option` for any other seed.
   */
  static fromSeed(seed: number, stream = ''): Random {
    checkNumber('seed', seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
    const high = Math.floor(seed / 2 ** 32);
    let word = mix((seed >>> 0) ^ mix(high ^ mix(hashName(stream))));
    const next = () => mix((word = (word + 0x9e3779b9) >>> 0));
    const state: [number, number, number, number] = [next(), next(), next(), next()];
    // The all-zero state is the generator's only fixed point.
    if ((state[0] | state[1] | state[2] | state[3]) === 0) state[0] = 1;
    return new Random(state);
  }

  /** From four raw state words, not all zero: for checking against published outputs. */
  static fromState(state: readonly [number, number, number, number]): Random {
    return new Random(state);
  }

  /** Next 32 uniform bits. */
  uint32(): number {
    const result = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = rotateLeft(this.#d, 11);
    return result;
  }

  /** Uniform in 0 … bound − 1, without modulo bias. `bound` is a whole number from 1 to 2^32. */
  below(bound: number): number {
    checkNumber('bound', bound, { min: 1, max: 2 ** 32, integer: true });
    // Draws at and above the largest multiple of `bound` would favour small results; they are drawn again.
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let draw = this.uint32();
    while (draw >= limit) draw = this.uint32();
    return draw % bound;
  }

  /** Uniform in `low` … `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** One element, uniformly. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** A shuffled copy (Fisher–Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const copy = [...items];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const held = copy[i] as T;
      copy[i] = copy[j] as T;
      copy[j] = held;
    }
    return copy;
  }
}
