/**
 * One step while it is put together: rows, attention work and draws, in the typed arrays that are uploaded. Reused from
 * step to step; only the list of draws is fresh, since it outlives the step until its results are read.
 */

import { ROW_LIST_WORDS, SparseWork, writeDenseList, writePolicyList } from '../kernels/row-lists.ts';
import { KEEP } from '../kernels/sample.ts';
import { FROM_LANE, NO_WRITE, PAGE_SIZE, PREFILL_TILE, type StepLimits, type StepShape } from '../kernels/step.ts';
import type { PageCopy } from '../kv/index.ts';
import { type Sparsity, spanOf } from './attention.ts';
import { type PlannedModel, Selections } from './selections.ts';
import type { Sequence } from './sequence.ts';
import {
  addItems,
  alone,
  commonSplits,
  type DecodingRow,
  listTiles,
  type Sharing,
  SPLIT_TOKENS,
} from './shared-splits.ts';
import type { Task } from './task.ts';

/** A draw of this step and whose it is. */
export interface PlannedSample {
  readonly task: Task;
  /** What the task made of it: an index or position of its own. */
  readonly tag: number;
}

/** A lane's part of a step. */
export interface LanePart {
  rows: number;
  /** Tokens attended, on average over the layers. */
  attended: number;
  /** The same had every row attended to everything. */
  denseAttended: number;
  /** Vectors that selections scored for it, on average over the layers. */
  searched: number;
  logits: number;
  sampled: number;
}

const itemsFor = (tokens: number) => Math.ceil(tokens / SPLIT_TOKENS);
export class StepPlan {
  readonly limits: StepLimits;
  readonly rows: Uint32Array<ArrayBuffer>;
  readonly lists: Uint32Array<ArrayBuffer>;
  readonly items: Uint32Array<ArrayBuffer>;
  readonly firstItems: Uint32Array<ArrayBuffer>;
  readonly sparseItems: Uint32Array<ArrayBuffer>;
  readonly sparseFirstItems: Uint32Array<ArrayBuffer>;
  readonly mixedItems: Uint32Array<ArrayBuffer>;
  readonly sharedTiles: Uint32Array<ArrayBuffer>;
  readonly sparseSharedTiles: Uint32Array<ArrayBuffer>;
  readonly selections: Selections;
  readonly tiles: Uint32Array<ArrayBuffer>;
  readonly logitRows: Uint32Array<ArrayBuffer>;
  readonly samples: Uint32Array<ArrayBuffer>;
  readonly shape: StepShape = {
    rows: 0,
    decodeRows: 0,
    decodeItems: 0,
    decodeTokens: 0,
    soloItems: 0,
    sharedTiles: 0,
    sharedItems: 0,
    sharedRows: 0,
    sparse: new SparseWork(),
    prefillTiles: 0,
    prefillPairs: 0,
    prefillTokens: 0,
    filledPages: 0,
    logitRows: 0,
    samples: 0,
  };
  readonly parts = new Map<Sequence, LanePart>();
  copies: PageCopy[] = [];
  planned: PlannedSample[] = [];

  /** Of the decode rows, until their splits are listed. */
  readonly #decoding: DecodingRow[] = [];
  readonly #model: PlannedModel;

  constructor(limits: StepLimits, model: PlannedModel) {
    this.limits = limits;
    this.#model = model;
    this.rows = new Uint32Array(limits.maxRows * 4);
    this.lists = new Uint32Array(limits.maxRows * ROW_LIST_WORDS);
    this.items = new Uint32Array(limits.maxItems * 2);
    this.firstItems = new Uint32Array(limits.maxRows);
    this.sparseItems = new Uint32Array(limits.maxItems * 2);
    this.sparseFirstItems = new Uint32Array(limits.maxRows);
    this.mixedItems = new Uint32Array(limits.maxItems * 2);
    this.sharedTiles = new Uint32Array(Math.ceil(limits.maxItems / 2) * 4);
    this.sparseSharedTiles = new Uint32Array(Math.ceil(limits.maxItems / 2) * 4);
    this.selections = new Selections(limits, model);
    this.tiles = new Uint32Array(limits.maxRows * 4);
    this.logitRows = new Uint32Array(limits.maxLogitRows);
    this.samples = new Uint32Array(limits.maxSamples * 4);
  }

  reset(): void {
    const { sparse, ...counts } = this.shape;
    for (const key of Object.keys(counts) as (keyof typeof counts)[]) this.shape[key] = 0;
    sparse.reset();
    this.#decoding.length = 0;
    this.selections.reset();
    this.parts.clear();
    this.copies = [];
    this.planned = [];
  }

  /** Whether rows read what they have in common together. */
  get share(): boolean {
    return this.selections.share;
  }

  set share(share: boolean) {
    this.selections.share = share;
  }

  get empty(): boolean {
    return this.shape.rows === 0;
  }

  /** Rows that still fit. */
  get freeRows(): number {
    return this.limits.maxRows - this.shape.rows;
  }

  get freeLogitRows(): number {
    return Math.min(this.limits.maxLogitRows - this.shape.logitRows, this.limits.maxSamples - this.shape.samples);
  }

  /** Whether a decode row at `position` fits beside what is planned: as a row, and with its logits and its draw. */
  fitsDecode(position: number, policy: Sparsity | null): boolean {
    return this.freeLogitRows >= 1 && this.fitsRow(position, policy);
  }

  /** Whether a row of the decode attention fits: the row, its splits, its lists and scores. */
  fitsRow(position: number, policy: Sparsity | null): boolean {
    const items = this.shape.decodeItems + itemsFor(position + 1);
    if (this.freeRows < 1 || items > this.limits.maxItems) return false;
    const span = spanOf(policy, position + 1);
    return !span || !policy || this.selections.fits(policy, span);
  }

  /**
   * Adds a decode row with its draw. All decode rows come before any prefill row.
   * @param token the token id, or null for what the lane sampled last.
   */
  addDecode(task: Task, position: number, token: number | null, kvSlot: number, policy: Sparsity | null): void {
    const row = this.addDecodeRow(task, position, token ?? (FROM_LANE | task.slot) >>> 0, kvSlot, policy);
    const logitRow = this.addLogits(task.sequence, row);
    this.addSample(task, logitRow, 0, KEEP, position);
    this.#part(task.sequence).sampled++;
  }

  /** Adds a row to the decode attention, without a draw; returns its index. */
  addDecodeRow(task: Task, position: number, token: number, kvSlot: number, policy: Sparsity | null): number {
    const { shape } = this;
    const row = shape.rows;
    const length = position + 1;
    const span = spanOf(policy, length);
    const tokens = span ? span.tokens : length;
    this.#row(row, task.slot, position, token, kvSlot);
    this.firstItems[row] = shape.decodeItems;
    shape.decodeItems += itemsFor(length);
    this.sparseFirstItems[row] = shape.sparse.items;
    shape.sparse.items += itemsFor(tokens);
    this.#decoding.push({ slot: task.slot, pages: task.sequence.pages.pages, length, tokens, dense: span === null });
    shape.rows++;
    shape.decodeRows++;
    shape.decodeTokens += length;
    shape.sparse.tokens += tokens;
    const part = this.#part(task.sequence);
    part.rows++;
    part.attended += tokens;
    part.denseAttended += length;
    if (policy && span) {
      const { denseLayers } = policy;
      const { layers } = this.#model;
      const left = length - tokens;
      shape.sparse.rows++;
      const { list, searched } = this.selections.add(
        row,
        this.#table(task),
        policy,
        span,
        task.sequence.pages.pages,
        shape.sparse,
      );
      part.searched += searched;
      writePolicyList(this.lists, row, this.#table(task), length, list, denseLayers);
      for (const layer of denseLayers) shape.sparse.addDense(layer, itemsFor(length) - itemsFor(tokens), left);
      part.attended += (left * denseLayers.length) / layers;
    } else writeDenseList(this.lists, row, this.#table(task), length);
    return row;
  }

  /** Lists the work of the decode rows, when all of them are there: which splits are read for one row, which for several. */
  listDecode(): void {
    const { shape } = this;
    const rows = this.#decoding;
    const all = this.#common('all');
    listTiles(rows, all, this.sharedTiles, shape);
    for (const [row, { length }] of rows.entries()) {
      shape.soloItems = addItems(this.items, shape.soloItems, row, alone(all, row), itemsFor(length));
    }
    const { sparse } = shape;
    if (sparse.rows === 0) return;
    const dense = this.#common('dense');
    listTiles(rows, dense, this.sparseSharedTiles, sparse);
    for (const [row, { length, tokens }] of rows.entries()) {
      const from = alone(dense, row);
      sparse.soloItems = addItems(this.sparseItems, sparse.soloItems, row, from, itemsFor(tokens));
      sparse.mixedItems = addItems(this.mixedItems, sparse.mixedItems, row, from, itemsFor(length));
    }
  }

  #common(among: Sharing): Uint32Array {
    const rows = this.#decoding;
    return this.share ? commonSplits(rows, among) : new Uint32Array(rows.length + 1);
  }

  /**
   * Adds known tokens of a lane as prefill rows, cut into query tiles.
   * @param kvSlots per token: where its keys and values go, or NO_WRITE.
   * @returns the index of the first row.
   */
  addPrefill(task: Task, position: number, tokens: ArrayLike<number>, kvSlots: ArrayLike<number>): number {
    const { shape } = this;
    const first = shape.rows;
    const part = this.#part(task.sequence);
    const count = tokens.length;
    for (let i = 0; i < count; i++) {
      this.#row(first + i, task.slot, position + i, tokens[i]!, kvSlots[i] ?? NO_WRITE);
      writeDenseList(this.lists, first + i, this.#table(task), position + i + 1);
    }
    for (let at = 0; at < count; at += PREFILL_TILE) {
      const rows = Math.min(PREFILL_TILE, count - at);
      const tile = shape.prefillTiles * 4;
      this.tiles[tile] = first + at;
      this.tiles[tile + 1] = rows;
      this.tiles[tile + 2] = task.slot;
      this.tiles[tile + 3] = position + at;
      shape.prefillTiles++;
      shape.prefillTokens += position + at + rows;
    }
    // Σ (position + i + 1) over the rows.
    const pairs = count * (position + 1) + (count * (count - 1)) / 2;
    shape.prefillPairs += pairs;
    shape.rows += count;
    part.rows += count;
    part.attended += pairs;
    part.denseAttended += pairs;
    return first;
  }

  /** Asks for the logits of a row; returns their index. */
  addLogits(sequence: Sequence, row: number): number {
    const index = this.shape.logitRows++;
    this.logitRows[index] = row;
    this.#part(sequence).logits++;
    return index;
  }

  addSample(task: Task, logitRow: number, target: number, flags: number, tag: number): void {
    const at = this.shape.samples++ * 4;
    this.samples[at] = logitRow;
    this.samples[at + 1] = task.slot;
    this.samples[at + 2] = target;
    this.samples[at + 3] = flags;
    this.planned.push({ task, tag });
  }

  /** Word where the block table of a task's lane begins. */
  #table(task: Task): number {
    return task.slot * this.limits.maxPagesPerLane;
  }

  #row(row: number, slot: number, position: number, token: number, kvSlot: number): void {
    const at = row * 4;
    this.rows[at] = slot;
    this.rows[at + 1] = position;
    this.rows[at + 2] = token;
    this.rows[at + 3] = kvSlot;
    if (kvSlot !== NO_WRITE && position % PAGE_SIZE === PAGE_SIZE - 1) this.shape.filledPages++;
  }

  #part(sequence: Sequence): LanePart {
    let part = this.parts.get(sequence);
    if (!part) {
      part = { rows: 0, attended: 0, denseAttended: 0, searched: 0, logits: 0, sampled: 0 };
      this.parts.set(sequence, part);
    }
    return part;
  }
}
