/** What the cache takes in GPU memory is what planners say it takes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kvBytesPerToken as modelled, shapeOf } from '../../src/cost/shapes.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { PAGE_SIZE } from '../../src/kernels/step.ts';
import { planCache } from '../../src/kv/index.ts';
import { allocateKv, kvBytesPerToken } from '../../src/model/kv-cache.ts';
import { TINY } from '../engine/rig.ts';
import { testGpu } from '../support/gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

describe('the memory of a KV cache', () => {
  it.each(['f32', 'f16', 'int8'] as const)('in %s is what was planned, to the byte', (precision) => {
    const config = { ...TINY, layers: 3, kvHeads: 2, headDim: 24 };
    const bytesPerToken = kvBytesPerToken(config, precision);
    const plan = planCache({
      kvBytesPerToken: bytesPerToken,
      pageSize: PAGE_SIZE,
      maxContext: 4096,
      layers: config.layers,
      memoryBudgetBytes: 1_000_000,
      maxBufferBytes: gpu.profile.limits.maxStorageBufferBindingSize,
    });
    const buffers = allocateKv(gpu, config, precision, plan.totalPages).flatMap((layer) => Object.values(layer));
    const taken = buffers.reduce((sum, { size }) => sum + size, 0);
    expect(taken).toBe(plan.bytes);
    expect(taken).toBeLessThanOrEqual(1_000_000);
    expect(taken).toBeGreaterThan(1_000_000 - bytesPerToken * PAGE_SIZE);
    // By hand: 24 numbers, or as many codes and a scale of four bytes, of 2 heads, keys and values, 3 layers.
    const head = { f32: 96, f16: 48, int8: 28 }[precision];
    expect(taken).toBe(plan.totalPages * PAGE_SIZE * head * 2 * 2 * 3);
    expect(modelled(shapeOf(config), precision)).toBeCloseTo(bytesPerToken, 9);
    for (const buffer of buffers) gpu.free(buffer);
  });
});
