/**
 * Philox2x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11) and the Gumbel noise
 * made of it. Counter-based: a draw is a pure function of (seed, position, token), whatever else runs beside it.
 */

const MULTIPLIER = 0xd256d193;
const WEYL = 0x9e3779b9;

/** High 32 bits of the 64-bit product of two u32, by 16-bit halves (as a GPU without wide multiplication does it). */
export function mulHi(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const low = aLow * bLow;
  const middle = aHigh * bLow + Math.floor(low / 0x10000);
  const other = aLow * bHigh + (middle % 0x10000);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000)) >>> 0;
}

/** Both output words for counter (c0, c1) under `key`. All u32. */
export function philox2x32(c0: number, c1: number, key: number): [number, number] {
  let [x0, x1, k] = [c0 >>> 0, c1 >>> 0, key >>> 0];
  for (let round = 0; round < 10; round++) {
    [x0, x1] = [(mulHi(MULTIPLIER, x0) ^ k ^ x1) >>> 0, Math.imul(MULTIPLIER, x0) >>> 0];
    k = (k + WEYL) >>> 0;
  }
  return [x0, x1];
}

/**
 * The random word of a draw: first output of Philox with counter (token, position) and
 * key = seedLo ^ (seedHi · 0x9E3779B9 mod 2³²).
 * @param position of the token to be drawn, in its lane.
 */
export function philox(seedLo: number, seedHi: number, position: number, token: number): number {
  const key = (seedLo ^ Math.imul(seedHi, WEYL)) >>> 0;
  return philox2x32(token, position, key)[0];
}

/** u = (top 24 bits of `word` + ½) · 2⁻²⁴, in (0, 1). */
export function uniform(word: number): number {
  return ((word >>> 8) + 0.5) * 2 ** -24;
}

/** Standard Gumbel variate −ln(−ln u) of token `token` at `position` under a seed of up to 53 bits. */
export function gumbel(seed: number, position: number, token: number): number {
  const seedHi = Math.floor(seed / 2 ** 32);
  return -Math.log(-Math.log(uniform(philox(seed % 2 ** 32, seedHi, position, token))));
}
