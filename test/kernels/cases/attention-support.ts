/** Lanes in a paged cache for the checks of the attention kernels: random keys and values, pages in random order. */
import type { Gpu } from '../../../src/gpu/index.ts';
import { ROW_LIST_WORDS, writeDenseList } from '../../../src/kernels/row-lists.ts';
import {
  createStepBuffers,
  PAGE_SIZE,
  PREFILL_TILE,
  SPLIT_PAGES,
  type StepBuffers,
  StepRecorder,
  type StepShape,
} from '../../../src/kernels/step.ts';
import { CacheMemory, type CacheShape, divideHeads, rounded } from './cache-memory.ts';
import { randoms, seeded, stepShape, upload } from './linear-support.ts';

/** A lane's keys and values as the cache rounds them: one [kvHeads · headDim] per position. */
export interface TestLane {
  keys: Float32Array[];
  values: Float32Array[];
  /** Physical page of each logical page. */
  pages: number[];
}

/** A row of a step: a position of a lane, and its query vectors. */
export interface TestRow {
  lane: number;
  position: number;
  /** [heads · headDim], scaled. */
  q: Float32Array;
}

/** Lanes of the given lengths. */
export function randomLanes(shape: CacheShape, lengths: readonly number[], seed: number): TestLane[] {
  const random = seeded(seed);
  const width = shape.kvHeads * shape.headDim;
  const vector = () => rounded(randoms(random, width, 1.5), shape);
  let page = 0;
  return lengths.map((length) => ({
    keys: Array.from({ length }, vector),
    values: Array.from({ length }, vector),
    pages: Array.from({ length: Math.ceil(length / PAGE_SIZE) }, () => page++),
  }));
}

/** The same lanes with their pages at other places; a few pages stay free. */
export function shufflePages(lanes: readonly TestLane[], seed: number): TestLane[] {
  const random = seeded(seed);
  const total = lanes.reduce((sum, lane) => sum + lane.pages.length, 0) + 3;
  const order = Array.from({ length: total }, (_, page) => page);
  for (let i = total - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return lanes.map((lane) => ({ ...lane, pages: lane.pages.map(() => order.pop()!) }));
}

/** Rows first … first + count − 1 of a step, whose lanes have the pages of a split in common. */
export interface SharedTile {
  first: number;
  count: number;
  split: number;
}

/** A step's buffers and a cache that holds the lanes, and NaN wherever no lane has a token. */
export class TestCache {
  readonly step: StepBuffers;
  /** By part of the KV heads: one, unless asked otherwise. */
  readonly keys: GPUBuffer[];
  readonly values: GPUBuffer[];
  readonly maxPagesPerLane: number;
  readonly #gpu: Gpu;

  constructor(
    gpu: Gpu,
    shape: CacheShape,
    lanes: readonly TestLane[],
    room: { rows: number; items: number; parts?: number },
  ) {
    this.#gpu = gpu;
    const pages = 1 + Math.max(...lanes.flatMap((lane) => lane.pages));
    const keys = new CacheMemory('keys', shape, pages);
    const values = new CacheMemory('values', shape, pages);
    for (const lane of lanes) {
      for (const [position, key] of lane.keys.entries()) {
        const page = lane.pages[Math.floor(position / PAGE_SIZE)]!;
        const offset = position % PAGE_SIZE;
        for (let head = 0; head < shape.kvHeads; head++) {
          const [from, to] = [head * shape.headDim, (head + 1) * shape.headDim];
          keys.write(page, offset, head, key.subarray(from, to));
          values.write(page, offset, head, lane.values[position]!.subarray(from, to));
        }
      }
    }
    const { parts = 1 } = room;
    this.keys = divideHeads(keys.bytes, pages, parts).map((bytes) => upload(gpu, 'keys', bytes));
    this.values = divideHeads(values.bytes, pages, parts).map((bytes) => upload(gpu, 'values', bytes));
    // One number for all tests: it is a constant of the kernels, which are slow to compile on software drivers.
    this.maxPagesPerLane = 24;
    this.step = createStepBuffers(gpu, {
      maxRows: room.rows,
      maxItems: room.items,
      maxLogitRows: 1,
      maxSamples: 1,
      slots: lanes.length,
      maxPagesPerLane: this.maxPagesPerLane,
      maxListEntries: 0,
      maxScores: 0,
    });
    const tables = new Uint32Array(lanes.length * this.maxPagesPerLane);
    for (const [slot, lane] of lanes.entries()) tables.set(lane.pages, slot * this.maxPagesPerLane);
    gpu.device.queue.writeBuffer(this.step.pageLists, 0, tables);
  }

  free(): void {
    for (const buffer of [...this.keys, ...this.values, ...Object.values(this.step)]) this.#gpu.free(buffer);
  }

  /** Writes a step of rows that all decode; those of a tile read a split of their common pages together. */
  decodeStep(rows: readonly TestRow[], tiles: readonly SharedTile[] = []): StepShape {
    const shape = stepShape(rows.length);
    shape.decodeRows = rows.length;
    const items: number[] = [];
    const firsts: number[] = [];
    const inTile = (row: number, split: number) =>
      tiles.some((tile) => tile.split === split && row >= tile.first && row < tile.first + tile.count);
    for (const [row, { position }] of rows.entries()) {
      const count = Math.floor(position / (SPLIT_PAGES * PAGE_SIZE)) + 1;
      firsts.push(shape.decodeItems);
      for (let split = 0; split < count; split++) if (!inTile(row, split)) items.push(row, split);
      shape.decodeItems += count;
      shape.decodeTokens += position + 1;
    }
    shape.soloItems = items.length / 2;
    shape.sharedTiles = tiles.length;
    shape.sharedItems = tiles.reduce((sum, { count }) => sum + count, 0);
    shape.sharedRows = rows.filter((_, row) => tiles.some(({ split }) => inTile(row, split))).length;
    this.#write(
      this.step.sharedTiles,
      tiles.flatMap(({ first, count, split }) => [first, count, rows[first]!.lane, split * SPLIT_PAGES * PAGE_SIZE]),
    );
    this.#write(this.step.items, items);
    this.#write(this.step.firstItems, firsts);
    this.#writeRows(rows, shape);
    return shape;
  }

  /** Writes a step of rows that all prefill. `sizes`: rows of each tile, within a lane, at most PREFILL_TILE. */
  prefillStep(rows: readonly TestRow[], sizes: readonly number[]): StepShape {
    const shape = stepShape(rows.length);
    const tiles: number[] = [];
    let first = 0;
    for (const size of sizes) {
      const { lane, position } = rows[first]!;
      tiles.push(first, size, lane, position);
      shape.prefillTiles++;
      shape.prefillTokens += position + size;
      for (let i = 0; i < size; i++) shape.prefillPairs += position + i + 1;
      first += size;
    }
    this.#write(this.step.tiles, tiles);
    this.#writeRows(rows, shape);
    return shape;
  }

  #writeRows(rows: readonly TestRow[], shape: StepShape): void {
    this.#write(
      this.step.rows,
      rows.flatMap(({ lane, position }) => [lane, position, 0, 0]),
    );
    const lists = new Uint32Array(rows.length * ROW_LIST_WORDS);
    for (const [row, { lane, position }] of rows.entries()) {
      writeDenseList(lists, row, lane * this.maxPagesPerLane, position + 1);
    }
    this.#gpu.device.queue.writeBuffer(this.step.lists, 0, lists);
    this.#write(this.step.header, [rows.length, shape.decodeRows, shape.soloItems, shape.prefillTiles, 0, 0, 0, 0]);
  }

  #write(buffer: GPUBuffer, words: readonly number[]): void {
    this.#gpu.device.queue.writeBuffer(buffer, 0, new Uint32Array(words));
  }
}

/** Sizes of the fewest tiles that hold `count` rows of one lane. */
export function tileSizes(count: number): number[] {
  return Array.from({ length: Math.ceil(count / PREFILL_TILE) }, (_, i) =>
    Math.min(PREFILL_TILE, count - i * PREFILL_TILE),
  );
}

/** Records and submits one operation; returns its costs. */
export function submit(gpu: Gpu, record: (step: StepRecorder) => void): StepRecorder['costs'] {
  const step = new StepRecorder(gpu);
  step.begin('test');
  record(step);
  gpu.device.queue.submit([step.recorder.finish()]);
  return step.costs;
}
