/**
 * What a lane wants from the coming steps. A task is asked for rows when a step is planned, and told its draws when they
 * have been read back, in the same order.
 */

import { FORCED, type ResolvedSampling } from '../kernels/sample.ts';
import { NO_WRITE, PAGE_SIZE } from '../kernels/step.ts';
import type { Sparsity } from './attention.ts';
import type { StepPlan } from './plan.ts';
import type { Sequence } from './sequence.ts';

/** The pages a task needs; the scheduler provides them and may throw `over-capacity`. */
export interface PageKeeper {
  /** Makes positions [from, to) of the sequence writable. False: not now, try at a later step. */
  prepare(task: Task, from: number, to: number): boolean;
}

export abstract class Task {
  readonly sequence: Sequence;
  /** Place of the lane's state on the GPU while it runs; −1 before. */
  slot = -1;
  /** Steps submitted with draws of this task that have not been read back. */
  inFlight = 0;
  /** When it began to wait, in order of arrival: the youngest is preempted first. */
  order = 0;
  /** Set while its KV is to be dropped: no new rows until nothing is in flight. */
  preempted = false;
  done = false;
  /** Told by the scheduler to let go of the slot. */
  onDone: (task: Task) => void = () => {};

  constructor(sequence: Sequence) {
    this.sequence = sequence;
  }

  /** Adds one decode row if the task is at that point. */
  abstract planDecode(plan: StepPlan, pages: PageKeeper): void;
  /**
   * Computes again, as decode rows, what sparse decode rows had left in the cache before it was dropped. At most one of
   * the three puts rows of a task into a step: the rows of a lane then lie side by side, in order, as summaries need them.
   * @returns rows added.
   */
  planReplay(plan: StepPlan, pages: PageKeeper): number {
    const { sequence } = this;
    const { history, tokens } = sequence;
    const from = sequence.pages.length;
    const policies: Sparsity[] = [];
    for (let policy = history.sparseAt(from); policy && policies.length < plan.freeRows; ) {
      policies.push(policy);
      policy = history.sparseAt(from + policies.length);
    }
    if (policies.length === 0 || !pages.prepare(this, from, from + policies.length)) return 0;
    const slots = this.kvSlots(from, from + policies.length, from);
    let count = 0;
    for (; count < policies.length && plan.fitsRow(from + count, policies[count]!); count++) {
      plan.addDecodeRow(this, from + count, tokens[from + count]!, slots[count]!, policies[count]!);
    }
    if (count > 0) sequence.pages.commit(from + count);
    return count;
  }

  /** Adds up to `rows` prefill rows. */
  abstract planPrefill(plan: StepPlan, rows: number, pages: PageKeeper): void;
  /** A draw came back. */
  abstract deliver(tag: number, token: number, logprob: number): void;
  /** A step of the task was read back; its draws have been delivered. */
  settled(): void {}
  /** Its KV was dropped with nothing in flight: it starts again from the tokens the lane holds. */
  restart(): void {}
  abstract fail(error: Error): void;
  /** Sampling settings for the slot, if the task draws. */
  readonly sampling: ResolvedSampling | null = null;

  /** KV places of positions [from, to): NO_WRITE for those that are there already. */
  protected kvSlots(from: number, to: number, computed: number): number[] {
    const slots: number[] = [];
    const { pages } = this.sequence.pages;
    for (let p = from; p < to; p++) {
      slots.push(p < computed ? NO_WRITE : pages[Math.floor(p / PAGE_SIZE)]! * PAGE_SIZE + (p % PAGE_SIZE));
    }
    return slots;
  }

  /**
   * Feeds known tokens [from, to) as prefill rows: pages prepared, KV places resolved, KV marked as there.
   * @returns index of the first row, or −1 when pages must be waited for.
   */
  protected feed(plan: StepPlan, from: number, to: number, pages: PageKeeper): number {
    const { sequence } = this;
    const computed = sequence.pages.length;
    if (to > computed && !pages.prepare(this, Math.max(from, computed), to)) return -1;
    const first = plan.addPrefill(this, from, sequence.tokens.slice(from, to), this.kvSlots(from, to, computed));
    if (to > computed) sequence.pages.commit(to);
    sequence.history.note(to, null);
    return first;
  }
}

/** Log-probabilities wanted along the way: of `targets` after the token at `position`. */
export interface Wanted {
  position: number;
  targets: readonly number[];
}

/** Computes KV for tokens the lane holds, up to `end`, and log-probabilities of given tokens along the way. */
export class FeedTask extends Task {
  readonly result: Promise<Float32Array>;
  readonly #end: number;
  readonly #wanted: readonly Wanted[];
  readonly #logprobs: Float32Array;
  #at: number;
  #nextWanted = 0;
  #tag = 0;
  #resolve!: (logprobs: Float32Array) => void;
  #reject!: (error: Error) => void;

  /** `wanted` in ascending order of position, all below `end`. */
  constructor(sequence: Sequence, end: number, wanted: readonly Wanted[] = []) {
    super(sequence);
    this.#end = end;
    this.#wanted = wanted;
    this.#at = Math.min(sequence.pages.length, wanted[0]?.position ?? end);
    this.#logprobs = new Float32Array(wanted.reduce((sum, { targets }) => sum + targets.length, 0));
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.result.catch(() => {});
  }

  /** Nothing to compute: finishes without a step. */
  get trivial(): boolean {
    return this.#at >= this.#end;
  }

  planDecode(): void {}

  override planReplay(plan: StepPlan, pages: PageKeeper): number {
    const rows = super.planReplay(plan, pages);
    if (rows > 0)
      this.#at = Math.min(this.sequence.pages.length, this.#wanted[this.#nextWanted]?.position ?? this.#end);
    return rows;
  }

  planPrefill(plan: StepPlan, rows: number, pages: PageKeeper): void {
    // KV dropped by preemption is computed again from the start; log-probabilities already delivered are not wanted twice.
    const from = Math.min(this.#at, this.sequence.pages.length);
    if (this.#at >= this.#end) return;
    const to = this.#cut(from, Math.min(this.#end, from + rows, this.sequence.history.denseUntil(from)), plan);
    if (to <= from) return;
    const first = this.feed(plan, from, to, pages);
    if (first < 0) return;
    for (; this.#nextWanted < this.#wanted.length; this.#nextWanted++) {
      const { position, targets } = this.#wanted[this.#nextWanted]!;
      if (position >= to) break;
      const logits = plan.addLogits(this.sequence, first + position - from);
      for (const target of targets) plan.addSample(this, logits, target, FORCED, this.#tag++);
    }
    this.#at = to;
  }

  /** Ends a chunk where the step's room for logits ends. */
  #cut(from: number, to: number, plan: StepPlan): number {
    let room = plan.limits.maxLogitRows - plan.shape.logitRows;
    let draws = plan.limits.maxSamples - plan.shape.samples;
    for (let i = this.#nextWanted; i < this.#wanted.length; i++) {
      const { position, targets } = this.#wanted[i]!;
      if (position >= to) break;
      room--;
      draws -= targets.length;
      if (room < 0 || draws < 0) return Math.max(from, position);
    }
    return to;
  }

  deliver(tag: number, _token: number, logprob: number): void {
    this.#logprobs[tag] = logprob;
  }

  /** At least one row is left, even where all KV is there again: a step of the task is what finishes it. */
  override restart(): void {
    const { length } = this.sequence.pages;
    this.#at = Math.min(length, this.#wanted[this.#nextWanted]?.position ?? this.#end, this.#end - 1);
  }

  override settled(): void {
    if (this.#at >= this.#end && this.inFlight === 0) this.finish();
  }

  finish(): void {
    if (this.done) return;
    this.done = true;
    this.onDone(this);
    this.#resolve(this.#logprobs);
  }

  fail(error: Error): void {
    if (this.done) return;
    this.done = true;
    this.onDone(this);
    this.#reject(error);
  }
}
