/** QK-norm, RoPE and the append to the KV cache, in one dispatch a layer. See shaders/attention/append.wesl. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { Gpu, Kernel } from '../gpu/index.ts';
import { type AttentionShape, checkAttentionShape, layerBuffer } from './attention-shape.ts';
import { type KvPrecision, kvHeadBytes, type Precisions, precisionConditions } from './precision.ts';
import { PAGE_SIZE, type StepBuffers, type StepRecorder, type StepShape } from './step.ts';
import { type SummaryKind, summaryPageBytes } from './summary.ts';

/** How the pairs (i, i + headDim/2) of a head are rotated. */
export interface Rotation {
  /** Radians a position, one for each pair. */
  readonly frequencies: readonly number[];
  /** What each pair is multiplied by besides, where that is not 1 (YaRN's attention factor). */
  readonly magnitudes?: readonly number[];
}

/** Rotation as it was first defined: pair i turns by theta^(−2i / headDim) a position. */
export function plainRotation(headDim: number, theta: number): Rotation {
  return { frequencies: Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim)) };
}

export interface RopeAppendOptions extends AttentionShape {
  rotation: Rotation;
  /** Positions the tables must reach. */
  maxContext: number;
  /** RMS-normalises each q and k head first (Qwen3), with this added to the mean square; null: no normalisation. */
  qkNormEpsilon: number | null;
  /** What full pages leave beside their keys; null or absent: nothing. */
  summary?: SummaryKind | null;
}

export interface RopeAppendBuffers {
  /** f32 [rows][(heads + 2 · kvHeads) · headDim]: q, k, v. */
  qkv: GPUBuffer;
  /** f32 [2][headDim], of q and of k; only with QK-norm. */
  gains?: GPUBuffer;
  /** f32 [rows][heads][headDim], written scaled by 1/√headDim. */
  q: GPUBuffer;
  /** The layer's cache; layouts in shaders/attention/pages.wesl. */
  keys: GPUBuffer;
  values: GPUBuffer;
  /** [page][kvHead][vectors][headDim]; only with summaries. */
  summaries?: GPUBuffer;
  step: StepBuffers;
  /** Which part of the KV heads the cache's buffers hold. Default 0. */
  part?: number;
}

/** Positions of the fine table; also how far apart the entries of the coarse one are. */
const FINE = 256;
const MAX_THREADS = 64;
/** Workgroups on the grid's x before it goes on along y: below every device's limit. */
const MAX_GRID = 32768;

/**
 * Cosines and sines for `append.wesl`: f32 [FINE + ceil(maxContext / FINE)][headDim / 8][cos, sin] × 4 frequencies.
 * The first FINE entries are positions 0 … FINE − 1, the rest multiples of FINE, those with the magnitudes: joining two angles
 * keeps them. Computed in float64 throughout; (PyTorch implementations round the frequencies to f32: at position p the
 * angle differs by up to 6e-8 · p.)
 */
export function ropeTables({ frequencies, magnitudes }: Rotation, maxContext: number): Float32Array<ArrayBuffer> {
  const entries = FINE + Math.ceil(maxContext / FINE);
  const half = frequencies.length;
  const tables = new Float32Array(entries * half * 2);
  for (let entry = 0; entry < entries; entry++) {
    const coarse = entry >= FINE;
    const position = coarse ? (entry - FINE) * FINE : entry;
    for (const [i, frequency] of frequencies.entries()) {
      const magnitude = coarse ? (magnitudes?.[i] ?? 1) : 1;
      const at = (entry * (half / 4) + Math.floor(i / 4)) * 8 + (i % 4);
      tables[at] = magnitude * Math.cos(position * frequency);
      tables[at + 4] = magnitude * Math.sin(position * frequency);
    }
  }
  return tables;
}

export class RopeAppend {
  readonly options: RopeAppendOptions;
  readonly kernel: Kernel;
  /** Heads that share a workgroup. */
  readonly perGroup: number;
  /** Heads, of queries and of keys, that one dispatch serves. */
  readonly served: { readonly heads: number; readonly kvHeads: number };
  /** Bytes a row writes into a part of the cache: keys and values of its heads. */
  readonly rowKvBytes: number;
  /** Bytes of keys that a full page takes in for its summary, and of the summary; 0 without. */
  readonly pageKeyBytes: number;
  readonly summaryBytes: number;
  readonly #tables: GPUBuffer;
  readonly #gpu: Gpu;

  private constructor(gpu: Gpu, options: RopeAppendOptions, kernel: Kernel, perGroup: number, kv: KvPrecision) {
    this.#gpu = gpu;
    this.options = options;
    this.kernel = kernel;
    this.perGroup = perGroup;
    const { headDim, summary, parts = 1 } = options;
    const kvHeads = options.kvHeads / parts;
    this.served = { heads: options.heads / parts, kvHeads };
    this.rowKvBytes = 2 * kvHeads * kvHeadBytes(headDim, kv);
    this.pageKeyBytes = summary ? (PAGE_SIZE * this.rowKvBytes) / 2 : 0;
    this.summaryBytes = summary ? summaryPageBytes({ kvHeads, headDim }, summary, kv) : 0;
    const tables = ropeTables(options.rotation, options.maxContext);
    this.#tables = gpu.buffer('rotary tables', tables.byteLength);
    gpu.device.queue.writeBuffer(this.#tables, 0, tables);
  }

  /** @throws ReckonError `bad-option` for a shape the kernel cannot serve or numbers out of range. */
  static async create(gpu: Gpu, options: RopeAppendOptions, precisions: Precisions): Promise<RopeAppend> {
    checkAttentionShape(options);
    checkRotation(options);
    checkNumber('maxContext', options.maxContext, { min: 1, max: 2 ** 24, integer: true });
    if (options.qkNormEpsilon !== null) checkNumber('qkNormEpsilon', options.qkNormEpsilon, { min: 0 });
    const { heads, kvHeads, headDim, qkNormEpsilon, parts = 1 } = options;
    const perHead = headDim / 8;
    const perGroup = Math.min(Math.floor(MAX_THREADS / perHead), (heads + 2 * kvHeads) / parts);
    const normed = qkNormEpsilon !== null;
    const kernel = await gpu.kernel({
      module: 'attention/append',
      bindings: [
        ...(['uniform', 'read', 'read', 'read', 'write', 'write', 'write', 'uniform'] as const),
        ...(normed ? (['read'] as const) : []),
        ...(options.summary ? (['write'] as const) : []),
      ],
      constants: {
        HEADS: heads,
        ALL_KV_HEADS: kvHeads,
        KV_HEADS: kvHeads / parts,
        D8: perHead,
        PER_GROUP: perGroup,
        THREADS: perGroup * perHead,
        EPSILON: qkNormEpsilon ?? 0,
        SCALE: 1 / Math.sqrt(headDim),
        FINE,
        MAX_GRID,
      },
      conditions: {
        ...precisionConditions(gpu, precisions),
        qk_norm: normed,
        summaries: Boolean(options.summary),
        minmax: options.summary === 'minmax',
      },
    });
    return new RopeAppend(gpu, options, kernel, perGroup, precisions.kv);
  }

  /**
   * The append of one layer, or of a part of its heads.
   * @throws ReckonError `internal` when gains are missing, or given without QK-norm.
   */
  bind(gpu: Gpu, { qkv, gains, q, keys, values, summaries, step, part = 0 }: RopeAppendBuffers): BoundRopeAppend {
    if ((gains === undefined) !== (this.options.qkNormEpsilon === null)) {
      throw new ReckonError('internal', 'QK-norm takes gains for q and k; without it there are none.');
    }
    if ((summaries === undefined) === Boolean(this.options.summary)) {
      throw new ReckonError('internal', 'Page summaries take a buffer; without them there is none.');
    }
    const optional = [gains, summaries].filter((buffer) => buffer !== undefined);
    const index = layerBuffer(gpu, this.options, 0, part);
    const bindings = [step.header, step.rows, this.#tables, qkv, q, keys, values, index, ...optional];
    return new BoundRopeAppend(this, gpu.bind(this.kernel, bindings));
  }

  /** Frees what the layers share. */
  dispose(): void {
    this.#gpu.free(this.#tables);
  }
}

/** One layer's append with its buffers. */
export class BoundRopeAppend {
  readonly #append: RopeAppend;
  readonly #bindings: GPUBindGroup;

  constructor(append: RopeAppend, bindings: GPUBindGroup) {
    this.#append = append;
    this.#bindings = bindings;
  }

  /** Counts every row as written; rows whose KV is there already (NO_WRITE) are too few to matter. */
  record(step: StepRecorder, { rows, filledPages }: StepShape): void {
    if (rows === 0) return;
    const { kernel, perGroup, rowKvBytes, pageKeyBytes, summaryBytes, options, served } = this.#append;
    const { headDim, qkNormEpsilon } = options;
    const { heads, kvHeads } = served;
    const groups = Math.ceil((rows * (heads + 2 * kvHeads)) / perGroup);
    const grid = [Math.min(groups, MAX_GRID), Math.ceil(groups / MAX_GRID)] as const;
    const normed = qkNormEpsilon !== null;
    // A pair: 6 to turn, 6 to join two angles; a number of q or k: 4 to normalise; of q: 1 to scale.
    const flops = rows * headDim * ((heads + kvHeads) * (6 + (normed ? 4 : 0)) + heads);
    const read = rows * (heads + 2 * kvHeads + 2) * headDim + (normed ? 2 * headDim : 0);
    const bytes = (read + rows * heads * headDim) * 4 + filledPages * pageKeyBytes;
    step.dispatch(kernel, this.#bindings, grid, 'other', 'rows', flops, bytes);
    step.costs.add('rows', 'kvWrite', 0, rows * rowKvBytes + filledPages * summaryBytes);
  }
}

function checkRotation({ headDim, rotation: { frequencies, magnitudes } }: RopeAppendOptions): void {
  const pairs = headDim / 2;
  const right = (list: readonly number[], from: number) => list.every((value) => value >= from && value < 1e4);
  if (frequencies.length !== pairs || !right(frequencies, 0)) {
    throw new ReckonError('bad-option', `Heads of ${headDim} take ${pairs} rotary frequencies, each from 0.`);
  }
  if (magnitudes && (magnitudes.length !== pairs || !right(magnitudes, 1e-4))) {
    throw new ReckonError('bad-option', `Heads of ${headDim} take ${pairs} magnitudes of rotations, each above 0.`);
  }
}
