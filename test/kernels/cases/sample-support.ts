/** A sampler with the buffers of a step around it: logits in, tokens and log-probabilities out. */
import { type Gpu, USAGE } from '../../../src/gpu/index.ts';
import {
  type BoundSampler,
  FORCED,
  KEEP,
  RESULT_WORDS,
  resolveSampling,
  Sampler,
} from '../../../src/kernels/sample.ts';
import type { SamplingInput } from '../../../src/kernels/sampler-state.ts';
import { createStepBuffers, type StepBuffers, StepRecorder } from '../../../src/kernels/step.ts';
import { argmax, drawScores } from '../../reference/sampler.ts';
import { download, stepShape } from './linear-support.ts';

/** The same in all checks: kernels depend on it, and compiling one is most of a check's time on a software driver. */
const SLOTS = 32;

export interface BenchShape {
  vocab: number;
  /** Logits rows, and also samples, of one step. */
  rows: number;
  maxBiases?: number;
  workgroup?: number;
}

export interface LogitRow {
  logits: Float32Array<ArrayBuffer>;
  /** Position of the row; what is drawn from it takes the next. */
  position: number;
}

export interface SampleAsked {
  row: number;
  slot: number;
  /** Score this token instead of drawing. */
  target?: number;
  keep?: boolean;
}

export interface Drawn {
  token: number;
  logprob: number;
}

export class SampleBench {
  readonly sampler: Sampler;
  readonly #gpu: Gpu;
  readonly #shape: BenchShape;
  readonly #step: StepBuffers;
  readonly #logits: GPUBuffer;
  readonly #results: GPUBuffer;
  readonly #bound: BoundSampler;
  readonly #recorder: StepRecorder;

  private constructor(gpu: Gpu, shape: BenchShape, sampler: Sampler) {
    this.#gpu = gpu;
    this.#shape = shape;
    this.sampler = sampler;
    this.#step = createStepBuffers(gpu, {
      maxRows: 2 * shape.rows,
      maxItems: 1,
      maxLogitRows: shape.rows,
      maxSamples: shape.rows,
      slots: SLOTS,
      maxPagesPerLane: 1,
      maxListEntries: 0,
      maxScores: 0,
    });
    this.#logits = gpu.buffer('logits', shape.rows * shape.vocab * 4, USAGE.storage);
    this.#results = gpu.buffer('results', shape.rows * RESULT_WORDS * 4, USAGE.storage);
    this.#bound = sampler.bind(gpu, { logits: this.#logits, step: this.#step, results: this.#results });
    this.#recorder = new StepRecorder(gpu);
  }

  static async create(gpu: Gpu, shape: BenchShape): Promise<SampleBench> {
    const { vocab, rows, maxBiases = 64, workgroup } = shape;
    const sampler = await Sampler.create(
      gpu,
      { vocab, slots: SLOTS, maxSamples: rows, maxBiases },
      workgroup === undefined ? {} : { workgroup },
    );
    return new SampleBench(gpu, shape, sampler);
  }

  set(slot: number, sampling: SamplingInput, seen: Iterable<number> = []): void {
    this.sampler.state.setSlot(slot, resolveSampling(sampling, this.#shape.vocab));
    this.sampler.state.setSeen(slot, seen);
  }

  /** One step: logits rows in step rows 1, 3, 5, …, so that a kernel which takes one for the other is found out. */
  async draw(rows: readonly LogitRow[], samples: readonly SampleAsked[]): Promise<Drawn[]> {
    const { queue } = this.#gpu.device;
    const stepRows = new Uint32Array(8 * rows.length).fill(0xdead);
    rows.forEach(({ logits, position }, i) => {
      stepRows[8 * i + 5] = position;
      queue.writeBuffer(this.#logits, i * this.#shape.vocab * 4, logits);
    });
    queue.writeBuffer(this.#step.rows, 0, stepRows);
    queue.writeBuffer(
      this.#step.logitRows,
      0,
      Uint32Array.from(rows, (_, i) => 2 * i + 1),
    );
    const words = samples.flatMap(({ row, slot, target, keep }) => [
      row,
      slot,
      target ?? 0,
      (target === undefined ? 0 : FORCED) | (keep ? KEEP : 0),
    ]);
    queue.writeBuffer(this.#step.samples, 0, Uint32Array.from(words));

    const shape = { ...stepShape(2 * rows.length, rows.length), samples: samples.length };
    this.#recorder.begin('samples');
    this.#bound.record(this.#recorder, shape, { flops: 0, bytes: 0 });
    queue.submit([this.#recorder.recorder.finish()]);
    const results = await download(this.#gpu, this.#results, samples.length * RESULT_WORDS * 4);
    const tokens = new Uint32Array(results);
    const logprobs = new Float32Array(results);
    return samples.map((_, i) => ({ token: tokens[2 * i]!, logprob: logprobs[2 * i + 1]! }));
  }

  async laneTokens(): Promise<Uint32Array> {
    return new Uint32Array(await download(this.#gpu, this.#step.laneTokens, SLOTS * 4));
  }

  async seen(slot: number): Promise<number[]> {
    const { seenWords, seen } = this.sampler.state;
    const words = new Uint32Array(await download(this.#gpu, seen, SLOTS * seenWords * 4));
    const held: number[] = [];
    for (let token = 0; token < this.#shape.vocab; token++) {
      if ((words[slot * seenWords + (token >>> 5)]! >>> (token & 31)) & 1) held.push(token);
    }
    return held;
  }

  dispose(): void {
    this.sampler.dispose();
    for (const buffer of [this.#logits, this.#results, ...Object.values(this.#step)]) this.#gpu.free(buffer);
  }
}

export function check(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new Error(message());
}

export interface ReferenceDraw {
  /** Per token: what the draw is the argmax of; −Infinity where filtered out. */
  scores: Float64Array;
  token: number;
  /** Raw log-probability per token. */
  logprobs: Float64Array;
}

/** A draw by its definition. `position`: of the token drawn. */
export function referenceDraw(
  logits: Float32Array,
  sampling: SamplingInput,
  present: Iterable<number>,
  position: number,
): ReferenceDraw {
  const scores = drawScores(logits, sampling, { position, present });
  return { scores, token: argmax(scores), logprobs: logSoftmax(logits) };
}

/** What is not finite counts as −∞. */
export function logSoftmax(logits: Float32Array): Float64Array {
  const raw = Float64Array.from(logits, (x) => (Number.isFinite(x) ? x : Number.NEGATIVE_INFINITY));
  const max = raw.reduce((a, b) => Math.max(a, b));
  const lnSum = Math.log(raw.reduce((sum, x) => sum + Math.exp(x - max), 0));
  return raw.map((x) => x - max - lnSum);
}

/** How draws compare with the definition, over any number of them. */
export class Agreement {
  draws = 0;
  /** Draws of another token than the reference's, each within rounding of its score. */
  near = 0;

  /** @throws where `drawn` is neither the reference's token nor one that scores the same up to f32 rounding. */
  add(drawn: Drawn, reference: ReferenceDraw, what: string): void {
    this.draws++;
    const score = reference.scores[drawn.token];
    const best = reference.scores[reference.token]!;
    check(score !== undefined, () => `${what}: token ${drawn.token} does not exist`);
    check(best - score <= 1e-4, () => `${what}: drew ${drawn.token} (${score}), not ${reference.token} (${best})`);
    if (drawn.token !== reference.token) this.near++;
    const expected = reference.logprobs[drawn.token]!;
    check(
      Math.abs(drawn.logprob - expected) <= 1e-5 * Math.max(1, Math.abs(expected)),
      () => `${what}: log-probability ${drawn.logprob} of ${drawn.token}, not ${expected}`,
    );
  }

  /** @throws unless the tokens were the very same in 99.9 % of the draws. */
  finish(what: string): void {
    check(
      this.draws > 0 && this.near <= this.draws / 1000,
      () => `${what}: ${this.near} of ${this.draws} draws differ`,
    );
  }
}

/** Draws once from each row with `sampling` in slot 0 and holds every result against the definition. */
export async function checkDraws(
  bench: SampleBench,
  rows: readonly LogitRow[],
  sampling: SamplingInput & { seed: number },
  agreement: Agreement,
  seen: readonly number[] = [],
): Promise<Drawn[]> {
  bench.set(0, sampling, seen);
  const drawn = await bench.draw(
    rows,
    rows.map((_, row) => ({ row, slot: 0 })),
  );
  rows.forEach(({ logits, position }, i) => {
    const what = `row ${i} of ${logits.length} tokens, ${JSON.stringify(sampling)}`;
    agreement.add(drawn[i]!, referenceDraw(logits, sampling, seen, position + 1), what);
  });
  return drawn;
}
