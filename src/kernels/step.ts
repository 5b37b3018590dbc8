/**
 * What one engine step looks like to the kernels: a list of rows, ragged over lanes, written to GPU buffers once; every
 * kernel of the step reads the same buffers, so its bind groups never change.
 */
import type { Gpu, Grid, Kernel } from '../gpu/index.ts';
import { Recorder } from '../gpu/index.ts';
import type { CostClass } from '../ledger/cost.ts';
import { type Share, StepCosts } from '../ledger/step-costs.ts';
import { PAGE_SHIFT, ROW_LIST_WORDS, SEARCH_WORDS, type SparseWork } from './row-lists.ts';

/** Tokens a page holds; also the height of a block of transposed keys. Mirrored in shaders by the constant PAGE. */
export const PAGE_SIZE = 1 << PAGE_SHIFT;
/** Pages that one work item of the decode attention covers. Fixed, so that a lane's sums never depend on the batch. */
export const SPLIT_PAGES = 8;
/** Query rows of one lane that one workgroup of the prefill attention serves. */
export const PREFILL_TILE = 8;
/** Most decode rows that read a split of the cache together, PREFILL_TILE at a time. */
export const SHARED_ROWS = 32;

/** Set in `Row.token`: the token is what the lane in slot `token & 0xffff` sampled last, which only the GPU knows. */
export const FROM_LANE = 0x80000000;
/** `Row.kvSlot` of a row whose keys and values are in the cache already. */
export const NO_WRITE = 0xffffffff;

/** Host-known numbers of a step. Tokens "attended" include the row's own. */
export interface StepShape {
  /** All rows. Rows 0 … decodeRows−1 go to the decode attention, the rest, grouped by lane, to the prefill attention. */
  rows: number;
  decodeRows: number;
  /** Splits of all decode rows in layers where all are dense: partial results that are combined. */
  decodeItems: number;
  /** Of those, the ones read for one row alone: work items of the decode attention. */
  soloItems: number;
  /** The others: tiles of rows that read one split together, Σ over tiles of rows, and how many rows are in any tile. */
  sharedTiles: number;
  sharedItems: number;
  sharedRows: number;
  /** Σ over decode rows of tokens attended in layers where they attend to everything. */
  decodeTokens: number;
  /** The same where policies hold; without rows where no decode row leaves any token out. */
  readonly sparse: SparseWork;
  /** Query tiles of the prefill attention. */
  prefillTiles: number;
  /** Σ over prefill rows of tokens attended. */
  prefillPairs: number;
  /** Σ over prefill tiles of KV tokens read (the longest row of each). */
  prefillTokens: number;
  /** Rows that fill a page of the cache, which leave its summary. */
  filledPages: number;
  /** Rows whose logits are wanted. */
  logitRows: number;
  /** Draws from those logits. */
  samples: number;
}

/** u32 words of the step header (`Step` in shaders/lib/step.wesl). */
export const STEP_HEADER_WORDS = 8;

/** Capacities the step buffers are allocated for. */
export interface StepLimits {
  maxRows: number;
  maxItems: number;
  maxLogitRows: number;
  maxSamples: number;
  /** Lane slots: places for per-lane state on the GPU. */
  slots: number;
  /** Pages a lane's block table has room for. */
  maxPagesPerLane: number;
  /** Entries of the lists that selections leave, and scores of blocks, each of all rows and KV heads together. */
  maxListEntries: number;
  maxScores: number;
}

/**
 * The GPU buffers of a step and of the lanes. u32 unless said otherwise; layouts as in shaders/lib/step.wesl.
 * - `header` uniform: rows, decodeRows, decodeItems, prefillTiles, logitRows, samples, 0, 0
 * - `rows` [maxRows] × (slot, position, token, kvSlot)
 * - `lists` [maxRows] × `RowList`: what each row attends to
 * - `items` [maxItems] × (row, split): decode attention work where every row is dense
 * - `firstItems` [maxRows]: place of each decode row's partial results, one a split
 * - `sharedTiles` [maxItems / 2] × (first row, row count, slot, position of the split): splits read for several decode rows
 * - `sparseItems`, `sparseFirstItems`, `sparseSharedTiles`: the same where policies hold
 * - `mixedItems`: items where only some do, with `firstItems` and `sparseSharedTiles`
 * - `summarySearches`, `keySearches` [maxRows] × `Search`: choices of blocks, by where their scores come from
 * - `tiles` [maxRows] × (first row, row count, slot, position of the first row): prefill attention work
 * - `logitRows` [maxLogitRows]: row index of each logits row
 * - `samples` [maxSamples] × (logits row, slot, target token, flags)
 * - `pageLists` block tables, [slots][maxPagesPerLane]: physical page of each logical page; then [maxListEntries] what
 *   selections leave, see shaders/attention/pages.wesl
 * - `laneTokens` [slots]: the token each lane sampled last
 */
export interface StepBuffers {
  header: GPUBuffer;
  rows: GPUBuffer;
  lists: GPUBuffer;
  items: GPUBuffer;
  firstItems: GPUBuffer;
  sparseItems: GPUBuffer;
  sparseFirstItems: GPUBuffer;
  mixedItems: GPUBuffer;
  sharedTiles: GPUBuffer;
  sparseSharedTiles: GPUBuffer;
  summarySearches: GPUBuffer;
  keySearches: GPUBuffer;
  tiles: GPUBuffer;
  logitRows: GPUBuffer;
  samples: GPUBuffer;
  pageLists: GPUBuffer;
  laneTokens: GPUBuffer;
}

const UNIFORM = 0x40 | 0x08;

export function createStepBuffers(gpu: Gpu, limits: StepLimits): StepBuffers {
  const words = (label: string, count: number) => gpu.buffer(label, count * 4);
  return {
    header: gpu.buffer('step header', STEP_HEADER_WORDS * 4, UNIFORM),
    rows: words('step rows', limits.maxRows * 4),
    lists: words('step lists', limits.maxRows * ROW_LIST_WORDS),
    items: words('step items', limits.maxItems * 2),
    firstItems: words('step first items', limits.maxRows),
    sparseItems: words('step sparse items', limits.maxItems * 2),
    sparseFirstItems: words('step sparse first items', limits.maxRows),
    mixedItems: words('step mixed items', limits.maxItems * 2),
    sharedTiles: words('step shared tiles', Math.ceil(limits.maxItems / 2) * 4),
    sparseSharedTiles: words('step sparse shared tiles', Math.ceil(limits.maxItems / 2) * 4),
    summarySearches: words('step searches by summaries', limits.maxRows * SEARCH_WORDS),
    keySearches: words('step searches by keys', limits.maxRows * SEARCH_WORDS),
    tiles: words('step tiles', limits.maxRows * 4),
    logitRows: words('step logit rows', limits.maxLogitRows),
    samples: words('step samples', limits.maxSamples * 4),
    pageLists: words('page lists', limits.slots * limits.maxPagesPerLane + limits.maxListEntries),
    laneTokens: words('lane tokens', limits.slots),
  };
}

/** Records the dispatches of a step together with what each costs. */
export class StepRecorder {
  readonly recorder: Recorder;
  readonly costs = new StepCosts();

  constructor(gpu: Gpu) {
    this.recorder = new Recorder(gpu);
  }

  begin(label: string, timestamps?: GPUComputePassTimestampWrites): void {
    this.costs.reset();
    this.recorder.begin(label, timestamps);
  }

  /** One dispatch and its cost: FLOPs and bytes of class `kind`, split over lanes by `share`. */
  dispatch(
    kernel: Kernel,
    bindings: GPUBindGroup,
    grid: Grid,
    kind: CostClass,
    share: Share,
    flops: number,
    bytes: number,
  ): void {
    this.recorder.dispatch(kernel, bindings, grid);
    this.costs.add(share, kind, flops, bytes);
  }

  /** A dispatch of class `attention`, and what it would cost if its rows attended to everything. */
  attend(
    kernel: Kernel,
    bindings: GPUBindGroup,
    grid: Grid,
    flops: number,
    bytes: number,
    denseFlops: number,
    denseBytes: number,
  ): void {
    this.recorder.dispatch(kernel, bindings, grid);
    this.costs.addAttention(flops, bytes, denseFlops, denseBytes);
  }
}
