/** Accuracy against cost: a point for every group of problems, thinking limit, KV policy and N; and the best of them. */
import { type Account, accountsOf, measuredCost } from './accounts.ts';
import type { Experiment } from './experiment.ts';
import { Gathered, type Group, groupName, groupsOf, type ProblemSamples } from './gather.ts';
import { SELECTIONS, type Selection, selectionAccuracy } from './selection.ts';
import { Bootstrap, type Estimate, type Interval, mean } from './statistics.ts';
import type { StoredResults } from './store.ts';
import { derivedSeed } from './units.ts';

export interface Quantity extends Interval {
  readonly mean: number;
}

/** Best-of-N with one N, under one limit and policy, on one group of problems: means over its problems. */
export interface CurvePoint {
  /** "countdown/3", or "all". */
  readonly group: string;
  readonly thinking: number;
  readonly kv: string;
  readonly n: number;
  readonly problems: number;
  /** Samples drawn for each problem. */
  readonly samples: number;
  readonly accuracy: Readonly<Record<Selection, Estimate>>;
  /**
   * Coverage less that under the experiment's first KV policy, problem by problem: the same problems meet both, so its interval
   * is narrower than those of the two suggest. Null for that policy itself.
   */
  readonly change: Quantity | null;
  /** Tokens of all N chains. */
  readonly tokens: Quantity;
  /** Counted by the ledger for the prompt and N chains. */
  readonly flops: number;
  readonly bytes: number;
  /** By account. */
  readonly eflops: Readonly<Record<string, Quantity>>;
}

export interface Curves {
  /** Names of the groups, "all" last where there are several. */
  readonly groups: readonly string[];
  readonly accounts: readonly { readonly id: string; readonly label: string }[];
  readonly points: readonly CurvePoint[];
}

/** One problem's values at one N. */
interface Row {
  /** Which problem of its group. */
  readonly index: number;
  readonly accuracy: Readonly<Record<Selection, number>>;
  readonly tokens: number;
  readonly flops: number;
  readonly bytes: number;
  readonly eflops: readonly number[];
}

function rowOf(problem: ProblemSamples, n: number, accounts: readonly Account[], seed: number): Row {
  const { samples } = problem;
  return {
    index: problem.index,
    accuracy: selectionAccuracy(samples, n, seed),
    tokens: n * mean(samples.map((sample) => sample.tokens)),
    ...measuredCost(problem, n),
    eflops: accounts.map((account) => account.eflops(problem, n)),
  };
}

function record<K extends string, V>(keys: readonly K[], value: (key: K, index: number) => V): Record<K, V> {
  return Object.fromEntries(keys.map((key, i) => [key, value(key, i)])) as Record<K, V>;
}

/** All points of an experiment. Groups without a finished problem have none. */
export function curvesOf({ header, units }: StoredResults): Curves {
  const { experiment, setting } = header;
  const accounts = accountsOf(experiment.presets, setting);
  const gathered = new Gathered(units);
  const groups = groupsOf(experiment);
  const points: CurvePoint[] = [];
  const rows = new Map<string, Row[]>();
  const at = (group: Group, thinking: number, kv: string, n: number): Row[] => {
    const key = `${groupName(group)}/${thinking}/${kv}/${n}`;
    const known = rows.get(key);
    if (known) return known;
    const made = gathered
      .cell(group, thinking, kv)
      .map((problem) =>
        rowOf(problem, n, accounts, derivedSeed(experiment.seed, `sets/${groupName(group)}/${problem.index}/${n}`)),
      );
    rows.set(key, made);
    return made;
  };
  const views: { name: string; parts: Group[] }[] = groups.map((group) => ({ name: groupName(group), parts: [group] }));
  if (groups.length > 1) views.push({ name: groupName(null), parts: groups });
  for (const { name, parts } of views) {
    points.push(...pointsOf(name, parts, experiment, accounts, at));
  }
  return {
    groups: views.map((view) => view.name),
    accounts: accounts.map(({ id, label }) => ({ id, label })),
    points,
  };
}

function pointsOf(
  group: string,
  parts: readonly Group[],
  experiment: Experiment,
  accounts: readonly Account[],
  at: (group: Group, thinking: number, kv: string, n: number) => Row[],
): CurvePoint[] {
  const bootstraps = new Map<string, Bootstrap>();
  const bootstrapOf = (strata: readonly number[]) => {
    const key = strata.join();
    const made = bootstraps.get(key) ?? new Bootstrap(strata, experiment.resamples, experiment.seed);
    bootstraps.set(key, made);
    return made;
  };
  /** Of the problems that both have; null where there are none. */
  const changeOf = (strata: readonly Row[][], before: readonly Row[][]): Quantity | null => {
    const pairs = strata.map((stratum, i) => {
      const known = new Map(before[i]?.map((row) => [row.index, row.accuracy.coverage]));
      return stratum.flatMap(({ index, accuracy }) => {
        const was = known.get(index);
        return was === undefined ? [] : [accuracy.coverage - was];
      });
    });
    const values = pairs.flat();
    if (values.length === 0) return null;
    return { mean: mean(values), ...bootstrapOf(pairs.map((stratum) => stratum.length)).interval(values) };
  };
  const points: CurvePoint[] = [];
  for (const kv of experiment.kv) {
    for (const thinking of experiment.thinking) {
      for (const n of experiment.n) {
        const strata = parts.map((part) => at(part, thinking, kv, n));
        const rows = strata.flat();
        if (rows.length === 0) continue;
        const bootstrap = bootstrapOf(strata.map((stratum) => stratum.length));
        const quantity = (value: (row: Row) => number): Quantity => {
          const values = rows.map(value);
          return { mean: mean(values), ...bootstrap.interval(values) };
        };
        points.push({
          group,
          thinking,
          kv,
          n,
          problems: rows.length,
          samples: experiment.samples,
          change:
            kv === experiment.kv[0]
              ? null
              : changeOf(
                  strata,
                  parts.map((part) => at(part, thinking, experiment.kv[0] as string, n)),
                ),
          accuracy: record(SELECTIONS, (selection) => bootstrap.accuracy(rows.map((row) => row.accuracy[selection]))),
          tokens: quantity((row) => row.tokens),
          flops: mean(rows.map((row) => row.flops)),
          bytes: mean(rows.map((row) => row.bytes)),
          eflops: record(
            accounts.map(({ id }) => id),
            (_, i) => quantity((row) => row.eflops[i] as number),
          ),
        });
      }
    }
  }
  return points;
}

/**
 * The points that no other beats: none is at least as accurate for less, or more accurate for as much. By rising cost; of
 * equal points the first.
 */
export function paretoFrontier<T>(
  points: readonly T[],
  cost: (point: T) => number,
  accuracy: (point: T) => number,
): T[] {
  const frontier: T[] = [];
  let best = Number.NEGATIVE_INFINITY;
  for (const point of [...points].sort((a, b) => cost(a) - cost(b) || accuracy(b) - accuracy(a))) {
    if (accuracy(point) <= best) continue;
    best = accuracy(point);
    frontier.push(point);
  }
  return frontier;
}
