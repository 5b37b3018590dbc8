/**
 * One step while it is put together: rows, attention work and draws, in the typed arrays that are uploaded. Reused from
 * step to step; only the list of draws is fresh, since it outlives the step until its results are read.
 */

import { KEEP } from '../kernels/sample.ts';
import {
  FROM_LANE,
  NO_WRITE,
  PAGE_SIZE,
  PREFILL_TILE,
  SPLIT_PAGES,
  type StepLimits,
  type StepShape,
} from '../kernels/step.ts';
import type { PageCopy } from '../kv/index.ts';
import type { Sequence } from './sequence.ts';
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
  attended: number;
  logits: number;
  sampled: number;
}

const SPLIT_TOKENS = SPLIT_PAGES * PAGE_SIZE;

export class StepPlan {
  readonly limits: StepLimits;
  readonly rows: Uint32Array<ArrayBuffer>;
  readonly items: Uint32Array<ArrayBuffer>;
  readonly rowSplits: Uint32Array<ArrayBuffer>;
  readonly tiles: Uint32Array<ArrayBuffer>;
  readonly logitRows: Uint32Array<ArrayBuffer>;
  readonly samples: Uint32Array<ArrayBuffer>;
  readonly shape: StepShape = {
    rows: 0,
    decodeRows: 0,
    decodeItems: 0,
    decodeTokens: 0,
    prefillTiles: 0,
    prefillPairs: 0,
    prefillTokens: 0,
    logitRows: 0,
    samples: 0,
  };
  readonly parts = new Map<Sequence, LanePart>();
  copies: PageCopy[] = [];
  planned: PlannedSample[] = [];

  constructor(limits: StepLimits) {
    this.limits = limits;
    this.rows = new Uint32Array(limits.maxRows * 4);
    this.items = new Uint32Array(limits.maxItems * 2);
    this.rowSplits = new Uint32Array(limits.maxRows * 2);
    this.tiles = new Uint32Array(limits.maxRows * 4);
    this.logitRows = new Uint32Array(limits.maxLogitRows);
    this.samples = new Uint32Array(limits.maxSamples * 4);
  }

  reset(): void {
    for (const key of Object.keys(this.shape) as (keyof StepShape)[]) this.shape[key] = 0;
    this.parts.clear();
    this.copies = [];
    this.planned = [];
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

  /** Whether a decode row at `position` fits beside what is planned: a row, its splits, its logits, its draw. */
  fitsDecode(position: number): boolean {
    const items = Math.floor(position / SPLIT_TOKENS) + 1;
    return this.freeRows >= 1 && this.freeLogitRows >= 1 && this.shape.decodeItems + items <= this.limits.maxItems;
  }

  /**
   * Adds a decode row with its draw. All decode rows come before any prefill row.
   * @param token the token id, or null for what the lane sampled last.
   */
  addDecode(task: Task, position: number, token: number | null, kvSlot: number): void {
    const { shape } = this;
    const row = shape.rows;
    this.#row(row, task.slot, position, token ?? (FROM_LANE | task.slot) >>> 0, kvSlot);
    const splits = Math.floor(position / SPLIT_TOKENS) + 1;
    this.rowSplits[row * 2] = shape.decodeItems;
    this.rowSplits[row * 2 + 1] = splits;
    for (let split = 0; split < splits; split++) {
      this.items[shape.decodeItems * 2] = row;
      this.items[shape.decodeItems * 2 + 1] = split;
      shape.decodeItems++;
    }
    shape.rows++;
    shape.decodeRows++;
    shape.decodeTokens += position + 1;
    const part = this.#part(task.sequence);
    part.rows++;
    part.attended += position + 1;
    const logitRow = this.addLogits(task.sequence, row);
    this.addSample(task, logitRow, 0, KEEP, position);
    part.sampled++;
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
    for (let i = 0; i < count; i++) this.#row(first + i, task.slot, position + i, tokens[i]!, kvSlots[i] ?? NO_WRITE);
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

  #row(row: number, slot: number, position: number, token: number, kvSlot: number): void {
    const at = row * 4;
    this.rows[at] = slot;
    this.rows[at + 1] = position;
    this.rows[at + 2] = token;
    this.rows[at + 3] = kvSlot;
  }

  #part(sequence: Sequence): LanePart {
    let part = this.parts.get(sequence);
    if (!part) {
      part = { rows: 0, attended: 0, logits: 0, sampled: 0 };
      this.parts.set(sequence, part);
    }
    return part;
  }
}
