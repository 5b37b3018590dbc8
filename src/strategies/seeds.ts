/** The random streams of a run: one base seed, one seed per lane. */
const MASK64 = (1n << 64n) - 1n;

/** SplitMix64's output function (Steele, Lea and Flood, 2014). */
function mix64(x: bigint): bigint {
  let z = x & MASK64;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK64;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK64;
  return z ^ (z >> 31n);
}

/**
 * The seed of lane `lane`: the base seed itself for lane 0, and for lane i > 0 the upper 53 bits of
 * mix64(base + i · 0x9e3779b97f4a7c15 mod 2^64). So lane i does not depend on how many lanes there are, and a chain of
 * thought with a candidate's seed repeats that candidate.
 * @param base whole number from 0 to 2^53 − 1.
 */
export function laneSeed(base: number, lane: number): number {
  if (lane === 0) return base;
  return Number(mix64(BigInt(base) + BigInt(lane) * 0x9e3779b97f4a7c15n) >> 11n);
}

/** A fresh base seed of 53 random bits. */
export function randomSeed(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2)) as unknown as [number, number];
  return (high >>> 11) * 2 ** 32 + low;
}
