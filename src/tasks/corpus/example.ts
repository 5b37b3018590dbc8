/** One line of the corpus: a problem, how it is to be thought about, and the thought and answer that are to be learnt. */
import { ReckonError } from '../../errors.ts';
import type { Random } from '../random.ts';
import {
  FITTING,
  type Length,
  type Level,
  type Manner,
  type Reconsidering,
  type Step,
  stepsOf,
  type TracedTask,
} from '../traced.ts';
import type { Problem } from '../types.ts';
import {
  GRADE_QUESTION,
  LEVEL_QUESTION,
  renderTurns,
  SYSTEM_PROMPTS,
  type Turn,
  unfinished,
  WITHOUT_THINKING,
} from './chat.ts';
import { corruptLast } from './corrupt.ts';
import { drawProblem, problemHash } from './split.ts';
import { encodeFamily } from './vocabulary.ts';

/** `auto`: the length that suits the problem. `grade`, `grades`, `judge`: questions answered without thinking. */
export const STYLES = ['auto', 'full', 'pruned', 'grade', 'judge', 'grades'] as const;
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
  /** With style `grades`: what was asked and answered before `graded`, which goes on from there. */
  readonly before?: readonly GradedSteps[];
  /** Null where the answer comes without thinking. */
  readonly thinking: string | null;
  readonly answer: string;
  /** Numbers of the lines that are not to be learnt: wrong on purpose, or the end of a thought that did not end by itself. */
  readonly unsound: readonly number[];
  /** Numbers of lines, and how many of their first characters are not to be learnt: see {@link Step.unlearnt}. */
  readonly unlearnt?: readonly (readonly [line: number, characters: number])[];
  /** Of the canonical problem, in hexadecimal. */
  readonly hash: string;
}

/** Steps in a row, and the score of the last. */
export interface GradedSteps {
  readonly graded: readonly string[];
  readonly answer: string;
}

/** Names of shares: of styles, of what reconsiders, and of thoughts that are cut off. */
export type ShareName = 'full' | 'pruned' | 'grade' | 'judge' | 'grades' | 'late' | 'recheck' | 'cut';
/** In percent. The rest of the styles is `auto`, the rest of the traces does not reconsider and comes to its end. */
export type Shares = Readonly<Record<ShareName, number>>;

export const SHARES: Shares = { full: 25, pruned: 15, grade: 8, judge: 4, grades: 0, late: 8, recheck: 4, cut: 0 };

function draw<T extends string>(random: Random, shares: readonly (readonly [T, number])[], otherwise: T): T {
  let at = random.below(10_000) / 100;
  for (const [name, share] of shares) if ((at -= share) < 0) return name;
  return otherwise;
}

const user = (content: string): Turn => ({ role: 'user', content });

/** Steps, and the question about the last of them. */
export function gradeTurns(steps: readonly string[]): Turn[] {
  return [{ role: 'assistant', content: unfinished(steps) }, user(GRADE_QUESTION)];
}

/** The turns before the last one that is learnt. */
export function turnsOf({ system, prompt, style, graded, before = [] }: Example): Turn[] {
  if (style === 'judge') return [user(`${LEVEL_QUESTION} ${prompt}`)];
  if (graded) {
    const earlier = before.flatMap(({ graded, answer }): Turn[] => [
      ...gradeTurns(graded),
      { role: 'assistant', content: `${WITHOUT_THINKING}${answer}` },
    ]);
    return [user(prompt), ...earlier, ...gradeTurns(graded)];
  }
  return system === undefined ? [user(prompt)] : [{ role: 'system', content: system }, user(prompt)];
}

/** The whole example as text: what is read, and what is to be learnt behind it. */
export function renderExample(example: Example): { read: string; learnt: string } {
  const { thinking, answer } = example;
  return {
    read: renderTurns(turnsOf(example), thinking !== null),
    learnt: `${thinking === null ? '' : `${thinking}\n</think>\n`}${answer}<|im_end|>`,
  };
}

/** Among what is read, answers to earlier questions. Split by it, every other part is one. */
const EARLIER_GRADE = /(?<=<\/think>\n)(\d)(?=<\|im_end\|>)/u;

/**
 * Token ids, and for each whether it is learnt: prompts are not, nor lines that are not to be; of several grades every one is,
 * the earlier ones without the end of their turn.
 */
export function encodeExample(example: Example): { ids: number[]; learnt: boolean[] } {
  const { read, learnt } = renderExample(example);
  const ids: number[] = [];
  const mask: boolean[] = [];
  const add = (text: string, sound: boolean) => {
    for (const id of encodeFamily(text)) {
      ids.push(id);
      mask.push(sound);
    }
  };
  for (const [i, part] of read.split(EARLIER_GRADE).entries()) add(part, i % 2 === 1);
  for (const [line, text] of learnt.split(/(?<=\n)/u).entries()) {
    const [, unlearnt] = example.unlearnt?.find(([number]) => number === line) ?? [line, 0];
    add(text.slice(0, unlearnt), false);
    add(text.slice(unlearnt), !example.unsound.includes(line));
  }
  return { ids, learnt: mask };
}

/** The last of some steps, made wrong as often as not, and its score. */
function graded(task: TracedTask, problem: Problem, lines: readonly string[], random: Random): GradedSteps {
  const wrong = random.below(2) === 0 ? corruptLast(task, problem, lines, random) : null;
  const check = wrong?.check ?? task.check(problem, lines).at(-1);
  return { graded: wrong ? [...lines.slice(0, -1), wrong.line] : lines, answer: String(check?.score ?? 0) };
}

/** Steps up to a random one, which is wrong as often as not, and its score. */
export function gradeQuestion(task: TracedTask, problem: Problem, steps: readonly Step[], random: Random) {
  const lines = steps.slice(0, 1 + random.below(steps.length)).map(({ text }) => text);
  return graded(task, problem, lines, random);
}

/**
 * Questions about half of the steps. A question costs as much reading as the thought before it: asked one behind the other, all of
 * a thought's questions cost little more. Behind a wrong step comes the right one.
 */
function gradeQuestions(task: TracedTask, problem: Problem, steps: readonly Step[], random: Random): GradedSteps[] {
  const lines = steps.map(({ text }) => text);
  const questions: GradedSteps[] = [];
  let from = 0;
  for (let to = 1; to <= lines.length; to++) {
    if (to < lines.length && random.below(2) === 0) continue;
    const question = graded(task, problem, lines.slice(0, to), random);
    questions.push({ ...question, graded: question.graded.slice(from) });
    from = question.graded.at(-1) === lines[to - 1] ? to : to - 1;
  }
  return questions;
}

/**
 * An example for training: its problem is none of those held out.
 *
 * @param manner its search may last up to `endurance` times as long as usual, each length alike.
 */
export function makeExample(
  task: TracedTask,
  difficulty: number,
  random: Random,
  shares: Shares = SHARES,
  { endurance = 1, foolish = 0, restless = false }: Manner = {},
): Example {
  const problem = drawProblem(task, difficulty, random, false);
  const level = task.level(problem);
  const style = draw<Style>(
    random,
    (['full', 'pruned', 'grade', 'judge', 'grades'] as const).map((name) => [name, shares[name]]),
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
    style === 'grade' || style === 'grades'
      ? 'none'
      : draw<Reconsidering>(
          random,
          (['late', 'recheck'] as const).map((name) => [name, shares[name]]),
          'none',
        );
  const lasting = endurance === 1 ? 1 : random.between(100, Math.round(100 * endurance)) / 100;
  const manner = { endurance: lasting, foolish, restless };
  const drawn = task.trace(problem, random, wanted, manner);
  const trace = drawn ?? task.trace(problem, random, 'none', manner);
  if (!trace) throw new ReckonError('internal', `${task.id} has no trace of ${JSON.stringify(problem.prompt)}.`);
  if (style === 'grade') {
    return { ...base, ...gradeQuestion(task, problem, trace.steps, random), thinking: null };
  }
  if (style === 'grades') {
    const questions = gradeQuestions(task, problem, trace.steps, random);
    return { ...base, ...(questions.at(-1) as GradedSteps), before: questions.slice(0, -1), thinking: null };
  }
  const length: Length = style === 'auto' ? FITTING[level] : style;
  const whole = stepsOf(trace, length);
  // Nothing is drawn where nothing is cut, so that a corpus without is what it was before thoughts could be.
  const cut = shares.cut > 0 && whole.length > 1 && random.below(10_000) < 100 * shares.cut;
  const steps = cut ? whole.slice(0, 1 + random.below(whole.length - 1)) : whole;
  return {
    ...base,
    reconsidering: drawn ? wanted : 'none',
    ...(style === 'auto' ? {} : { system: SYSTEM_PROMPTS[style] }),
    thinking: steps.map(({ text }) => text).join('\n'),
    answer: trace.answer,
    ...(foolish > 0 || restless
      ? { unlearnt: steps.flatMap(({ unlearnt = 0 }, i) => (unlearnt > 0 ? [[i, unlearnt] as const] : [])) }
      : {}),
    // Cut off, the thought is closed by whoever set the limit: when to close is not learnt, but what to answer then.
    unsound: [...steps.flatMap(({ sound }, i) => (sound === false ? [i] : [])), ...(cut ? [steps.length] : [])],
  };
}
