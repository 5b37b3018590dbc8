/** One line of the corpus: a problem, how it is to be thought about, and the thought and answer that are to be learnt. */
import { ReckonError } from '../../errors.ts';
import type { Random } from '../random.ts';
import {
  FITTING,
  type Length,
  type Level,
  type Reconsidering,
  type Step,
  stepsOf,
  type TracedTask,
} from '../traced.ts';
import type { Problem } from '../types.ts';
import { GRADE_QUESTION, LEVEL_QUESTION, renderTurns, SYSTEM_PROMPTS, type Turn, unfinished } from './chat.ts';
import { corruptLast } from './corrupt.ts';
import { drawProblem, problemHash } from './split.ts';
import { encodeFamily } from './vocabulary.ts';

/** `auto`: the length that suits the problem. `grade`, `judge`: questions answered without thinking. */
export const STYLES = ['auto', 'full', 'pruned', 'grade', 'judge'] as const;
export type Style = (typeof STYLES)[number];

export interface Example {
  readonly task: string;
  readonly difficulty: number;
  readonly level: Level;
  readonly style: Style;
  /** Whether the thought comes to a wrong end first, or checks a right one. */
  readonly reconsidering: Reconsidering;
  readonly system?: string;
  /** The problem. */
  readonly prompt: string;
  /** With style `grade`: the steps so far, the last of which is graded. */
  readonly graded?: readonly string[];
  /** Null where the answer comes without thinking. */
  readonly thinking: string | null;
  readonly answer: string;
  /** Numbers of the thinking's lines that are wrong on purpose: not to be learnt. */
  readonly unsound: readonly number[];
  /** Of the canonical problem, in hexadecimal. */
  readonly hash: string;
}

/** Shares in percent. The rest of the styles is `auto`, the rest of the traces does not reconsider. */
export type Shares = Readonly<Record<'full' | 'pruned' | 'grade' | 'judge' | 'late' | 'recheck', number>>;

export const SHARES: Shares = { full: 25, pruned: 15, grade: 8, judge: 4, late: 8, recheck: 4 };

function draw<T extends string>(random: Random, shares: readonly (readonly [T, number])[], otherwise: T): T {
  let at = random.below(10_000) / 100;
  for (const [name, share] of shares) if ((at -= share) < 0) return name;
  return otherwise;
}

/** The turns before the one that is learnt. */
export function turnsOf({ system, prompt, style, graded }: Example): Turn[] {
  const user = (content: string): Turn => ({ role: 'user', content });
  if (style === 'judge') return [user(`${LEVEL_QUESTION} ${prompt}`)];
  if (graded) return [user(prompt), { role: 'assistant', content: unfinished(graded) }, user(GRADE_QUESTION)];
  return system === undefined ? [user(prompt)] : [{ role: 'system', content: system }, user(prompt)];
}

/** The whole example as text: what is read, and what is to be learnt. */
export function renderExample(example: Example): { read: string; learnt: string } {
  const { thinking, answer } = example;
  return {
    read: renderTurns(turnsOf(example), thinking !== null),
    learnt: `${thinking === null ? '' : `${thinking}\n</think>\n`}${answer}<|im_end|>`,
  };
}

/** Token ids, and for each whether it is learnt: prompts are not, nor steps that are wrong on purpose. */
export function encodeExample(example: Example): { ids: number[]; learnt: boolean[] } {
  const { read, learnt } = renderExample(example);
  const ids = encodeFamily(read);
  const mask = ids.map(() => false);
  for (const [line, text] of learnt.split(/(?<=\n)/u).entries()) {
    const sound = !example.unsound.includes(line);
    for (const id of encodeFamily(text)) {
      ids.push(id);
      mask.push(sound);
    }
  }
  return { ids, learnt: mask };
}

/** Steps up to a random one, which is wrong as often as not, and its score. */
export function gradeQuestion(task: TracedTask, problem: Problem, steps: readonly Step[], random: Random) {
  const lines = steps.slice(0, 1 + random.below(steps.length)).map(({ text }) => text);
  const wrong = random.below(2) === 0 ? corruptLast(task, problem, lines, random) : null;
  const graded = wrong ? [...lines.slice(0, -1), wrong.line] : lines;
  const check = wrong?.check ?? task.check(problem, lines).at(-1);
  return { graded, answer: String(check?.score ?? 0) };
}

/**
 * An example for training: its problem is none of those held out.
 *
 * @param endurance at least 1. Its search may last up to so many times as long as usual, each length alike.
 */
export function makeExample(
  task: TracedTask,
  difficulty: number,
  random: Random,
  shares: Shares = SHARES,
  endurance = 1,
): Example {
  const problem = drawProblem(task, difficulty, random, false);
  const level = task.level(problem);
  const style = draw<Style>(
    random,
    (['full', 'pruned', 'grade', 'judge'] as const).map((name) => [name, shares[name]]),
    'auto',
  );
  const base = {
    task: task.id,
    difficulty,
    level,
    style,
    reconsidering: 'none' as Reconsidering,
    prompt: problem.prompt,
    unsound: [] as number[],
    hash: problemHash(task, problem),
  };
  if (style === 'judge') return { ...base, thinking: null, answer: level };
  const wanted =
    style === 'grade'
      ? 'none'
      : draw<Reconsidering>(
          random,
          (['late', 'recheck'] as const).map((name) => [name, shares[name]]),
          'none',
        );
  const lasting = endurance === 1 ? 1 : random.between(100, Math.round(100 * endurance)) / 100;
  const drawn = task.trace(problem, random, wanted, lasting);
  const trace = drawn ?? task.trace(problem, random, 'none', lasting);
  if (!trace) throw new ReckonError('internal', `${task.id} has no trace of ${JSON.stringify(problem.prompt)}.`);
  if (style === 'grade') {
    return { ...base, ...gradeQuestion(task, problem, trace.steps, random), thinking: null };
  }
  const length: Length = style === 'auto' ? FITTING[level] : style;
  const steps = stepsOf(trace, length);
  return {
    ...base,
    reconsidering: drawn ? wanted : 'none',
    ...(style === 'auto' ? {} : { system: SYSTEM_PROMPTS[style] }),
    thinking: steps.map(({ text }) => text).join('\n'),
    answer: trace.answer,
    unsound: steps.flatMap(({ sound }, i) => (sound === false ? [i] : [])),
  };
}
