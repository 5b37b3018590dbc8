/** A corpus, example by example: each follows from the seed and its number alone. */
import { Random } from '../random.ts';
import type { Manner } from '../traced.ts';
import { type Example, encodeExample, makeExample, SHARES, type Shares } from './example.ts';
import { drawCell, type MixCell } from './mix.ts';

export interface CorpusOptions {
  readonly seed: number;
  readonly mix: readonly MixCell[];
  readonly shares?: Shares;
  /** Searches of an example last up to `endurance` times their usual length. */
  readonly manner?: Manner;
  /** Longest example, in tokens; a longer one is drawn anew. */
  readonly context: number;
}

export interface CorpusItem {
  readonly example: Example;
  readonly ids: readonly number[];
  readonly learnt: readonly boolean[];
}

/** Example number `index` of a corpus. */
export function corpusItem(
  { seed, mix, shares = SHARES, manner = {}, context }: CorpusOptions,
  index: number,
): CorpusItem {
  for (let draw = 0; ; draw++) {
    const random = Random.fromSeed(seed, `corpus/${index}/${draw}`);
    const { task, difficulty } = drawCell(mix, random);
    const example = makeExample(task, difficulty, random, shares, manner);
    const { ids, learnt } = encodeExample(example);
    if (ids.length <= context) return { example, ids, learnt };
  }
}
