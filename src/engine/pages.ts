/**
 * Where the scheduler's pages come from when the pool runs dry: first what only the prefix cache holds, then the KV of
 * lanes that do not run (their tokens are kept; it is computed again when they go on), then the youngest running lane is
 * preempted.
 */
import { isReckonError } from '../errors.ts';
import { PAGE_SIZE } from '../kernels/step.ts';
import type { PageCopy, PagePool, PrefixCache } from '../kv/index.ts';
import type { Sequence } from './sequence.ts';
import type { PageKeeper, Task } from './task.ts';

/** Pages beyond its length that a preempted lane waits for, so that it is not preempted again at once. */
const RESUME_MARGIN = 4;

export class Pages implements PageKeeper {
  readonly #pool: PagePool;
  readonly #prefix: PrefixCache;
  readonly #sequences: ReadonlySet<Sequence>;
  #copies: PageCopy[] = [];
  /** Told after positions [from, to) became writable: the block table may have changed there. */
  onWritable: (task: Task, from: number, to: number) => void = () => {};

  constructor(pool: PagePool, prefix: PrefixCache, sequences: ReadonlySet<Sequence>) {
    this.#pool = pool;
    this.#prefix = prefix;
    this.#sequences = sequences;
  }

  prepare(task: Task, from: number, to: number): boolean {
    const needed = Math.ceil((to - from) / PAGE_SIZE) + 1;
    while (true) {
      try {
        for (const copy of task.sequence.pages.prepareWrite(from, to)) this.#copies.push(copy);
        this.onWritable(task, from, to);
        return true;
      } catch (error) {
        if (!isReckonError(error, 'over-capacity')) throw error;
        // Pages freed now could be handed out while a copy of this step still has to read them: next step, then.
        if (this.#copies.length > 0) return false;
        if (this.#prefix.evict(needed) > 0 || this.#dropIdle()) continue;
        // Pages are on their way; a second victim, or this task itself, would be preempted for nothing.
        if (this.#anyLeaving()) return false;
        const victim = this.#youngestRunning();
        // Alone and still too long: nothing will ever free a page for it.
        if (!victim || (victim === task && !this.#othersHoldPages(task))) throw error;
        victim.preempted = true;
        return false;
      }
    }
  }

  /** Page copies that the coming step must do first. */
  takeCopies(): PageCopy[] {
    const copies = this.#copies;
    this.#copies = [];
    return copies;
  }

  /** Whether a preempted task should try again beside those that run, which may still have to compute their own KV. */
  mayResume(task: Task, running: readonly Task[]): boolean {
    let free = this.#pool.free;
    for (const { sequence } of running) free -= Math.max(0, pagesOf(sequence) - sequence.pages.pages.length);
    return running.length === 0 || free >= pagesOf(task.sequence) + RESUME_MARGIN;
  }

  /** Lets a task that lost its KV start from what the prefix cache still has of its prompt. */
  reuse(sequence: Sequence): void {
    // Only what was computed densely the first time: cached prefixes are.
    const dense = Math.min(sequence.tokens.length, sequence.history.denseUntil(0) + 1);
    const { pages, length } = this.#prefix.match(sequence.tokens.slice(0, dense));
    sequence.adopt(pages, length);
  }

  /** Drops the KV of a lane that is not running: the idle one opened last, else the youngest that waits for its turn. */
  #dropIdle(): boolean {
    let found: Sequence | null = null;
    let age = Number.NEGATIVE_INFINITY;
    for (const sequence of this.#sequences) {
      const { task, pages } = sequence;
      if (pages.pages.length === 0 || (task && task.slot >= 0)) continue;
      const order = task?.order ?? Number.POSITIVE_INFINITY;
      if (order < age) continue;
      found = sequence;
      age = order;
    }
    found?.pages.truncate(0);
    return found !== null;
  }

  /** Whether a preempted task still holds pages, until what is under way for it has come back. */
  #anyLeaving(): boolean {
    for (const { task, pages } of this.#sequences) if (task?.preempted && pages.pages.length > 0) return true;
    return false;
  }

  #youngestRunning(): Task | null {
    let found: Task | null = null;
    for (const { task } of this.#sequences) {
      if (!task || task.done || task.preempted || task.slot < 0) continue;
      if (!found || task.order > found.order) found = task;
    }
    return found;
  }

  #othersHoldPages(task: Task): boolean {
    for (const sequence of this.#sequences) {
      if (sequence !== task.sequence && sequence.pages.length > 0) return true;
    }
    return false;
  }
}

/** Pages that all tokens of a lane take. */
function pagesOf({ tokens }: Sequence): number {
  return Math.ceil(tokens.length / PAGE_SIZE);
}
