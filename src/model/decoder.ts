/**
 * A decoder as a list of kernels over fixed buffers: what a step records, in order. Built from a config; knows nothing of
 * lanes, files or strategies.
 */
import type { ModelConfig } from '../checkpoint/config.ts';
import type { Gpu } from '../gpu/index.ts';
import { createAttention } from '../kernels/attention-serial.ts';
import { Embed } from '../kernels/embed.ts';
import { type BoundKvCopy, KvCopy, type PagePair } from '../kernels/kv-copy.ts';
import type { MatmulTuning } from '../kernels/matmul.ts';
import { RmsNorm } from '../kernels/norm.ts';
import type { Precisions } from '../kernels/precision.ts';
import { RopeAppend } from '../kernels/rope.ts';
import { type BoundSampler, FORCED, RESULT_WORDS, type ResolvedSampling, Sampler } from '../kernels/sample.ts';
import { Selection } from '../kernels/selection.ts';
import {
  createStepBuffers,
  PAGE_SIZE,
  type StepBuffers,
  type StepLimits,
  type StepRecorder,
  type StepShape,
} from '../kernels/step.ts';
import type { SummaryKind } from '../kernels/summary.ts';
import { planCache } from '../kv/index.ts';
import type { Cost } from '../ledger/cost.ts';
import { allocateFeedForward, createFeedForward, matmulsFor, type Op } from './feed-forward.ts';
import { allocateKv, type KvPart, kvBytesPerToken, summaryBytesPerPage } from './kv-cache.ts';
import { rotationOf } from './rope-frequencies.ts';
import { type StepSizes, stepLimits } from './step-limits.ts';
import type { Weights } from './weights.ts';

export interface DecoderSizes extends StepSizes {
  /** Memory for the KV cache, bytes. */
  kvBytes: number;
  /** Room for token biases, of all lanes together. */
  maxBiases?: number;
  /**
   * What full pages keep for block top-k attention, some 3 % of the KV (6 % for minmax); null: nothing, and lanes cannot use
   * it with blocks of a page or more. Default 'mean'.
   */
  summary?: SummaryKind | null;
  /** Which way attention is computed; default: what suits the device. Both give the same bits. */
  serialAttention?: boolean;
  /** How matmuls are laid out; default: what suits the device. Those that cut K alike give the same bits. */
  matmulTuning?: MatmulTuning;
}

const DEFAULT_BIASES = 16384;

export class Decoder {
  readonly config: ModelConfig;
  readonly precisions: Precisions;
  readonly limits: StepLimits;
  readonly step: StepBuffers;
  /** u32 [maxSamples] × (token, bits of the f32 log-probability). */
  readonly results: GPUBuffer;
  /** The cache, layer by layer and part by part: for tests and benchmarks. */
  readonly cache: readonly (readonly KvPart[])[];
  /** f32 [maxLogitRows][vocabulary]: of the last step, for tests. */
  readonly logits: GPUBuffer;
  readonly totalPages: number;
  /** KV and, in proportion, page summaries. */
  readonly kvBytesPerToken: number;
  /** What full pages keep of their keys. */
  readonly summary: SummaryKind | null;
  /** Longest lane: the model's, what was asked for, or what the cache holds, whichever is least. */
  readonly maxContext: number;
  readonly #ops: readonly Op[];
  readonly #copies: readonly BoundKvCopy[];
  readonly #copy: KvCopy;
  readonly #sampler: Sampler;
  readonly #draw: BoundSampler;

  private constructor(parts: {
    config: ModelConfig;
    precisions: Precisions;
    limits: StepLimits;
    step: StepBuffers;
    results: GPUBuffer;
    logits: GPUBuffer;
    kv: readonly (readonly KvPart[])[];
    cache: { totalPages: number; bytesPerToken: number; maxContext: number; summary: SummaryKind | null };
    ops: readonly Op[];
    copies: readonly BoundKvCopy[];
    copy: KvCopy;
    sampler: Sampler;
    draw: BoundSampler;
  }) {
    this.config = parts.config;
    this.precisions = parts.precisions;
    this.limits = parts.limits;
    this.step = parts.step;
    this.results = parts.results;
    this.logits = parts.logits;
    this.cache = parts.kv;
    this.totalPages = parts.cache.totalPages;
    this.kvBytesPerToken = parts.cache.bytesPerToken;
    this.summary = parts.cache.summary;
    this.maxContext = parts.cache.maxContext;
    this.#ops = parts.ops;
    this.#copies = parts.copies;
    this.#copy = parts.copy;
    this.#sampler = parts.sampler;
    this.#draw = parts.draw;
  }

  /**
   * Compiles the kernels and allocates activations and KV.
   * @throws ReckonError `gpu-out-of-memory`, `limit-exceeded`, `over-capacity`, `bad-option`
   */
  static async create(
    gpu: Gpu,
    config: ModelConfig,
    weights: Weights,
    precisions: Precisions,
    sizes: DecoderSizes,
  ): Promise<Decoder> {
    const { layers, hiddenSize, heads, kvHeads, headDim, vocabSize, normEps } = config;
    const summary = sizes.summary === undefined ? 'mean' : sizes.summary;
    const bytesPerToken = kvBytesPerToken(config, precisions.kv);
    const summaryBytes = summaryBytesPerPage(config, precisions.kv, summary);
    const { maxBufferSize, maxStorageBufferBindingSize } = gpu.profile.limits;
    const cache = planCache({
      kvBytesPerToken: bytesPerToken,
      summaryBytesPerPage: summaryBytes,
      pageSize: PAGE_SIZE,
      maxContext: sizes.maxContext,
      layers,
      memoryBudgetBytes: sizes.kvBytes,
      maxBufferBytes: Math.min(maxBufferSize, maxStorageBufferBindingSize),
      kvHeads,
      // Lanes wait, forked, for their turn: more of them may hold pages than run in one step.
      maxLanes: 2 * sizes.maxLanes,
    });
    const limits = stepLimits(gpu.profile, config, { ...sizes, maxContext: cache.maxContext });
    const queries = heads * headDim;
    const qkvWidth = queries + 2 * kvHeads * headDim;
    const { parts } = cache;
    const attention = { heads, kvHeads, headDim, parts };
    const matmuls = matmulsFor(gpu, sizes.matmulTuning);
    const { embedding } = weights;

    const [embed, norm, finalNorm, rope, attend, head, copy, selection, compiled] = await Promise.all([
      Embed.create(gpu, { hidden: hiddenSize, vocab: vocabSize, format: embedding.format, parts: embedding.parts }),
      RmsNorm.create(gpu, { hidden: hiddenSize, epsilon: normEps, gather: false }),
      RmsNorm.create(gpu, { hidden: hiddenSize, epsilon: normEps, gather: true }),
      RopeAppend.create(
        gpu,
        {
          ...attention,
          rotation: rotationOf(config, cache.maxContext),
          maxContext: cache.maxContext,
          qkNormEpsilon: config.qkNorm ? normEps : null,
          summary,
        },
        precisions,
      ),
      createAttention(
        gpu,
        { ...attention, maxPagesPerLane: limits.maxPagesPerLane, maxItems: limits.maxItems },
        precisions,
        sizes.serialAttention,
      ),
      matmuls.of(weights.head, 'store', { rows: 'logitRows' }),
      KvCopy.create(
        gpu,
        {
          kvHeads: kvHeads / parts,
          headDim,
          maxCopies: limits.maxRows,
          summaryBytes: summaryBytes / layers / parts,
        },
        precisions,
      ),
      Selection.create(gpu, { ...attention, summary, maxScores: limits.maxScores }, precisions),
      // Layers may differ in the formats of their weights, and in what follows attention; what is alike is compiled once.
      Promise.all(
        weights.layers.map(async (w) => ({
          qkv: await matmuls.of(w.qkv, 'store', { bias: w.qkvBias !== null }),
          output: await matmuls.of(w.output, 'add'),
          feedForward: await createFeedForward(gpu, config, w.feedForward, matmuls),
        })),
      ),
    ]);
    const sampler = await Sampler.create(gpu, {
      vocab: vocabSize,
      slots: limits.slots,
      maxBiases: sizes.maxBiases ?? DEFAULT_BIASES,
      maxSamples: limits.maxSamples,
    });

    return gpu.guarded('the allocation of the KV cache and activations', () => {
      const floats = (label: string, count: number) => gpu.buffer(label, count * 4);
      const step = createStepBuffers(gpu, limits);
      // Matmuls read whole row tiles, of up to 32 rows, and ignore what lies behind the last row.
      const rows = Math.ceil(limits.maxRows / 32) * 32;
      const x = floats('residual', rows * hiddenSize);
      const h = floats('normed', rows * hiddenSize);
      const qkvRows = floats('qkv', rows * qkvWidth);
      const q = floats('queries', rows * queries);
      const att = floats('attended', rows * queries);
      const scratch = allocateFeedForward(gpu, config, limits, rows);
      const logits = floats('logits', limits.maxLogitRows * vocabSize);
      const results = floats('draws', limits.maxSamples * RESULT_WORDS);
      const kv = allocateKv(gpu, config, precisions.kv, cache, summary);

      const ops: Op[] = [embed.bind(gpu, { table: weights.embedding, out: x, step })];
      for (const [layer, w] of weights.layers.entries()) {
        const { qkv, output, feedForward } = compiled[layer]!;
        const bias = w.qkvBias ? { bias: w.qkvBias } : {};
        const gains = w.qkNorm ? { gains: w.qkNorm } : {};
        ops.push(
          norm.bind(gpu, { x, gain: w.inputNorm, out: h, step }),
          qkv.bind(gpu, { x: h, weights: w.qkv, out: qkvRows, ...bias, step }),
          ...kv[layer]!.flatMap(({ keys, values, summaries }, part) => [
            rope.bind(gpu, {
              qkv: qkvRows,
              ...gains,
              q,
              keys,
              values,
              ...(summaries ? { summaries } : {}),
              step,
              part,
            }),
            selection.bind(gpu, { q, keys, summaries, step, layer, part }),
            attend.bind(gpu, { q, keys, values, att, step, layer, part }),
          ]),
          output.bind(gpu, { x: att, weights: w.output, out: x, step }),
          norm.bind(gpu, { x, gain: w.postNorm, out: h, step }),
          ...feedForward.bind(gpu, { h, x, scratch, step }),
        );
      }
      ops.push(
        finalNorm.bind(gpu, { x, gain: weights.finalNorm, out: h, step }),
        head.bind(gpu, { x: h, weights: weights.head, out: logits, step }),
      );
      return new Decoder({
        config,
        precisions,
        limits,
        step,
        results,
        logits,
        kv,
        cache: { ...cache, bytesPerToken: bytesPerToken + summaryBytes / PAGE_SIZE, summary },
        ops,
        copies: kv.flat().map((part) => copy.bind(gpu, part)),
        copy,
        sampler,
        draw: sampler.bind(gpu, { logits, step, results }),
      });
    });
  }

  /** Uploads and records the page copies that must come before the step's rows. */
  copyPages(step: StepRecorder, pairs: readonly PagePair[]): void {
    if (pairs.length === 0) return;
    this.#copy.upload(pairs);
    for (const copy of this.#copies) copy.record(step, pairs.length);
  }

  /** Records a whole step. `samples`: the draws as uploaded (logits row, slot, target, flags), for their cost. */
  record(step: StepRecorder, shape: StepShape, samples: Uint32Array): void {
    for (const op of this.#ops) op.record(step, shape);
    if (shape.samples === 0) return;
    const cost: Cost = { flops: 0, bytes: 0 };
    const { forcedCost } = this.#sampler;
    for (let i = 0; i < shape.samples; i++) {
      if (samples[i * 4 + 3]! & FORCED) {
        cost.flops += forcedCost.flops;
        cost.bytes += forcedCost.bytes;
      } else this.#sampler.addDrawCost(samples[i * 4 + 1]!, cost);
    }
    this.#draw.record(step, shape, cost);
  }

  /** From the next step on, the lane in `slot`, which holds `tokens`, draws by `sampling`. */
  setSampling(slot: number, sampling: ResolvedSampling, tokens: Iterable<number>): void {
    this.#sampler.state.setSlot(slot, sampling);
    if (sampling.repetitionPenalty !== 1) this.#sampler.state.setSeen(slot, tokens);
  }

  /** Gives up what the lane in `slot` had set. */
  clearSampling(slot: number): void {
    this.#sampler.state.clearSlot(slot);
  }
}
