/** What must hold of page summaries, as a check that any host with a `Gpu` can run. */
import type { Gpu } from '../../../src/gpu/index.ts';
import { plainRotation, RopeAppend } from '../../../src/kernels/rope.ts';
import { createStepBuffers, PAGE_SIZE } from '../../../src/kernels/step.ts';
import { type SummaryKind, summaryPageBytes, summaryPrecision } from '../../../src/kernels/summary.ts';
import { submit } from './attention-support.ts';
import { CacheMemory, type CacheShape, divideHeads, halfNumber, joinHeads } from './cache-memory.ts';
import {
  assert,
  assertClose,
  assertSameBits,
  download,
  freeStep,
  randoms,
  seeded,
  stepShape,
  upload,
} from './linear-support.ts';
import { permutation } from './selection.ts';

export interface SummaryCase extends CacheShape {
  qkNorm: boolean;
  summary: SummaryKind;
  /** Buffers that keys, values and summaries lie in, each with as many heads. Default 1. */
  parts?: number;
  /** Tokens of a lane. */
  length: number;
  /** Ways to cut them into steps: sizes in turn, over and over. */
  cuts: readonly (readonly number[])[];
  seed: number;
}

/** Summaries of full pages against their definition over the keys as stored; the same bits however steps were cut. */
export async function checkSummaries(gpu: Gpu, test: SummaryCase): Promise<void> {
  const { heads, kvHeads, headDim, precision, qkNorm, summary, length, cuts, parts = 1 } = test;
  const name = `${summary} of ${kvHeads} heads of ${headDim} in ${precision}`;
  const random = seeded(test.seed);
  const width = (heads + 2 * kvHeads) * headDim;
  // Around 1, not around 0: means that are nothing but rounding could not be told from wrong ones.
  const qkv = randoms(random, length * width, 2).map((x) => x + 0.5);
  const pages = permutation(Math.ceil(length / PAGE_SIZE) + 2, random);
  const options = {
    heads,
    kvHeads,
    headDim,
    rotation: plainRotation(headDim, 1e4),
    maxContext: length,
    qkNormEpsilon: qkNorm ? 1e-6 : null,
    summary,
    parts,
  };
  const append = await RopeAppend.create(gpu, options, { weights: 'f32', kv: precision });
  const step = createStepBuffers(gpu, {
    maxRows: length,
    maxItems: 1,
    maxLogitRows: 1,
    maxSamples: 1,
    slots: 1,
    maxPagesPerLane: 1,
    maxListEntries: 0,
    maxScores: 0,
  });
  const bytes = pages.length * summaryPageBytes(test, summary, precision);
  const memory = new CacheMemory('keys', test, pages.length);

  const run = async (sizes: readonly number[]) => {
    const buffers = {
      qkv: gpu.buffer('qkv', qkv.byteLength),
      q: gpu.buffer('q', length * heads * headDim * 4),
      ...(qkNorm ? { gains: upload(gpu, 'gains', randoms(seeded(9), 2 * headDim, 1.5)) } : {}),
    };
    const cache = divideHeads(memory.bytes, pages.length, parts).map((part) => ({
      keys: upload(gpu, 'keys', part),
      values: upload(gpu, 'values', part),
      summaries: gpu.buffer('summaries', bytes / parts),
    }));
    const bound = cache.map((own, part) => append.bind(gpu, { ...buffers, ...own, step, part }));
    const { queue } = gpu.device;
    for (let [first, turn] = [0, 0]; first < length; turn++) {
      const count = Math.min(sizes[turn % sizes.length]!, length - first);
      const shape = stepShape(count);
      const words = Array.from({ length: count }, (_, i) => {
        const position = first + i;
        if (position % PAGE_SIZE === PAGE_SIZE - 1) shape.filledPages++;
        return [0, position, 0, pages[Math.floor(position / PAGE_SIZE)]! * PAGE_SIZE + (position % PAGE_SIZE)];
      });
      queue.writeBuffer(step.rows, 0, new Uint32Array(words.flat()));
      queue.writeBuffer(step.header, 0, new Uint32Array([count, 0, 0, 0, 0, 0, 0, 0]));
      queue.writeBuffer(buffers.qkv, 0, qkv, first * width, count * width);
      submit(gpu, (recorder) => {
        for (const part of bound) part.record(recorder, shape);
      });
      first += count;
    }
    const whole = async (kind: 'keys' | 'summaries', length: number) => {
      const own = await Promise.all(cache.map((part) => download(gpu, part[kind], length / parts)));
      return joinHeads(
        own.map((part) => new Uint8Array(part)),
        pages.length,
      );
    };
    const keys = await whole('keys', memory.bytes.length);
    const raw = (await whole('summaries', bytes)).buffer;
    for (const buffer of [buffers, ...cache].flatMap((group) => Object.values(group))) gpu.free(buffer);
    const half = summaryPrecision(precision) === 'f16';
    return { keys, summaries: half ? Float32Array.from(new Uint16Array(raw), halfNumber) : new Float32Array(raw) };
  };

  try {
    const first = await run(cuts[0]!);
    memory.bytes.set(first.keys);
    const vectors = summary === 'minmax' ? 2 : 1;
    for (let logical = 0; logical < Math.floor(length / PAGE_SIZE); logical++) {
      for (let head = 0; head < kvHeads; head++) {
        const page = pages[logical]!;
        const keys = Array.from({ length: PAGE_SIZE }, (_, offset) => memory.read(page, offset, head).numbers);
        const channel = (i: number) => keys.map((key) => key[i]!);
        const mean = Float64Array.from(
          { length: headDim },
          (_, i) => channel(i).reduce((a, b) => a + b, 0) / PAGE_SIZE,
        );
        const least = Float64Array.from({ length: headDim }, (_, i) => Math.min(...channel(i)));
        const most = Float64Array.from({ length: headDim }, (_, i) => Math.max(...channel(i)));
        const at = (page * kvHeads + head) * vectors * headDim;
        const tolerance = precision === 'f32' ? 1e-6 : 6e-4;
        const expected = summary === 'mean' ? mean : Float64Array.of(...least, ...most);
        const actual = first.summaries.subarray(at, at + vectors * headDim);
        assertClose(actual, expected, tolerance, `${name}: page ${logical}, head ${head}`);
      }
    }
    memory.bytes.fill(0xff);
    for (const sizes of cuts.slice(1)) {
      const again = await run(sizes);
      assertSameBits(again.summaries, first.summaries, `${name}: summaries of steps of ${sizes}`);
      assert(
        again.keys.every((byte, i) => byte === first.keys[i]),
        `${name}: keys of steps of ${sizes}`,
      );
    }
  } finally {
    append.dispose();
    freeStep(gpu, step);
  }
}
