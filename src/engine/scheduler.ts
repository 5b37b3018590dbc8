/**
 * Continuous batching: whatever lanes want rows this step go to the GPU together. Lanes join and leave at any step;
 * prompts are fed in chunks beside those that decode; a few steps are under way at any time, and their draws are handed
 * out when they arrive.
 */
import { ReckonError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';
import { PAGE_SIZE } from '../kernels/step.ts';
import { WHOLE } from '../ledger/step-costs.ts';
import type { Decoder } from '../model/decoder.ts';
import type { RunningLedger } from './lane-ledger.ts';
import type { Pages } from './pages.ts';
import { type LanePart, type PlannedSample, StepPlan } from './plan.ts';
import type { Sequence } from './sequence.ts';
import { Stepper, type StepRecord } from './stepper.ts';
import type { Task } from './task.ts';
import { yieldToHost } from './yield.ts';

/** Steps under way at most: enough to hide the way back, few enough to stop soon. */
const DEPTH = 4;

export class Scheduler {
  readonly #gpu: Gpu;
  readonly #decoder: Decoder;
  readonly #stepper: Stepper;
  readonly #plan: StepPlan;
  readonly #pages: Pages;
  readonly #ledger: RunningLedger;
  readonly #freeSlots: number[] = [];
  /** Tasks with a slot, in order of arrival; and those waiting for one. */
  readonly #running: Task[] = [];
  readonly #waiting: Task[] = [];
  readonly #listeners = new Set<(record: StepRecord) => void>();
  #order = 0;
  #looping = false;
  /** Fulfilled when the oldest step under way has been handed out. */
  readonly #underWay: Promise<void>[] = [];

  constructor(gpu: Gpu, decoder: Decoder, pages: Pages, ledger: RunningLedger) {
    this.#gpu = gpu;
    this.#decoder = decoder;
    this.#pages = pages;
    this.#ledger = ledger;
    this.#stepper = new Stepper(gpu, decoder, DEPTH);
    this.#plan = new StepPlan(decoder.limits, decoder.config);
    for (let slot = decoder.limits.slots - 1; slot >= 0; slot--) this.#freeSlots.push(slot);
    pages.onWritable = (task, from, to) => this.#showPages(task, from, to);
    gpu.onFailure((error) => this.#failAll(error));
  }

  /** Begins a task; it joins the next step that has room. */
  start(task: Task): void {
    this.#gpu.throwIfFailed();
    task.order = this.#order++;
    task.onDone = () => this.#retire(task);
    this.#waiting.push(task);
    if (!this.#looping) {
      this.#looping = true;
      void this.#loop();
    }
  }

  /** Whether lanes with common pages read them together. */
  get sharePrompt(): boolean {
    return this.#plan.share;
  }

  set sharePrompt(share: boolean) {
    this.#plan.share = share;
  }

  onStep(listener: (record: StepRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #loop(): Promise<void> {
    try {
      while (this.#running.length > 0 || this.#waiting.length > 0) {
        // Lanes that were just told something may be about to ask for more: let them join this step.
        await yieldToHost();
        if (this.#stepper.free === 0) {
          await this.#underWay[0];
          continue;
        }
        this.#gpu.throwIfFailed();
        this.#admit();
        this.#makePlan();
        if (!this.#plan.empty) this.#submit();
        const dropped = this.#dropPreempted();
        if (!this.#plan.empty || dropped) continue;
        if (this.#underWay.length > 0) await this.#underWay[0];
        else if (this.#running.length > 0 || this.#waiting.length > 0) this.#resolveStall();
      }
      // Steps may still be under way for tasks that ended early; they hold the read-back ring.
      await Promise.all(this.#underWay);
    } catch (error) {
      this.#failAll(asError(error));
    } finally {
      this.#looping = false;
      if (this.#waiting.length > 0 && !this.#gpu.failure) {
        this.#looping = true;
        void this.#loop();
      }
    }
  }

  /** Gives slots to waiting tasks, in order of arrival. None overtakes a preempted one, or that might wait for ever. */
  #admit(): void {
    while (this.#waiting.length > 0 && this.#freeSlots.length > 0) {
      const task = this.#waiting[0]!;
      if (task.preempted) {
        if (!this.#pages.mayResume(task, this.#running)) break;
        task.preempted = false;
        this.#pages.reuse(task.sequence);
        task.restart();
      }
      this.#waiting.shift();
      task.slot = this.#freeSlots.pop()!;
      this.#running.push(task);
      this.#stepper.setPages(task.slot, 0, task.sequence.pages.pages);
      // Its biases may not fit beside those of other lanes: then it alone fails.
      const { sampling } = task;
      if (sampling) this.#tryPlan(task, () => this.#decoder.setSampling(task.slot, sampling, task.sequence.tokens));
    }
  }

  #makePlan(): void {
    const plan = this.#plan;
    plan.reset();
    // Copies: a task may end, or be preempted for another's pages, while the step is planned.
    for (const task of byFamily(this.#running)) this.#tryPlan(task, () => task.planDecode(plan, this.#pages));
    for (const task of [...this.#running]) this.#tryPlan(task, () => task.planReplay(plan, this.#pages));
    for (const task of [...this.#running]) {
      if (plan.parts.has(task.sequence)) continue;
      const rows = Math.min(plan.freeRows, this.#decoder.limits.maxRows);
      if (rows > 0) this.#tryPlan(task, () => task.planPrefill(plan, rows, this.#pages));
    }
    // Where not all fit into one step, none is left behind for good.
    if (this.#running.length > 1) this.#running.push(this.#running.shift()!);
    plan.listDecode();
    plan.copies = this.#pages.takeCopies();
  }

  #tryPlan(task: Task, work: () => void): void {
    if (task.done || task.preempted) return;
    try {
      work();
    } catch (error) {
      task.fail(asError(error));
    }
  }

  /** Moves preempted tasks from the running to the waiting, by age, once nothing of theirs is under way. */
  #dropPreempted(): boolean {
    let dropped = false;
    for (let i = this.#running.length - 1; i >= 0; i--) {
      const task = this.#running[i]!;
      if (!task.preempted || task.inFlight > 0) continue;
      this.#running.splice(i, 1);
      this.#freeSlot(task);
      task.sequence.pages.truncate(0);
      const younger = this.#waiting.findIndex(({ order }) => order > task.order);
      this.#waiting.splice(younger < 0 ? this.#waiting.length : younger, 0, task);
      dropped = true;
    }
    return dropped;
  }

  #submit(): void {
    const { costs, record, results } = this.#stepper.submit(this.#plan);
    const planned = this.#plan.planned;
    const parts = [...this.#plan.parts];
    this.#charge(costs, parts);
    const tasks = new Set<Task>(planned.map(({ task }) => task));
    for (const [sequence] of parts) if (sequence.task) tasks.add(sequence.task);
    for (const task of tasks) task.inFlight++;
    // In the order of submission: not every browser fulfils mappings in it.
    const before = this.#underWay.at(-1);
    const done = Promise.all([results, before])
      .then(
        ([draws]) => {
          this.#handOut(planned, draws);
          for (const task of tasks) {
            task.inFlight--;
            task.settled();
          }
          for (const listener of this.#listeners) listener(record);
        },
        (error: unknown) => {
          for (const task of tasks) task.inFlight--;
          this.#failAll(this.#gpu.failure ?? asError(error));
        },
      )
      .finally(() => {
        this.#underWay.splice(this.#underWay.indexOf(done), 1);
      });
    this.#underWay.push(done);
  }

  #handOut(planned: readonly PlannedSample[], draws: Uint32Array): void {
    const logprobs = new Float32Array(draws.buffer, draws.byteOffset, draws.length);
    for (let i = 0; i < planned.length; i++) {
      const { task, tag } = planned[i]!;
      const logprob = logprobs[i * 2 + 1]!;
      if (Number.isNaN(logprob)) task.fail(nothingToDraw(task));
      else task.deliver(tag, draws[i * 2]!, logprob);
    }
  }

  /** Splits the step's cost over its lanes. */
  #charge(costs: Parameters<RunningLedger['add']>[0], parts: readonly [Sequence, LanePart][]): void {
    const { rows, logitRows } = this.#plan.shape;
    const total = { attended: 0, denseAttended: 0, searched: 0 };
    for (const [, part] of parts) {
      total.attended += part.attended;
      total.denseAttended += part.denseAttended;
      total.searched += part.searched;
    }
    const of = (part: number, whole: number) => (whole > 0 ? part / whole : 0);
    let sampled = 0;
    for (const [sequence, part] of parts) {
      sampled += part.sampled;
      const fractions = {
        rows: part.rows / rows,
        attended: of(part.attended, total.attended),
        denseAttended: of(part.denseAttended, total.denseAttended),
        searched: of(part.searched, total.searched),
        logits: of(part.logits, logitRows),
      };
      sequence.ledger.add(costs, fractions, part.rows, part.sampled);
    }
    this.#ledger.add(costs, WHOLE, rows, sampled);
  }

  #showPages(task: Task, from: number, to: number): void {
    const first = Math.floor(from / PAGE_SIZE);
    this.#stepper.setPages(task.slot, first, task.sequence.pages.pages.slice(first, Math.ceil(to / PAGE_SIZE)));
  }

  #retire(task: Task): void {
    const running = this.#running.indexOf(task);
    if (running >= 0) {
      this.#running.splice(running, 1);
      this.#freeSlot(task);
    }
    const waiting = this.#waiting.indexOf(task);
    if (waiting >= 0) this.#waiting.splice(waiting, 1);
    if (task.sequence.task === task) task.sequence.task = null;
  }

  #freeSlot(task: Task): void {
    // What is under way for this slot was submitted before anything its next holder will upload.
    if (task.sampling) this.#decoder.clearSampling(task.slot);
    this.#freeSlots.push(task.slot);
    task.slot = -1;
  }

  /** Nothing under way and nothing to plan, though tasks remain: the oldest cannot go on, so it is told why. */
  #resolveStall(): void {
    const task = this.#running[0] ?? this.#waiting[0];
    task?.fail(
      new ReckonError('over-capacity', 'The KV cache is full and no other lane can give pages up.', {
        hint: 'Use fewer lanes, shorter ones, or load the model with more memory for KV (kvBytes).',
      }),
    );
  }

  #failAll(error: Error): void {
    for (const task of [...this.#running, ...this.#waiting]) task.fail(error);
  }
}

/** The tasks in their order, those whose lanes begin with the same page side by side: they may read it together. */
function byFamily(tasks: readonly Task[]): Task[] {
  const families = new Map<number, Task[]>();
  for (const task of tasks) {
    // Lanes without pages are each a family of their own.
    const first = task.sequence.pages.pages[0] ?? -1 - families.size;
    const family = families.get(first);
    if (family) family.push(task);
    else families.set(first, [task]);
  }
  return [...families.values()].flat();
}

function nothingToDraw(task: Task): ReckonError {
  return new ReckonError('gpu-validation', `Lane ${task.sequence.id} has no token to draw: no finite logit is left.`, {
    hint: 'The weights may be damaged or overflow in f16: try precision f32, or check the biases.',
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new ReckonError('internal', String(error), { cause: error });
}
