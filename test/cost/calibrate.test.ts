import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { calibrationOf } from '../../src/api/calibration.ts';
import { type CalibrationStore, calibrate, type DeviceCalibration } from '../../src/cost/calibrate.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { fileStore } from '../../src/node/calibrations.ts';
import { testGpu } from '../support/gpu.ts';

let gpu: Gpu;
let folder: string;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
  folder = await mkdtemp(join(tmpdir(), 'reckon-calibration-'));
});
afterAll(async () => {
  gpu.close();
  await rm(folder, { recursive: true });
});

describe('calibration', () => {
  it('measures positive, finite figures and gives its memory back', async () => {
    const before = gpu.allocatedBytes;
    const { flops32, flops16, bandwidth, dispatchSeconds, intensity, seconds } = await calibrate(gpu);
    for (const figure of [flops32, bandwidth, intensity, seconds]) {
      expect(figure).toBeGreaterThan(0);
      expect(Number.isFinite(figure)).toBe(true);
    }
    expect(dispatchSeconds).toBeGreaterThanOrEqual(0);
    expect(intensity).toBeCloseTo(flops32 / bandwidth, 6);
    expect(flops16 === null).toBe(!gpu.profile.features.f16);
    expect(gpu.allocatedBytes).toBe(before);
  });

  it('is measured in the first three starts, of which the best is kept in a file', async () => {
    const store = fileStore(join(folder, 'deep', 'devices.json'));
    const seen: DeviceCalibration[] = [];
    for (let start = 0; start < 4; start++) seen.push(await calibrationOf(gpu, store));
    for (const [i, later] of seen.slice(1).entries()) {
      expect(later.flops32).toBeGreaterThanOrEqual(seen[i]!.flops32);
      expect(later.bandwidth).toBeGreaterThanOrEqual(seen[i]!.bandwidth);
      expect(later.dispatchSeconds).toBeLessThanOrEqual(seen[i]!.dispatchSeconds);
      expect(later.intensity).toBeCloseTo(later.flops32 / later.bandwidth, 9);
    }
    expect(seen[3]).toEqual(seen[2]);
  });

  it('survives a damaged file and a store that fails', async () => {
    const path = join(folder, 'damaged.json');
    await writeFile(path, '{"half');
    const store = fileStore(path);
    expect(await store.get('any')).toBeUndefined();
    const failing: CalibrationStore = {
      get: () => Promise.reject(new Error('no')),
      set: () => Promise.reject(new Error('no')),
    };
    const measured: DeviceCalibration = await calibrationOf(gpu, failing);
    expect(measured.flops32).toBeGreaterThan(0);
  });
});
