/** The ways to choose N of S samples: all of them where they are few, random ones otherwise. */
import { Random } from '../tasks/index.ts';

/** Binomial coefficient, or Infinity once it is past `limit`. */
function setCount(of: number, n: number, limit: number): number {
  let count = 1;
  for (let i = 1; i <= Math.min(n, of - n); i++) {
    count = (count * (of - i + 1)) / i;
    if (count > limit) return Number.POSITIVE_INFINITY;
  }
  return Math.round(count);
}

/** All sets of `n` out of `of`, each rising; the same array is filled anew. */
function* allSets(of: number, n: number): Generator<Uint32Array> {
  const chosen = Uint32Array.from({ length: n }, (_, i) => i);
  for (;;) {
    yield chosen;
    let i = n - 1;
    while (i >= 0 && chosen[i] === of - n + i) i--;
    if (i < 0) return;
    let next = (chosen[i] as number) + 1;
    for (; i < n; i++) chosen[i] = next++;
  }
}

/** Random sets of `n` out of `of` (Floyd's sampling), each rising. */
function* randomSets(of: number, n: number, count: number, seed: number): Generator<Uint32Array> {
  const random = Random.fromSeed(seed, 'lab/sets');
  for (let round = 0; round < count; round++) {
    const chosen = new Set<number>();
    for (let top = of - n; top < of; top++) {
      const draw = random.below(top + 1);
      chosen.add(chosen.has(draw) ? top : draw);
    }
    yield Uint32Array.from(chosen).sort();
  }
}

/**
 * Sets of `n` out of `of` indices, each rising: every one where there are at most `most`, else as many random ones. The same
 * array may come again with other contents.
 */
export function sets(of: number, n: number, most: number, seed: number): Iterable<Uint32Array> {
  return setCount(of, n, most) <= most ? allSets(of, n) : randomSets(of, n, most, seed);
}
