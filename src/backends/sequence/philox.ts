/**
 * Random numbers of draws on the host: Philox2x32-10 (Salmon et al., SC 2011) keyed by seed, counted by token and position, as
 * on the GPU (shaders/lib/philox.wesl): a seed means the same stream whatever computes the logits.
 */
const MULTIPLIER = 0xd256d193;
const WEYL = 0x9e3779b9;
const ROUNDS = 10;

/** No draw's variate lies outside: u has 24 bits. */
export const GUMBEL_RANGE = { min: -2.86, max: 17.34 } as const;

/** High word of a · b, both u32. */
function highWord(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  // Each sum stays below 2³²: (2¹⁶ − 1)² + 2 (2¹⁶ − 1) = 2³² − 1.
  const low = aHigh * bLow + ((aLow * bLow) >>> 16);
  const middle = aLow * bHigh + (low & 0xffff);
  return (aHigh * bHigh + (low >>> 16) + (middle >>> 16)) >>> 0;
}

/** First output word of the counter (`token`, `position`). */
export function philoxWord(key: number, token: number, position: number): number {
  let [x, y, k] = [token >>> 0, position >>> 0, key >>> 0];
  for (let round = 0; round < ROUNDS; round++) {
    const high = highWord(MULTIPLIER, x);
    y ^= high ^ k;
    x = Math.imul(MULTIPLIER, x);
    // The halves change places.
    [x, y] = [y >>> 0, x >>> 0];
    k = (k + WEYL) >>> 0;
  }
  return x;
}

/** Standard Gumbel variate of a token at a position. */
export function gumbel(key: number, token: number, position: number): number {
  const u = ((philoxWord(key, token, position) >>> 8) + 0.5) * 2 ** -24;
  return -Math.log(-Math.log(u));
}
