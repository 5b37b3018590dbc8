/** What must hold of the attention kernels, as checks that any host with a `Gpu` can run: they throw on a mismatch. */
import type { Gpu } from '../../../src/gpu/index.ts';
import { createAttention } from '../../../src/kernels/attention-serial.ts';
import { kvHeadBytes } from '../../../src/kernels/precision.ts';
import { PAGE_SIZE, SPLIT_PAGES, type StepShape } from '../../../src/kernels/step.ts';
import { attend } from '../../reference/attention.ts';
import {
  randomLanes,
  type SharedTile,
  shufflePages,
  submit,
  TestCache,
  type TestLane,
  type TestRow,
  tileSizes,
} from './attention-support.ts';
import type { CacheShape } from './cache-memory.ts';
import { assert, assertClose, assertSameBits, downloadFloats, randoms, seeded, upload } from './linear-support.ts';

export interface AttentionCase extends CacheShape {
  lengths: readonly number[];
  seed: number;
  /** Scale of the queries: the larger, the more a few tokens outweigh the rest. Default 0.5. */
  sharpness?: number;
}

/** Around the borders of pages (16 tokens) and splits (128 tokens). */
export const BORDERS = [1, 15, 16, 17, 127, 128, 129, 300];
/** Rows of each lane that are checked in prefill: the last ones. */
const PREFILLED = 13;
/** Rounding of f32 scores, which grows with them. */
const tolerance = (sharpness: number) => 5e-6 * Math.max(1, sharpness);

/**
 * Decode and prefill rows of ragged lanes against float64; then bit for bit: by the serial kernel, with other physical pages,
 * with a row alone, with prompts cut into other chunks, and decode against prefill.
 */
export async function checkAttention(gpu: Gpu, test: AttentionCase): Promise<void> {
  const { heads, kvHeads, headDim, precision, lengths, seed, sharpness = 0.5 } = test;
  const name = `${heads}/${kvHeads} heads of ${headDim} in ${precision}`;
  const width = heads * headDim;
  const random = seeded(seed + 1000);
  const lanes = shufflePages(randomLanes(test, lengths, seed), seed);
  const moved = shufflePages(lanes, seed + 1);
  const rowsOf = (lane: number): TestRow[] => {
    const length = lengths[lane]!;
    const count = Math.min(PREFILLED, length);
    return Array.from({ length: count }, (_, i) => ({
      lane,
      position: length - count + i,
      q: randoms(random, width, sharpness),
    }));
  };
  const prefill = lanes.map((_, lane) => rowsOf(lane));
  const rows = prefill.flat();
  const last = prefill.map((own) => own.at(-1)!);
  const expected = (row: TestRow) => {
    const lane = lanes[row.lane]!;
    const [keys, values] = [lane.keys.slice(0, row.position + 1), lane.values.slice(0, row.position + 1)];
    return attend(row.q, keys, values, { heads, kvHeads, headDim, scale: 1 });
  };

  const run = await runner(gpu, test, lanes, rows.length);
  const runMoved = await runner(gpu, test, moved, rows.length);
  const runSerial = await runner(gpu, test, lanes, rows.length, { serial: true });
  try {
    const decoded = await run.decode(last);
    const whole = await run.prefill(
      rows,
      prefill.flatMap((own) => tileSizes(own.length)),
    );
    const part = (all: Float32Array, row: number) => all.subarray(row * width, (row + 1) * width);
    let at = 0;
    for (const [lane, own] of prefill.entries()) {
      const what = `${name}, lane of ${lengths[lane]}`;
      for (const [i, row] of own.entries()) {
        assertClose(part(whole, at + i), expected(row), tolerance(sharpness), `${what}, prefill row ${row.position}`);
      }
      at += own.length;
      assertClose(part(decoded, lane), expected(own.at(-1)!), tolerance(sharpness), `${what}, decode`);
      assertSameBits(part(decoded, lane), part(whole, at - 1), `${what}, decode and prefill`);
    }

    assertSameBits(await runSerial.decode(last), decoded, `${name}, decode serially`);
    const tiles = prefill.flatMap((own) => tileSizes(own.length));
    assertSameBits(await runSerial.prefill(rows, tiles), whole, `${name}, prefill serially`);
    assertSameBits(await runMoved.decode(last), decoded, `${name}, decode with other pages`);
    const singles = Array.from(rows, () => 1);
    assertSameBits(await runMoved.prefill(rows, singles), whole, `${name}, prefill row by row with other pages`);
    const uneven = prefill.flatMap((own) => (own.length === PREFILLED ? [3, 1, 7, 2] : tileSizes(own.length)));
    assertSameBits(await run.prefill(rows, uneven), whole, `${name}, prefill in uneven chunks`);
    const longest = lengths.indexOf(Math.max(...lengths));
    for (const lane of new Set([0, longest])) {
      assertSameBits(await run.decode([last[lane]!]), part(decoded, lane), `${name}, decode alone`);
    }
  } finally {
    run.free();
    runMoved.free();
    runSerial.free();
  }
}

/**
 * Lanes with leading pages in common, a row each: read together in tiles of any cut they have the bits they have alone.
 * Forty lanes share a split, the first three of them another, behind which each has some of its own.
 */
export async function checkSharedPages(gpu: Gpu, shape: CacheShape, seed: number): Promise<void> {
  const random = seeded(seed);
  const [common] = randomLanes(shape, [256], seed) as [TestLane];
  const own = randomLanes(
    shape,
    Array.from({ length: 40 }, () => 1 + Math.floor(random() * 20)),
    seed + 1,
  );
  let pages = common.pages.length;
  const lanes = own.map(({ keys, values, pages: { length } }, lane): TestLane => {
    const shared = lane < 3 ? 256 : 128;
    return {
      keys: [...common.keys.slice(0, shared), ...keys],
      values: [...common.values.slice(0, shared), ...values],
      pages: [...common.pages.slice(0, shared / PAGE_SIZE), ...Array.from({ length }, () => pages++)],
    };
  });
  const width = shape.heads * shape.headDim;
  const rows = lanes.map(({ keys }, lane) => ({ lane, position: keys.length - 1, q: randoms(random, width, 0.5) }));
  // Where the heads allow it, from buffers that divide them.
  const parts = shape.kvHeads % 2 === 0 ? 2 : 1;
  const run = await runner(gpu, shape, lanes, rows.length, { parts });
  const serial = await runner(gpu, shape, lanes, rows.length, { serial: true });
  try {
    const alone = await run.decode(rows);
    assertSameBits(await serial.decode(rows), alone, 'lanes with common pages, serially');
    const whole = [
      { first: 0, count: 32, split: 0 },
      { first: 32, count: 8, split: 0 },
      { first: 0, count: 3, split: 1 },
    ];
    assertSameBits(await run.decode(rows, whole), alone, 'splits read once for all that share them');
    const uneven = [
      { first: 1, count: 9, split: 0 },
      { first: 10, count: 1, split: 0 },
      { first: 35, count: 5, split: 0 },
      { first: 1, count: 2, split: 1 },
    ];
    assertSameBits(await run.decode(rows, uneven), alone, 'some splits read once for some');
  } finally {
    run.free();
    serial.free();
  }
}

/** @param parts buffers that keys, and values, lie in. */
async function runner(
  gpu: Gpu,
  shape: CacheShape,
  lanes: readonly TestLane[],
  maxRows: number,
  { serial = false, parts = 1 } = {},
) {
  const width = shape.heads * shape.headDim;
  const items = lanes.reduce((sum, lane) => sum + Math.ceil(lane.pages.length / 8), 0);
  const cache = new TestCache(gpu, shape, lanes, { rows: maxRows, items, parts });
  const options = { ...shape, parts, maxPagesPerLane: cache.maxPagesPerLane, maxItems: items };
  const attention = await createAttention(gpu, options, { weights: 'f32', kv: shape.precision }, serial);
  const q = upload(gpu, 'q', new Float32Array(maxRows * width));
  const att = upload(gpu, 'att', new Float32Array(maxRows * width));
  const { step: cacheStep, values } = cache;
  const bound = cache.keys.map((keys, part) =>
    attention.bind(gpu, { q, att, keys, values: values[part]!, step: cacheStep, layer: 0, part }),
  );
  const run = async (rows: readonly TestRow[], step: StepShape) => {
    const all = new Float32Array(rows.length * width);
    for (const [i, row] of rows.entries()) all.set(row.q, i * width);
    gpu.device.queue.writeBuffer(q, 0, all);
    const costs = submit(gpu, (recorder) => {
      for (const part of bound) part.record(recorder, step);
    }).total();
    if (serial) checkSerialCosts(shape, step, costs.attention);
    else checkCosts(shape, step, costs.attention);
    assert(costs.other.flops + costs.linear.flops + costs.kvWrite.bytes === 0, 'attention costs nothing else');
    return downloadFloats(gpu, att, all.length);
  };
  return {
    decode: (rows: readonly TestRow[], tiles: readonly SharedTile[] = []) => run(rows, cache.decodeStep(rows, tiles)),
    prefill: (rows: readonly TestRow[], sizes: readonly number[]) => run(rows, cache.prefillStep(rows, sizes)),
    free: () => {
      cache.free();
      attention.dispose();
      gpu.free(q);
      gpu.free(att);
    },
  };
}

/** The declared cost: exact for what is read of the cache, bounded for the rest. */
function checkCosts(shape: CacheShape, step: StepShape, cost: { flops: number; bytes: number }): void {
  const width = shape.heads * shape.headDim;
  const perToken = 2 * shape.kvHeads * kvHeadBytes(shape.headDim, shape.precision);
  const flops = 4 * width * (step.decodeTokens + step.prefillPairs) + 3 * width * step.decodeItems;
  const partials = 2 * step.decodeItems * shape.heads * (shape.headDim + 4) * 4;
  // A split that a tile shares is read once.
  const saved = (step.sharedItems - step.sharedTiles) * SPLIT_PAGES * PAGE_SIZE;
  const read = step.decodeTokens - saved + step.prefillTokens;
  const bytes = perToken * read + (2 * step.rows + step.sharedRows) * width * 4 + partials;
  assert(cost.flops === flops, `attention declares ${cost.flops} FLOPs, not ${flops}`);
  assert(cost.bytes === bytes, `attention declares ${cost.bytes} bytes, not ${bytes}`);
}

/** The serial kernel reads the cache for every row. */
function checkSerialCosts(shape: CacheShape, step: StepShape, cost: { flops: number; bytes: number }): void {
  const width = shape.heads * shape.headDim;
  const attended = step.decodeTokens + step.prefillPairs;
  const bytes = 2 * shape.kvHeads * kvHeadBytes(shape.headDim, shape.precision) * attended + 2 * step.rows * width * 4;
  assert(cost.flops === 4 * width * attended, `serial attention declares ${cost.flops} FLOPs`);
  assert(cost.bytes === bytes, `serial attention declares ${cost.bytes} bytes, not ${bytes}`);
}

/** Head sizes 16 … 256 and GQA ratios 1 … 16, each of which takes another way through the kernels. */
export const SHAPES: readonly [heads: number, kvHeads: number, headDim: number][] = [
  [2, 1, 64],
  [4, 4, 16],
  [6, 2, 24],
  [4, 1, 128],
  [11, 1, 40],
  [16, 1, 136],
  [2, 2, 256],
];

/** A few shapes in one precision: what a browser runs. */
export async function checkAttentionShapes(gpu: Gpu, precision: CacheShape['precision']): Promise<void> {
  for (const [index, [heads, kvHeads, headDim]] of SHAPES.slice(0, 4).entries()) {
    await checkAttention(gpu, { heads, kvHeads, headDim, precision, lengths: [1, 17, 129], seed: index });
  }
}
