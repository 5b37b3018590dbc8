/** The GPU side of a step: uploads a plan, records the model over it, submits, and reads the draws back later. */
import { type Gpu, ReadbackRing } from '../gpu/index.ts';
import { ROW_LIST_WORDS, SEARCH_WORDS } from '../kernels/row-lists.ts';
import { RESULT_WORDS } from '../kernels/sample.ts';
import { StepRecorder } from '../kernels/step.ts';
import type { StepCosts } from '../ledger/step-costs.ts';
import type { Decoder } from '../model/decoder.ts';
import type { StepPlan } from './plan.ts';
import { StepTimer } from './step-timer.ts';

/** What was measured of one step. Times in milliseconds. */
export interface StepRecord {
  readonly rows: number;
  readonly decodeRows: number;
  readonly dispatches: number;
  readonly passes: number;
  /** Host time spent uploading, recording and submitting. */
  readonly hostMs: number;
  /** Host time spent recording alone. */
  readonly encodeMs: number;
  /** GPU time by timestamps; null where the device was opened without them. */
  gpuMs: number | null;
  /** From submission until its results were here, steps before it in the queue included. */
  wallMs: number;
  /** What the step itself took: from its submission, or the end of the step before it, until its results were here. */
  stepMs: number;
  readonly flops: number;
  readonly bytes: number;
}

/** A submitted step. */
export interface SubmittedStep {
  readonly costs: StepCosts;
  readonly record: StepRecord;
  /** (token, bits of the log-probability) of each draw, in order. */
  readonly results: Promise<Uint32Array>;
}

export class Stepper {
  readonly #gpu: Gpu;
  readonly #decoder: Decoder;
  readonly #step: StepRecorder;
  readonly #ring: ReadbackRing;
  readonly #timer: StepTimer | null;
  #lastDone = 0;
  readonly #header = new Uint32Array(8);
  /** Host's copy of the block tables: [slot][maxPagesPerLane]. */
  readonly #tables: Uint32Array<ArrayBuffer>;
  /** Per slot, the range of logical pages that differ from the GPU's. */
  readonly #dirty = new Map<number, { from: number; to: number }>();

  constructor(gpu: Gpu, decoder: Decoder, depth: number) {
    this.#gpu = gpu;
    this.#decoder = decoder;
    this.#step = new StepRecorder(gpu);
    const { limits } = decoder;
    this.#timer = gpu.profile.features.timestamps ? new StepTimer(gpu, depth) : null;
    this.#ring = new ReadbackRing(gpu, 'draws', depth, limits.maxSamples * 8 + 16);
    this.#tables = new Uint32Array(limits.slots * limits.maxPagesPerLane);
  }

  /** Steps that may be submitted before one must be read back. */
  get free(): number {
    return this.#ring.available;
  }

  /** Tells which physical pages hold a slot's logical pages [from, …). */
  setPages(slot: number, from: number, pages: readonly number[]): void {
    const base = slot * this.#decoder.limits.maxPagesPerLane;
    for (let i = 0; i < pages.length; i++) this.#tables[base + from + i] = pages[i]!;
    if (pages.length === 0) return;
    const range = this.#dirty.get(slot);
    const to = from + pages.length;
    if (range) {
      range.from = Math.min(range.from, from);
      range.to = Math.max(range.to, to);
    } else this.#dirty.set(slot, { from, to });
  }

  submit(plan: StepPlan): SubmittedStep {
    const started = performance.now();
    const gpu = this.#gpu;
    const { shape } = plan;
    this.#upload(plan);
    const encodeFrom = performance.now();
    const step = this.#step;
    const timing = this.#timer?.next() ?? null;
    step.begin('step', timing?.writes);
    this.#decoder.copyPages(step, plan.copies);
    this.#decoder.record(step, shape, plan.samples);
    const { dispatches } = step.recorder;
    const slot = this.#ring.claim();
    // The plan is reused while this step is under way.
    const words = shape.samples * RESULT_WORDS;
    const bytes = words * 4;
    // A step without draws still reads a word: its completion is how its lanes learn that their KV is there.
    slot.copy(step.recorder, this.#decoder.results, 0, Math.max(8, bytes));
    if (timing) timing.resolve(step.recorder, slot, Math.max(8, bytes));
    const { passes } = step.recorder;
    const commands = step.recorder.finish();
    const encodeMs = performance.now() - encodeFrom;
    gpu.device.queue.submit([commands]);
    const submitted = performance.now();
    const { flops, bytes: moved } = step.costs.sum();
    const record: StepRecord = {
      rows: shape.rows,
      decodeRows: shape.decodeRows,
      dispatches,
      passes,
      hostMs: submitted - started,
      encodeMs,
      gpuMs: null,
      wallMs: 0,
      stepMs: 0,
      flops,
      bytes: moved,
    };
    const results = slot.read().then((buffer) => {
      const done = performance.now();
      record.wallMs = done - submitted;
      record.stepMs = done - Math.max(submitted, this.#lastDone);
      this.#lastDone = done;
      if (timing) record.gpuMs = timing.read(buffer, Math.max(8, bytes));
      return new Uint32Array(buffer, 0, words);
    });
    return { costs: step.costs, record, results };
  }

  #upload(plan: StepPlan): void {
    const { queue } = this.#gpu.device;
    const { step } = this.#decoder;
    const { shape } = plan;
    const header = this.#header;
    header[0] = shape.rows;
    header[1] = shape.decodeRows;
    header[2] = shape.soloItems;
    header[3] = shape.prefillTiles;
    header[4] = shape.logitRows;
    header[5] = shape.samples;
    queue.writeBuffer(step.header, 0, header);
    const write = (buffer: GPUBuffer, data: Uint32Array<ArrayBuffer>, words: number) => {
      if (words > 0) queue.writeBuffer(buffer, 0, data, 0, words);
    };
    write(step.rows, plan.rows, shape.rows * 4);
    write(step.items, plan.items, shape.soloItems * 2);
    write(step.sharedTiles, plan.sharedTiles, shape.sharedTiles * 4);
    write(step.firstItems, plan.firstItems, shape.decodeRows);
    write(step.lists, plan.lists, shape.rows * ROW_LIST_WORDS);
    if (shape.sparse.rows > 0) {
      write(step.sparseItems, plan.sparseItems, shape.sparse.soloItems * 2);
      write(step.sparseFirstItems, plan.sparseFirstItems, shape.decodeRows);
      write(step.mixedItems, plan.mixedItems, shape.sparse.mixedItems * 2);
      write(step.sparseSharedTiles, plan.sparseSharedTiles, shape.sparse.sharedTiles * 4);
      const { summaries, keys } = shape.sparse.searches;
      write(step.summarySearches, plan.selections.words.summaries, summaries.count * SEARCH_WORDS);
      write(step.keySearches, plan.selections.words.keys, keys.count * SEARCH_WORDS);
    }
    write(step.tiles, plan.tiles, shape.prefillTiles * 4);
    write(step.logitRows, plan.logitRows, shape.logitRows);
    write(step.samples, plan.samples, shape.samples * 4);
    const stride = this.#decoder.limits.maxPagesPerLane;
    for (const [slot, { from, to }] of this.#dirty) {
      const at = slot * stride + from;
      queue.writeBuffer(step.pageLists, at * 4, this.#tables, at, to - from);
    }
    this.#dirty.clear();
  }
}
