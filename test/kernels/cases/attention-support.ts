/** Lanes in a paged cache for the checks of the attention kernels: random keys and values, pages in random order. */
import type { Gpu } from '../../../src/gpu/index.ts';
import type { Precision } from '../../../src/kernels/precision.ts';
import {
  createStepBuffers,
  PAGE_SIZE,
  PREFILL_TILE,
  SPLIT_PAGES,
  type StepBuffers,
  StepRecorder,
  type StepShape,
} from '../../../src/kernels/step.ts';
import { nearestHalf, randoms, seeded, stepShape, upload } from './linear-support.ts';

export interface CacheShape {
  heads: number;
  kvHeads: number;
  headDim: number;
  precision: Precision;
}

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

/** Bits of a number that f16 holds exactly. */
export function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude < 2 ** -14) return sign | (magnitude / 2 ** -24);
  const exponent = Math.floor(Math.log2(magnitude));
  return sign | ((exponent + 15) << 10) | ((magnitude / 2 ** exponent - 1) * 1024);
}

/** Numbers as they lie in memory. */
export function stored(numbers: Float32Array<ArrayBuffer>, precision: Precision): Uint8Array<ArrayBuffer> {
  if (precision === 'f32') return new Uint8Array(numbers.buffer);
  return new Uint8Array(Uint16Array.from(numbers, halfBits).buffer);
}

/** Numbers read back from memory. */
export function loaded(bytes: ArrayBuffer, precision: Precision): Float32Array {
  if (precision === 'f32') return new Float32Array(bytes);
  return Float32Array.from(new Uint16Array(bytes), (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  });
}

/** Index of number `i` of a KV head's key, at a token's place. */
export function keyIndex(shape: CacheShape, page: number, offset: number, head: number, i: number): number {
  const d4 = Math.floor(i / 4);
  return (((page * shape.kvHeads + head) * (shape.headDim / 4) + d4) * PAGE_SIZE + offset) * 4 + (i % 4);
}

/** Index of number `i` of a KV head's value, at a token's place. */
export function valueIndex(shape: CacheShape, page: number, offset: number, head: number, i: number): number {
  return ((page * shape.kvHeads + head) * PAGE_SIZE + offset) * shape.headDim + i;
}

/** Lanes of the given lengths. */
export function randomLanes(shape: CacheShape, lengths: readonly number[], seed: number): TestLane[] {
  const random = seeded(seed);
  const width = shape.kvHeads * shape.headDim;
  const vector = () => {
    const numbers = randoms(random, width, 1.5);
    return shape.precision === 'f16' ? numbers.map(nearestHalf) : numbers;
  };
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

/** A step's buffers and a cache that holds the lanes, and NaN wherever no lane has a token. */
export class TestCache {
  readonly step: StepBuffers;
  readonly keys: GPUBuffer;
  readonly values: GPUBuffer;
  readonly maxPagesPerLane: number;
  readonly #gpu: Gpu;

  constructor(gpu: Gpu, shape: CacheShape, lanes: readonly TestLane[], room: { rows: number; items: number }) {
    this.#gpu = gpu;
    const pages = 1 + Math.max(...lanes.flatMap((lane) => lane.pages));
    const pageNumbers = PAGE_SIZE * shape.kvHeads * shape.headDim;
    const keys = new Float32Array(pages * pageNumbers).fill(Number.NaN);
    const values = new Float32Array(pages * pageNumbers).fill(Number.NaN);
    for (const lane of lanes) {
      for (const [position, key] of lane.keys.entries()) {
        const page = lane.pages[Math.floor(position / PAGE_SIZE)]!;
        const value = lane.values[position]!;
        const offset = position % PAGE_SIZE;
        for (let head = 0; head < shape.kvHeads; head++) {
          for (let i = 0; i < shape.headDim; i++) {
            keys[keyIndex(shape, page, offset, head, i)] = key[head * shape.headDim + i]!;
            values[valueIndex(shape, page, offset, head, i)] = value[head * shape.headDim + i]!;
          }
        }
      }
    }
    this.keys = upload(gpu, 'keys', stored(keys, shape.precision));
    this.values = upload(gpu, 'values', stored(values, shape.precision));
    // One number for all tests: it is a constant of the kernels, which are slow to compile on software drivers.
    this.maxPagesPerLane = 24;
    this.step = createStepBuffers(gpu, {
      maxRows: room.rows,
      maxItems: room.items,
      maxLogitRows: 1,
      maxSamples: 1,
      slots: lanes.length,
      maxPagesPerLane: this.maxPagesPerLane,
    });
    const tables = new Uint32Array(lanes.length * this.maxPagesPerLane);
    for (const [slot, lane] of lanes.entries()) tables.set(lane.pages, slot * this.maxPagesPerLane);
    gpu.device.queue.writeBuffer(this.step.blockTables, 0, tables);
  }

  free(): void {
    for (const buffer of [this.keys, this.values, ...Object.values(this.step)]) this.#gpu.free(buffer);
  }

  /** Writes a step of rows that all decode. */
  decodeStep(rows: readonly TestRow[]): StepShape {
    const shape = stepShape(rows.length);
    shape.decodeRows = rows.length;
    const items: number[] = [];
    const splits: number[] = [];
    for (const [row, { position }] of rows.entries()) {
      const count = Math.floor(position / (SPLIT_PAGES * PAGE_SIZE)) + 1;
      splits.push(items.length / 2, count);
      for (let split = 0; split < count; split++) items.push(row, split);
      shape.decodeTokens += position + 1;
    }
    shape.decodeItems = items.length / 2;
    this.#write(this.step.items, items);
    this.#write(this.step.rowSplits, splits);
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
    this.#write(this.step.header, [rows.length, shape.decodeRows, shape.decodeItems, shape.prefillTiles, 0, 0, 0, 0]);
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
