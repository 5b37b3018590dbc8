/** Two runs of one experiment, under settings that an experiment does not name: what differs between them, problem by problem. */
import { ReckonError } from '../errors.ts';
import { Gathered, type Group, groupName, groupsOf } from './gather.ts';
import { type Selection, selectionAccuracy } from './selection.ts';
import { Bootstrap, type Interval, mean, wilson } from './statistics.ts';
import type { StoredResults } from './store.ts';
import { derivedSeed } from './units.ts';

/** Accuracies of the same problems in both runs: means over problems. `mean`, `low` and `high` are of the second less the first. */
export interface Difference extends Interval {
  /** "countdown/3", or "all". */
  readonly group: string;
  readonly thinking: number;
  readonly kv: string;
  readonly n: number;
  /** Problems that both runs have. */
  readonly problems: number;
  readonly first: number;
  readonly second: number;
  readonly mean: number;
  /** Problems whose accuracy is not the same. */
  readonly changed: number;
}

/**
 * Differences with intervals of 95 %, over problems: the luck of which problems were drawn, and of the random streams, which are
 * the same in both runs, falls away. Where no problem changed, as far as Wilson's interval allows that some would.
 * @throws ReckonError `bad-option` where the runs are of different experiments.
 */
export function differencesOf(
  first: StoredResults,
  second: StoredResults,
  selection: Selection = 'coverage',
): Difference[] {
  const { experiment } = first.header;
  if (JSON.stringify({ ...experiment, model: '' }) !== JSON.stringify({ ...second.header.experiment, model: '' })) {
    throw new ReckonError('bad-option', 'The two runs are of different experiments.');
  }
  const [one, other] = [new Gathered(first.units), new Gathered(second.units)];
  const groups = groupsOf(experiment);
  const views: Group[][] = groups.map((group) => [group]);
  if (groups.length > 1) views.push(groups);

  /** Accuracies of a group's problems that are in both. */
  const pairs = (group: Group, thinking: number, kv: string, n: number): [number, number][] => {
    const there = new Map(other.cell(group, thinking, kv).map((problem) => [problem.index, problem]));
    return one.cell(group, thinking, kv).flatMap((problem): [number, number][] => {
      const same = there.get(problem.index);
      if (!same) return [];
      const seed = derivedSeed(experiment.seed, `sets/${groupName(group)}/${problem.index}/${n}`);
      const of = ({ samples }: typeof problem) => selectionAccuracy(samples, n, seed)[selection];
      return [[of(problem), of(same)]];
    });
  };
  return experiment.kv.flatMap((kv) =>
    experiment.thinking.flatMap((thinking) =>
      experiment.n.flatMap((n) =>
        views.flatMap((parts) => {
          const strata = parts.map((group) => pairs(group, thinking, kv, n));
          const all = strata.flat();
          if (all.length === 0) return [];
          const differences = all.map(([a, b]) => b - a);
          const changed = differences.filter((difference) => difference !== 0).length;
          const most = wilson(0, all.length).high;
          const sizes = strata.map(({ length }) => length);
          const interval =
            changed === 0
              ? { low: -most, high: most }
              : new Bootstrap(sizes, experiment.resamples, experiment.seed).interval(differences);
          return {
            group: groupName(parts.length === 1 ? (parts[0] as Group) : null),
            thinking,
            kv,
            n,
            problems: all.length,
            first: mean(all.map(([a]) => a)),
            second: mean(all.map(([, b]) => b)),
            mean: mean(differences),
            ...interval,
            changed,
          };
        }),
      ),
    ),
  );
}
