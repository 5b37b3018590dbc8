/**
 * What the embedded models know of thinking, measured on held-out problems: do they grade steps as the checker does, judge how
 * hard a problem is, and mend a thought that went wrong when they are told to look again?
 */
import type { Engine, Lane } from '../engine/types.ts';
import {
  gradeQuestion,
  gradeTurns,
  LEVEL_QUESTION,
  numberedProblem,
  renderTurns,
  type Turn,
} from '../tasks/corpus/index.ts';
import { Random, type TracedTask } from '../tasks/index.ts';
import { LEVELS, SCORES, stepsOf } from '../tasks/traced.ts';
import { extractAnswer } from '../text/answer.ts';
import { type Interval, mean, wilson } from './statistics.ts';

export const QUESTIONS = ['grade', 'level', 'wait'] as const;
export type Question = (typeof QUESTIONS)[number];

export interface Share extends Interval {
  readonly mean: number;
  readonly count: number;
}

export interface GradeReport {
  readonly question: 'grade';
  /** Steps asked about, as many wrong ones as the checker finds. */
  readonly asked: number;
  readonly wrong: number;
  /** How often the likeliest digit is 7 or more for a right step, and less for a wrong one. */
  readonly told: Share;
  /** Probability that a right step gets a higher mean score than a wrong one (area under the curve); 0.5 is chance. */
  readonly ranked: number;
  /** The same of the log-probability of a step's least likely token, by the model itself, without asking. */
  readonly rankedByLikelihood: number;
  /** Mean score of right and of wrong steps. */
  readonly scores: { readonly right: number; readonly wrong: number };
  /** Probability that the next token is a digit at all. */
  readonly answers: number;
}

export interface LevelReport {
  readonly question: 'level';
  readonly asked: number;
  readonly told: Share;
  /** What always naming the commonest level would reach. */
  readonly commonest: number;
}

export interface WaitReport {
  readonly question: 'wait';
  /** Thoughts that came to a wrong end, written out before the model. */
  readonly asked: number;
  /** Right answers behind "Wait,". */
  readonly told: Share;
  /** Right answers when the model itself decides how to go on. */
  readonly alone: Share;
}

export type QuestionReport = GradeReport | LevelReport | WaitReport;

export interface QuestionOptions {
  readonly problems: number;
  readonly signal?: AbortSignal;
  readonly onDone?: (done: number) => void;
}

/** Most tokens behind a wrong thought. */
const REST = 512;
/** Draws of a mistake before a problem is taken to give no occasion for one. */
const PATIENCE = 8;
const DIGITS = [...'0123456789'];

function share(right: readonly boolean[]): Share {
  const successes = right.filter(Boolean).length;
  const middle = right.length === 0 ? Number.NaN : successes / right.length;
  const interval = right.length === 0 ? { low: 0, high: 1 } : wilson(successes, right.length);
  return { mean: middle, ...interval, count: right.length };
}

/** Runs `work` on a lane for each item, as many at once as a step has room for. */
async function onLanes<Item, Result>(
  engine: Engine,
  items: readonly Item[],
  { signal, onDone }: QuestionOptions,
  work: (lane: Lane, item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = new Array(items.length);
  let next = 0;
  let done = 0;
  const worker = async () => {
    while (next < items.length && !signal?.aborted) {
      const index = next++;
      const lane = engine.open();
      try {
        results[index] = await work(lane, items[index] as Item);
      } finally {
        lane.dispose();
      }
      onDone?.(++done);
    }
  };
  await Promise.all(Array.from({ length: Math.min(items.length, engine.capacity.maxLanes) }, worker));
  signal?.throwIfAborted();
  return results;
}

function tokenOf(engine: Engine, text: string): number {
  return engine.encode(text)[0] as number;
}

/** Probabilities of single-token answers to a question without thinking; so many characters of it the lane holds already. */
async function chances(engine: Engine, lane: Lane, turns: readonly Turn[], answers: readonly string[], held = 0) {
  await lane.append(renderTurns(turns, false).slice(held));
  return [...(await lane.choose(answers.map((answer) => tokenOf(engine, answer))))];
}

function likeliest(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > (values[best] as number) ? i : best), 0);
}

/** Mann and Whitney's U over the number of pairs: ties count half. */
export function rankedAbove(high: readonly number[], low: readonly number[]): number {
  let sum = 0;
  for (const a of high) for (const b of low) sum += a > b ? 1 : a === b ? 0.5 : 0;
  return sum / (high.length * low.length);
}

async function grade(engine: Engine, task: TracedTask, difficulty: number, options: QuestionOptions) {
  const items = Array.from({ length: options.problems }, (_, i) => {
    const problem = numberedProblem(task, difficulty, i, true);
    const random = Random.fromSeed(i, `questions/grade/${task.id}/${difficulty}`);
    const steps = task.trace(problem, random)?.steps ?? [];
    const { graded, answer } = gradeQuestion(task, problem, steps, random);
    const turns: Turn[] = [{ role: 'user', content: problem.prompt }, ...gradeTurns(graded)];
    const before = `${renderTurns(turns.slice(0, 1), true)}${graded
      .slice(0, -1)
      .map((line) => `${line}\n`)
      .join('')}`;
    return { turns, before, step: graded.at(-1) as string, valid: Number(answer) >= SCORES.astray };
  });
  const rows = await onLanes(engine, items, options, async (lane, { turns, before, step, valid }) => {
    await lane.append(before);
    const likelihood = Math.min(...(await lane.score(engine.encode(step))));
    const probabilities = await chances(engine, lane, turns, DIGITS, before.length);
    const mass = probabilities.reduce((sum, p) => sum + p, 0);
    const score = probabilities.reduce((sum, p, digit) => sum + p * digit, 0) / Math.max(mass, Number.MIN_VALUE);
    return { valid, mass, score, likelihood, accepted: likeliest(probabilities) >= SCORES.astray };
  });
  const of = (valid: boolean, what: 'score' | 'likelihood') =>
    rows.filter((row) => row.valid === valid).map((row) => row[what]);
  const scores = (valid: boolean) => of(valid, 'score');
  return {
    question: 'grade',
    asked: rows.length,
    wrong: scores(false).length,
    told: share(rows.map(({ valid, accepted }) => valid === accepted)),
    ranked: rankedAbove(scores(true), scores(false)),
    rankedByLikelihood: rankedAbove(of(true, 'likelihood'), of(false, 'likelihood')),
    scores: { right: mean(scores(true)), wrong: mean(scores(false)) },
    answers: mean(rows.map(({ mass }) => mass)),
  } satisfies GradeReport;
}

async function level(engine: Engine, task: TracedTask, difficulty: number, options: QuestionOptions) {
  const items = Array.from({ length: options.problems }, (_, i) => numberedProblem(task, difficulty, i, true));
  const rows = await onLanes(engine, items, options, async (lane, problem) => {
    const turns: Turn[] = [{ role: 'user', content: `${LEVEL_QUESTION} ${problem.prompt}` }];
    const named = LEVELS[likeliest(await chances(engine, lane, turns, LEVELS))];
    return { right: named === task.level(problem), level: task.level(problem) };
  });
  const counts = LEVELS.map((name) => rows.filter((row) => row.level === name).length);
  return {
    question: 'level',
    asked: rows.length,
    told: share(rows.map(({ right }) => right)),
    commonest: Math.max(...counts) / rows.length,
  } satisfies LevelReport;
}

/** A thought that came to a wrong end, without its second look. */
function wrongThought(task: TracedTask, difficulty: number, index: number) {
  const problem = numberedProblem(task, difficulty, index, true);
  const random = Random.fromSeed(index, `questions/wait/${task.id}/${difficulty}`);
  for (let draw = 0; draw < PATIENCE; draw++) {
    const trace = task.trace(problem, random, 'late');
    if (!trace) continue;
    const lines = stepsOf(trace, 'full').map(({ text }) => text);
    const thought = lines.slice(
      0,
      lines.findIndex((line) => line.startsWith('Wait,')),
    );
    const read = renderTurns([{ role: 'user', content: problem.prompt }], true);
    return [{ problem, read: `${read}${thought.join('\n')}\n` }];
  }
  return [];
}

async function wait(engine: Engine, task: TracedTask, difficulty: number, options: QuestionOptions) {
  const items = Array.from({ length: options.problems }, (_, i) => wrongThought(task, difficulty, i)).flat();
  const finish = async (lane: Lane, index: number) => {
    let text = '';
    const most = Math.min(REST, engine.capacity.maxContext - lane.length);
    for await (const event of lane.generate({ temperature: 0, maxTokens: most, seed: index })) text += event.text;
    return text.includes('</think>') ? extractAnswer(text) : '';
  };
  const rows = await onLanes(engine, items, options, async (lane, { problem, read }) => {
    await lane.append(read);
    const [told] = lane.fork(1) as [Lane];
    try {
      await told.append('Wait,');
      const answers = await Promise.all([lane, told].map(finish));
      return answers.map((answer) => task.verify(problem, answer).correct);
    } finally {
      told.dispose();
    }
  });
  return {
    question: 'wait',
    asked: rows.length,
    told: share(rows.map(([, told]) => told === true)),
    alone: share(rows.map(([alone]) => alone === true)),
  } satisfies WaitReport;
}

/**
 * Asks about so many numbered problems of the evaluation. The engine's model must speak the chat format of the embedded family.
 */
export function askQuestions(
  engine: Engine,
  question: Question,
  task: TracedTask,
  difficulty: number,
  options: QuestionOptions,
): Promise<QuestionReport> {
  return { grade, level, wait }[question](engine, task, difficulty, options);
}
