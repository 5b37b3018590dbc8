/** Which tasks and difficulties a corpus holds, and how much of each. */
import { ReckonError } from '../../errors.ts';
import { tracedTaskById, tracedTasks } from '../index.ts';
import type { Random } from '../random.ts';
import type { TracedTask } from '../traced.ts';
import { SHARES, type Shares } from './example.ts';

export interface MixCell {
  readonly task: TracedTask;
  readonly difficulty: number;
  /** Its share, relative to the others'. */
  readonly weight: number;
}

/** Shares of examples by task, spread evenly over its difficulties. */
const WEIGHTS: Readonly<Record<string, number>> = { kk: 3, countdown: 3, arithmetic: 2, recall: 1 };

function cellsOf(task: TracedTask, difficulties: readonly number[], weight: number): MixCell[] {
  return difficulties.map((difficulty) => ({ task, difficulty, weight: weight / difficulties.length }));
}

export function defaultMix(): MixCell[] {
  return tracedTasks.flatMap((task) => cellsOf(task, task.difficulties, WEIGHTS[task.id] ?? 1));
}

const ENTRY = /^([a-z]+)(?::(\d+)(?:-(\d+))?)?(?:=(\d+(?:\.\d+)?))?$/u;

/**
 * A mix as written on a command line: `kk:2-4=3,countdown:3`, each entry a task, its difficulties (default all) and its
 * weight (default 1).
 * @throws ReckonError `bad-option` naming the entry.
 */
export function parseMix(text: string): MixCell[] {
  return text.split(',').flatMap((entry) => {
    const match = ENTRY.exec(entry.trim());
    if (!match) {
      throw new ReckonError('bad-option', `${JSON.stringify(entry)} is no part of a mix.`, {
        hint: 'Write, for example, kk:2-4=3,countdown:3: a task, its difficulties, its weight.',
      });
    }
    const [, id, low, high, weight] = match;
    const task = tracedTaskById(id as string);
    const [first, last] = [Number(low ?? 0), Number(high ?? low ?? Number.POSITIVE_INFINITY)];
    const difficulties = task.difficulties.filter((difficulty) => difficulty >= first && difficulty <= last);
    if (difficulties.length === 0 || Number(weight ?? 1) <= 0) {
      throw new ReckonError('bad-option', `${JSON.stringify(entry)} asks for nothing.`, {
        hint: `${task.id} has the difficulties ${task.difficulties.join(', ')}; weights are above 0.`,
      });
    }
    return cellsOf(task, difficulties, Number(weight ?? 1));
  });
}

export function drawCell(mix: readonly MixCell[], random: Random): MixCell {
  const total = mix.reduce((sum, { weight }) => sum + weight, 0);
  let at = (random.uint32() / 2 ** 32) * total;
  return mix.find(({ weight }) => (at -= weight) < 0) ?? (mix.at(-1) as MixCell);
}

/**
 * Shares as written on a command line, in percent: `grade=0,judge=0,late=12`; what is not named stays as it is.
 * @throws ReckonError `bad-option` naming the entry, or shares that are more than all.
 */
export function parseShares(text: string): Shares {
  const shares = { ...SHARES };
  const names = Object.keys(SHARES) as (keyof Shares)[];
  for (const entry of text.split(',')) {
    const [name, value] = entry.split('=').map((part) => part.trim());
    const known = names.find((one) => one === name);
    if (!known || value === undefined || !/^\d{1,3}(?:\.\d{1,2})?$/.test(value)) {
      throw new ReckonError('bad-option', `${JSON.stringify(entry)} is no share.`, {
        hint: `Write, for example, grade=0,late=12: ${names.join(', ')}, in percent.`,
      });
    }
    shares[known] = Number(value);
  }
  const { full, pruned, grade, judge, grades, late, recheck, cut } = shares;
  if (full + pruned + grade + judge + grades > 100 || late + recheck > 100 || cut > 100) {
    throw new ReckonError('bad-option', 'The shares come to more than 100 %.', {
      hint: 'full, pruned, grade, judge and grades share the examples; late and recheck share the traces, and cut is of all traces.',
    });
  }
  return shares;
}
