import { describe, expect, it } from 'vitest';
import { differencesOf, type StoredResults, wilson } from '../../src/lab/index.ts';
import { madeResults } from './made.ts';

/** Problem 0 of Countdown with another number of right chains, of four. */
function changed(results: StoredResults, right: number): StoredResults {
  const units = results.units.map((unit) =>
    unit.task === 'countdown' && unit.index === 0
      ? { ...unit, samples: unit.samples.map((sample, i) => ({ ...sample, correct: i < right })) }
      : unit,
  );
  return { ...results, units };
}

describe('two runs of one experiment', () => {
  const results = madeResults();
  const find = (second: StoredResults, group: string, n: number) =>
    differencesOf(results, second).find((one) => one.group === group && one.n === n && one.thinking === 4);

  it('differ as far as their problems do', () => {
    // Countdown: none and two of four right; then one and two. By n = 2: 0, 5/6; then 1/2, 5/6.
    const second = changed(results, 1);
    const one = find(second, 'countdown/3', 1)!;
    expect(one).toMatchObject({ problems: 2, first: 0.25, second: 0.375, mean: 0.125, changed: 1 });
    // Of two problems with differences of a quarter and none, drawn with replacement.
    expect([one.low, one.high]).toEqual([0, 0.25]);
    expect(find(second, 'countdown/3', 2)!.mean).toBeCloseTo(0.25, 12);
    expect(find(second, 'all', 1)).toMatchObject({ problems: 4, mean: 0.0625, changed: 1 });
  });

  it('are not taken to be the same for being so on a few problems', () => {
    const most = wilson(0, 2).high;
    expect(find(results, 'knights/2', 1)).toMatchObject({ mean: 0, low: -most, high: most, changed: 0 });
  });

  it('pair problems that both have, and nothing of different experiments', () => {
    const partly = {
      ...results,
      units: results.units.filter(({ task, index }) => task !== 'countdown' || index === 1),
    };
    expect(find(partly, 'countdown/3', 1)).toMatchObject({ problems: 1, first: 0.5, second: 0.5 });
    const { experiment } = results.header;
    const other = { ...results, header: { ...results.header, experiment: { ...experiment, answer: 7 } } };
    expect(() => differencesOf(results, other)).toThrow(/different experiments/);
  });
});
