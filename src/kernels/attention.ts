/**
 * Paged attention of a step: its decode rows split over the KV length and combined, its prefill rows in tiles. The
 * kernels share their arithmetic (shaders/attention/softmax.wesl, merge.wesl): a row has the same bits in either.
 */
import { checkNumber } from '../errors.ts';
import type { Gpu, Kernel } from '../gpu/index.ts';
import { type AttentionShape, checkAttentionShape, layerBuffer, shapeConstants } from './attention-shape.ts';
import { kvHeadBytes, type Precisions, precisionConditions } from './precision.ts';
import type { LayerMode } from './row-lists.ts';
import { PAGE_SIZE, PREFILL_TILE, SPLIT_PAGES, type StepBuffers, type StepRecorder, type StepShape } from './step.ts';

export interface AttentionOptions extends AttentionShape {
  /** Room of a lane's block table, as in StepLimits. */
  maxPagesPerLane: number;
  /** Most (row, split) items in a step, as in StepLimits. */
  maxItems: number;
}

export interface AttentionBuffers {
  /** f32 [rows][heads][headDim], scaled by 1/√headDim */
  q: GPUBuffer;
  /** [page][kvHead][headDim / 4][PAGE] × 4, as the cache stores them; int8: scales behind, see shaders/attention/pages.wesl */
  keys: GPUBuffer;
  /** [page][kvHead][PAGE][headDim / 4] × 4 */
  values: GPUBuffer;
  /** f32 [rows][heads · headDim] */
  att: GPUBuffer;
  step: StepBuffers;
  /** Number of the layer, from 0: some rows are dense in some layers. */
  layer: number;
  /** Which part of the KV heads the keys and values hold. Default 0. */
  part?: number;
}

interface Kernels {
  decode: Kernel;
  shared: Kernel;
  combine: Kernel;
  prefill: Kernel;
}

/** Decoding over one list of items. */
interface DecodeBindings {
  decode: GPUBindGroup;
  shared: GPUBindGroup;
  combine: GPUBindGroup;
}

const SPLIT = SPLIT_PAGES * PAGE_SIZE;
/** Groups of tokens whose sums are added up: GROUPS in shaders/attention/softmax.wesl. */
const GROUPS = 4;
/** Query heads of one decode workgroup: two quads. */
const MAX_CHUNK = 8;
const COMBINE_THREADS = 64;

export class Attention {
  readonly options: AttentionOptions;
  readonly kernels: Kernels;
  /** Bytes of a token's keys and values in a part of the cache, and query heads that attend to them. */
  readonly tokenBytes: number;
  readonly served: number;
  /** Workgroups a decode item and a prefill tile take. */
  readonly groups: { decode: number; prefill: number };
  /** What decode leaves for combine: f32 [maxItems][heads][headDim + 4]. Shared by the layers. */
  readonly #partials: GPUBuffer;
  readonly #gpu: Gpu;

  private constructor(
    gpu: Gpu,
    options: AttentionOptions,
    kernels: Kernels,
    tokenBytes: number,
    groups: Attention['groups'],
  ) {
    this.#gpu = gpu;
    this.options = options;
    this.kernels = kernels;
    this.tokenBytes = tokenBytes;
    this.served = options.heads / (options.parts ?? 1);
    this.groups = groups;
    this.#partials = gpu.buffer('attention partials', options.maxItems * options.heads * (options.headDim + 4) * 4);
  }

  /**
   * @throws ReckonError `bad-option` for a shape the kernels cannot serve, `limit-exceeded` when the partial results of
   * `maxItems` items do not fit into one buffer.
   */
  static async create(gpu: Gpu, options: AttentionOptions, precisions: Precisions): Promise<Attention> {
    checkAttentionShape(options);
    checkNumber('maxPagesPerLane', options.maxPagesPerLane, { min: 1, integer: true });
    checkNumber('maxItems', options.maxItems, { min: 1, integer: true });
    const { headDim, maxPagesPerLane } = options;
    const shared = shapeConstants(options);
    const { KV_HEADS: held, GROUP: group, D4: d4 } = shared;
    const conditions = precisionConditions(gpu, precisions);

    const decode = decodePlan(group, d4);
    const prefill = prefillPlan(group, d4);
    const tile = { ...shared, MAX_PAGES: maxPagesPerLane, ...prefill };
    const tileConditions = { ...conditions, two_heads: prefill.CHUNK === 2 };
    const [decodeKernel, combineKernel, prefillKernel, sharedKernel] = await Promise.all([
      gpu.kernel({
        module: 'attention/decode',
        bindings: ['read', 'read', 'read', 'read', 'read', 'read', 'write', 'read', 'uniform'],
        constants: { ...shared, ...decode },
        conditions: {
          ...conditions,
          heads2: decode.CHUNK > 1,
          heads3: decode.CHUNK > 2,
          heads4: decode.CHUNK > 3,
          shared_sums: decode.SHARES > 1,
        },
      }),
      gpu.kernel({
        module: 'attention/combine',
        bindings: ['uniform', 'uniform', 'read', 'read', 'read', 'write'],
        constants: { ...shared, THREADS: COMBINE_THREADS },
        conditions: {},
      }),
      gpu.kernel({
        module: 'attention/prefill',
        bindings: ['read', 'read', 'read', 'read', 'read', 'write', 'uniform'],
        constants: tile,
        conditions: tileConditions,
      }),
      gpu.kernel({
        module: 'attention/prefill',
        bindings: ['read', 'read', 'read', 'read', 'read', 'read', 'write', 'uniform'],
        constants: tile,
        conditions: { ...tileConditions, shared: true },
      }),
    ]);
    return new Attention(
      gpu,
      options,
      { decode: decodeKernel, shared: sharedKernel, combine: combineKernel, prefill: prefillKernel },
      2 * held * kvHeadBytes(headDim, precisions.kv),
      { decode: held * decode.CHUNKS, prefill: held * prefill.CHUNKS },
    );
  }

  /** The attention of one layer, or of a part of its heads. */
  bind(gpu: Gpu, { q, keys, values, att, step, layer, part = 0 }: AttentionBuffers): BoundAttention {
    const { decode, shared, combine, prefill } = this.kernels;
    const cache = [step.pageLists, q, keys, values];
    const index = layerBuffer(gpu, this.options, layer, part);
    const over = (items: GPUBuffer, firstItems: GPUBuffer, tiles: GPUBuffer): DecodeBindings => ({
      decode: gpu.bind(decode, [...cache, step.lists, items, this.#partials, firstItems, index]),
      shared: gpu.bind(shared, [...cache, tiles, firstItems, this.#partials, index]),
      combine: gpu.bind(combine, [step.header, index, step.lists, firstItems, this.#partials, att]),
    });
    return new BoundAttention(this, layer, {
      dense: over(step.items, step.firstItems, step.sharedTiles),
      mixed: over(step.mixedItems, step.firstItems, step.sparseSharedTiles),
      policies: over(step.sparseItems, step.sparseFirstItems, step.sparseSharedTiles),
      prefill: gpu.bind(prefill, [...cache, step.tiles, att, index]),
    });
  }

  /** Frees what the layers share. */
  dispose(): void {
    this.#gpu.free(this.#partials);
  }
}

interface Bindings extends Record<LayerMode, DecodeBindings> {
  prefill: GPUBindGroup;
}

/** One layer's attention with its buffers. */
export class BoundAttention {
  readonly #attention: Attention;
  readonly #layer: number;
  readonly #bindings: Bindings;

  constructor(attention: Attention, layer: number, bindings: Bindings) {
    this.#attention = attention;
    this.#layer = layer;
    this.#bindings = bindings;
  }

  /** Two dispatches where the step has decode rows, one more where some share pages; one where it has prefill tiles. */
  record(step: StepRecorder, shape: StepShape): void {
    if (shape.decodeItems > 0) this.#decode(step, shape);
    if (shape.prefillTiles > 0) {
      const { kernels, groups, tokenBytes: kvToken, options, served } = this.#attention;
      const row = served * options.headDim;
      const flops = 4 * row * shape.prefillPairs;
      const bytes = kvToken * shape.prefillTokens + 2 * (shape.rows - shape.decodeRows) * row * 4;
      const grid = [shape.prefillTiles, groups.prefill] as const;
      step.attend(kernels.prefill, this.#bindings.prefill, grid, flops, bytes, flops, bytes);
    }
  }

  #decode(step: StepRecorder, shape: StepShape): void {
    const { kernels, groups, tokenBytes: kvToken, options, served } = this.#attention;
    const layer = this.#layer;
    const { sparse } = shape;
    const mode = sparse.modeOf(layer);
    const bindings = this.#bindings[mode];
    const shared = mode === 'dense' ? shape : sparse;
    // Mixed layers have the items of dense ones; those too many end at once.
    const listed = mode === 'mixed' ? sparse.mixedItems : shared.soloItems;
    const items = sparse.rows > 0 ? sparse.itemsAt(layer) : shape.decodeItems;
    const tokens = sparse.rows > 0 ? sparse.tokensAt(layer) : shape.decodeTokens;
    const row = served * options.headDim;
    const partial = served * (options.headDim + 4) * 4;
    const rows = shape.decodeRows * row * 4;
    /** Splits that are read for several rows: each once for all rows of its tile. */
    const together = ({ sharedTiles, sharedItems, sharedRows }: typeof shared) =>
      kvToken * sharedTiles * SPLIT + sharedRows * row * 4 + sharedItems * partial;
    /** Those read for one row alone. */
    const alone = (allTokens: number, allItems: number, { sharedItems }: typeof shared) =>
      kvToken * (allTokens - sharedItems * SPLIT) + rows + (allItems - sharedItems) * partial;
    if (shared.sharedTiles > 0) {
      const flops = 4 * row * shared.sharedItems * SPLIT;
      const grid = [shared.sharedTiles, groups.prefill] as const;
      // What the rows would cost dense is all with the next.
      step.attend(kernels.shared, bindings.shared, grid, flops, together(shared), 0, 0);
    }
    step.attend(
      kernels.decode,
      bindings.decode,
      [listed, groups.decode],
      4 * row * (tokens - shared.sharedItems * SPLIT),
      alone(tokens, items, shared),
      4 * row * shape.decodeTokens,
      alone(shape.decodeTokens, shape.decodeItems, shape) + (shape.sharedTiles > 0 ? together(shape) : 0),
    );
    step.attend(
      kernels.combine,
      bindings.combine,
      [Math.ceil((shape.decodeRows * row) / 4 / COMBINE_THREADS)],
      3 * row * items,
      items * partial + rows,
      3 * row * shape.decodeItems,
      shape.decodeItems * partial + rows,
    );
  }
}

/** How decode.wesl divides its work: constants only, no effect on any bit. */
function decodePlan(group: number, d4: number) {
  const chunks = Math.ceil(group / MAX_CHUNK);
  const chunk = Math.ceil(group / chunks);
  const quads = Math.ceil(chunk / 4);
  const outputs = chunk * d4;
  // More outputs than tokens in a split: twice the threads, or summing values takes longest.
  const threads = quads === 2 || outputs >= SPLIT / 2 ? 2 * SPLIT : SPLIT;
  let shares = 1;
  while (shares < GROUPS && 2 * shares * outputs <= threads) shares *= 2;
  return { CHUNK: chunk, CHUNKS: chunks, QUADS: quads, THREADS: threads, SHARES: shares };
}

/** How prefill.wesl divides its work: two heads a workgroup where the group is even and workgroup memory allows. */
function prefillPlan(group: number, d4: number) {
  const chunk = group % 2 === 0 && d4 <= SPLIT / 4 ? 2 : 1;
  const quads = (chunk * PREFILL_TILE) / 4;
  return { CHUNK: chunk, CHUNKS: group / chunk, QUADS: quads, THREADS: quads * d4 <= 64 ? 64 : 128 };
}
