/** The least GPU that WebGPU allows: no f16, no subgroups, default limits. The embedded model runs on it, unchanged. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { directorySource } from '../../src/checkpoint/node.ts';
import { openGpu } from '../../src/gpu/index.ts';
import { type GoldenCase, runGolden } from '../engine/cases/golden.ts';
import { testGpu } from '../support/gpu.ts';
import { PROTO } from '../support/model.ts';

const { cases } = JSON.parse(readFileSync(new URL('../golden/proto.json', import.meta.url), 'utf8')) as {
  cases: GoldenCase[];
};

async function leastGpu() {
  const gpu = await openGpu({ gpu: await testGpu(), without: ['f16', 'subgroups'], limits: 'default', tuning: 'gpu' });
  expect(gpu.profile.features).toMatchObject({ f16: false, subgroups: false });
  expect(gpu.profile.limits).toEqual({
    maxBufferSize: 256 * 2 ** 20,
    maxStorageBufferBindingSize: 128 * 2 ** 20,
    maxComputeWorkgroupStorageSize: 16384,
    maxComputeInvocationsPerWorkgroup: 256,
    maxComputeWorkgroupsPerDimension: 65535,
  });
  return gpu;
}

describe('the least GPU', () => {
  it('runs the embedded model in f32 with the kernels of a GPU', async () => {
    const options = { longest: 24 };
    const report = await runGolden(
      await leastGpu(),
      directorySource(PROTO),
      { weights: 'f32', kv: 'f32' },
      cases.slice(0, 3),
      options,
    );
    for (const error of report.errors) expect(error).toBeLessThan(1e-4);
    for (const [agreeing, of] of report.agreeing) expect(agreeing).toBe(of);
  });

  it('runs it with weights and KV stored in f16', async () => {
    const report = await runGolden(
      await leastGpu(),
      directorySource(PROTO),
      { weights: 'f16', kv: 'f16' },
      cases.slice(0, 3),
      { longest: 24 },
    );
    for (const error of report.errors) expect(error).toBeLessThan(2e-2);
  });
});
