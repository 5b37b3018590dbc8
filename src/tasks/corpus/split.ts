/** Which problems are kept for evaluation: decided by a hash of the problem itself, so that no list has to be kept. */
import { ReckonError } from '../../errors.ts';
import { Random } from '../random.ts';
import type { TracedTask } from '../traced.ts';
import type { Problem } from '../types.ts';

/** One canonical problem in so many is held out. */
const HELD_OUT_ONE_IN = 16;
/** Draws before a task is taken to have no problem on the wanted side. */
const PATIENCE = 100_000;

function fnv(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // FNV's low bits mix poorly: finished as in MurmurHash3.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** 64 bits of the canonical problem, in hexadecimal. Problems that differ in names or wording alone have the same. */
export function problemHash(task: TracedTask, problem: Problem): string {
  const text = `${task.id}/${task.canonical(problem)}`;
  return [0x811c9dc5, 0x01234567].map((basis) => fnv(text, basis).toString(16).padStart(8, '0')).join('');
}

export function isHeldOutHash(hash: string): boolean {
  return Number.parseInt(hash.slice(0, 8), 16) % HELD_OUT_ONE_IN === 0;
}

/** True for problems that training never sees. */
export function isHeldOut(task: TracedTask, problem: Problem): boolean {
  return isHeldOutHash(problemHash(task, problem));
}

/** 53 bits. */
export function drawSeed(random: Random): number {
  return (random.uint32() >>> 11) * 2 ** 32 + random.uint32();
}

/**
 * A random problem of one side of the split.
 * @throws ReckonError `internal` where none turns up in very many draws.
 */
export function drawProblem(task: TracedTask, difficulty: number, random: Random, heldOut: boolean): Problem {
  for (let draw = 0; draw < PATIENCE; draw++) {
    const problem = task.generate(drawSeed(random), difficulty);
    if (isHeldOut(task, problem) === heldOut) return problem;
  }
  throw new ReckonError('internal', `No problem of ${task.id}/${difficulty} is on this side of the split.`);
}

/**
 * Problem number `index` of a task and difficulty: held out, for evaluation, or seen in training, for reinforcement. The
 * same for ever, so that whoever evaluates, in whatever program, asks the same.
 */
export function numberedProblem(task: TracedTask, difficulty: number, index: number, heldOut: boolean): Problem {
  const stream = `${heldOut ? 'evaluation' : 'reinforcement'}/${task.id}/${difficulty}`;
  return drawProblem(task, difficulty, Random.fromSeed(index, stream), heldOut);
}
