/** Makes a step wrong in one place, so that a grade has something to find. */
import { NAMES } from '../islanders/wording.ts';
import type { Random } from '../random.ts';
import type { StepCheck, TracedTask } from '../traced.ts';
import type { Problem } from '../types.ts';

/** Words that stand for each other. */
const EXCHANGED: readonly (readonly string[])[] = [
  ['knight', 'knave'],
  ['T', 'F', '?'],
  ['yes', 'no'],
  ['and', 'or'],
  ['+', '-', '*'],
];
const ATTEMPTS = 20;

function exchange(piece: string, names: readonly string[], random: Random): string | null {
  if (/^\d$/.test(piece)) return String((Number(piece) + 1 + random.below(9)) % 10);
  const choices = names.includes(piece) ? names : EXCHANGED.find((group) => group.includes(piece));
  const others = choices?.filter((other) => other !== piece) ?? [];
  return others.length === 0 ? null : random.pick(others);
}

/**
 * The last of `lines`, made wrong, with what the checker says of it; null where no attempt was wrong.
 */
export function corruptLast(
  task: TracedTask,
  problem: Problem,
  lines: readonly string[],
  random: Random,
): { line: string; check: StepCheck } | null {
  const last = lines.at(-1) ?? '';
  const pieces = last.match(/[A-Za-z]+|\d|[^A-Za-z\d]/g) ?? [];
  const names = NAMES.filter((name) => problem.prompt.includes(name));
  for (let attempt = 0; attempt < ATTEMPTS && pieces.length > 0; attempt++) {
    const at = random.below(pieces.length);
    const other = exchange(pieces[at] as string, names, random);
    if (other === null) continue;
    const line = [...pieces.slice(0, at), other, ...pieces.slice(at + 1)].join('');
    const check = task.check(problem, [...lines.slice(0, -1), line]).at(-1);
    if (check && !check.valid) return { line, check };
  }
  return null;
}
