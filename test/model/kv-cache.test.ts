/** What the cache takes in GPU memory is what planners say it takes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kvBytesPerToken as modelled, shapeOf } from '../../src/cost/shapes.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { PAGE_SIZE } from '../../src/kernels/step.ts';
import { planCache } from '../../src/kv/index.ts';
import { allocateKv, kvBytesPerToken, summaryBytesPerPage } from '../../src/model/kv-cache.ts';
import { TINY } from '../engine/rig.ts';
import { testGpu } from '../support/gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

describe('the memory of a KV cache', () => {
  it.each([
    ['f32', null, 200_000, 1],
    ['f32', 'mean', 100_000, 2],
    ['f16', 'minmax', 200_000, 1],
    ['int8', 'mean', 100_000, 2],
  ] as const)('in %s with summaries %s is what was planned, to the byte, in buffers of %i bytes', (...given) => {
    const [precision, summary, maxBufferBytes, parts] = given;
    const config = { ...TINY, layers: 3, kvHeads: 2, headDim: 24 };
    const bytesPerToken = kvBytesPerToken(config, precision);
    const summaryBytes = summaryBytesPerPage(config, precision, summary);
    const plan = planCache({
      summaryBytesPerPage: summaryBytes,
      kvBytesPerToken: bytesPerToken,
      pageSize: PAGE_SIZE,
      maxContext: 4096,
      layers: config.layers,
      memoryBudgetBytes: 1_000_000,
      maxBufferBytes,
      kvHeads: config.kvHeads,
    });
    const layers = allocateKv(gpu, config, precision, plan, summary);
    expect(layers.map((layer) => layer.length)).toEqual([parts, parts, parts]);
    const buffers = layers
      .flat()
      .flatMap(({ keys, values, summaries }) => [keys, values, ...(summaries ? [summaries] : [])]);
    const taken = buffers.reduce((sum, { size }) => sum + size, 0);
    for (const { size } of buffers) expect(size).toBeLessThanOrEqual(maxBufferBytes);
    expect(taken).toBe(plan.bytes);
    expect(taken).toBeLessThanOrEqual(1_000_000);
    expect(taken).toBeGreaterThan(1_000_000 - bytesPerToken * PAGE_SIZE - summaryBytes);
    // By hand: 24 numbers, or as many codes and a scale of four bytes, of 2 heads, keys and values, 3 layers.
    const head = { f32: 96, f16: 48, int8: 28 }[precision];
    // A page's summary: a vector of 24 numbers, or two, of 2 heads, 3 layers; in halves where the cache is not f32.
    const vectors = summary === null ? 0 : summary === 'mean' ? 1 : 2;
    const number = precision === 'f32' ? 4 : 2;
    expect(taken).toBe(plan.totalPages * (PAGE_SIZE * head * 2 * 2 * 3 + vectors * 24 * number * 2 * 3));
    expect(modelled(shapeOf(config), precision)).toBeCloseTo(bytesPerToken, 9);
    for (const buffer of buffers) gpu.free(buffer);
  });
});
