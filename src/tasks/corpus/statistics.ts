/** What searches of a corpus look like: how many steps, how many of them in vain, how long. */
import { Random } from '../random.ts';
import { LEVELS, type Level, type Step, stepsOf, type TracedTask } from '../traced.ts';
import { drawProblem } from './split.ts';
import { encodeFamily } from './vocabulary.ts';

export interface TraceStatistics {
  readonly task: string;
  readonly difficulty: number;
  readonly problems: number;
  /** Steps that try something: all but those that turn back, look again, or look at a statement. Mean over problems. */
  readonly nodes: number;
  /** Share of these that come to nothing: mean over problems, and median. */
  readonly failed: { readonly mean: number; readonly median: number };
  /** Share of problems whose search never failed. */
  readonly straight: number;
  /** Steps that turn back, mean. */
  readonly turns: number;
  /** Tokens of the thinking, told in full and pruned, and of the prompt. */
  readonly full: Spread;
  readonly pruned: Spread;
  readonly prompt: Spread;
  /** Share of problems by level. */
  readonly levels: Readonly<Record<Level, number>>;
}

export interface Spread {
  readonly mean: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * The same figures of the Knights & Knaves corpus of mem-kk-logic as shipped with Logic-RL: 900 training puzzles of each size,
 * nodes and share of failed ones.
 */
export const PUBLISHED_KNIGHTS: Readonly<Record<number, { nodes: number; failed: number }>> = {
  3: { nodes: 5.93, failed: 0.401 },
  4: { nodes: 8.53, failed: 0.4419 },
  5: { nodes: 10.76, failed: 0.4545 },
  6: { nodes: 13.69, failed: 0.479 },
  7: { nodes: 16.31, failed: 0.4882 },
};

const TURN = /^(?:back|Wait)\b|reconsider/u;
/** Steps that read what is given, or look at it under what is supposed. */
const LOOK = / says /u;

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] as number;
  return { mean: average(values), p99: at(0.99), max: at(1) };
}

function tokens(steps: readonly Step[]): number {
  return encodeFamily(steps.map(({ text }) => text).join('\n')).length;
}

/** Over so many problems of one task and difficulty, none of them held out. */
export function traceStatistics(task: TracedTask, difficulty: number, problems: number, seed: number): TraceStatistics {
  const random = Random.fromSeed(seed, `statistics/${task.id}/${difficulty}`);
  const rows = Array.from({ length: problems }, () => {
    const problem = drawProblem(task, difficulty, random, false);
    const trace = task.trace(problem, random);
    const steps = trace?.steps ?? [];
    const nodes = steps.filter(({ text }) => !TURN.test(text) && !LOOK.test(text));
    const failed = nodes.filter(({ role }) => role === 'failure' || role === 'detour').length;
    return {
      nodes: nodes.length,
      failed: failed / nodes.length,
      turns: steps.filter(({ text }) => TURN.test(text)).length,
      full: tokens(steps),
      pruned: trace ? tokens(stepsOf(trace, 'pruned')) : 0,
      prompt: encodeFamily(problem.prompt).length,
      level: task.level(problem),
    };
  });
  const failed = rows.map((row) => row.failed).sort((a, b) => a - b);
  const share = (level: Level) => rows.filter((row) => row.level === level).length / problems;
  return {
    task: task.id,
    difficulty,
    problems,
    nodes: average(rows.map((row) => row.nodes)),
    failed: { mean: average(failed), median: failed[Math.floor(problems / 2)] as number },
    straight: rows.filter((row) => row.failed === 0).length / problems,
    turns: average(rows.map((row) => row.turns)),
    full: spread(rows.map((row) => row.full)),
    pruned: spread(rows.map((row) => row.pruned)),
    prompt: spread(rows.map((row) => row.prompt)),
    levels: Object.fromEntries(LEVELS.map((level) => [level, share(level)])) as Record<Level, number>,
  };
}
