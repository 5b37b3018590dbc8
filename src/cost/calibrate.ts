/**
 * What this device sustains: FLOP/s, bytes/s read, and what a dispatch costs before it does anything. Measured by two
 * short kernels at first start, in under two seconds; the ratio of the first two is the device's arithmetic intensity I.
 */
import { type Gpu, Recorder } from '../gpu/index.ts';
import { computeProbe, type Probe, readProbe } from '../kernels/probe.ts';

export interface DeviceCalibration {
  /** Sustained f32 FLOP/s (a multiply-add is two). */
  readonly flops32: number;
  /** The same in f16; null where shaders have no f16. */
  readonly flops16: number | null;
  /** Sustained bytes/s read from GPU memory. */
  readonly bandwidth: number;
  /** Seconds that each further dispatch of a pass takes. */
  readonly dispatchSeconds: number;
  /** FLOP per byte: flops32 / bandwidth. Arithmetic is f32 whatever the weights are stored in. */
  readonly intensity: number;
  /** How long the measurement took, seconds. */
  readonly seconds: number;
}

/** A calibration and how many starts it is the best of. */
export interface KeptCalibration {
  readonly calibration: DeviceCalibration;
  readonly starts: number;
}

/** Where calibrations are kept. Losing one costs a second of measuring: stores may fail, callers do not. */
export interface CalibrationStore {
  get(key: string): Promise<KeptCalibration | undefined>;
  set(key: string, kept: KeptCalibration): Promise<void>;
}

/** A measurement is trusted when one timed submission lasts this long, seconds. */
const ENOUGH = { gpu: 0.02, software: 0.08 };
const REPEATS = 3;
/** No single measurement may take longer, seconds: four of them stay under two. */
const PATIENCE = 0.4;
const MAX_DISPATCHES = 1024;
const OVERHEAD_DISPATCHES = [32, 544] as const;

/** @throws ReckonError `device-lost`, `gpu-out-of-memory` */
export async function calibrate(gpu: Gpu): Promise<DeviceCalibration> {
  const started = performance.now();
  const { software } = gpu.profile;
  // Enough threads to fill a large GPU; on a CPU as few as keep its vectors busy.
  const groups = software ? 16 : 4096;
  const rounds = software ? 64 : 512;
  const bytes = Math.min(software ? 8 * 2 ** 20 : 256 * 2 ** 20, gpu.profile.limits.maxStorageBufferBindingSize);
  const flops32 = await rate(gpu, await computeProbe(gpu, false, groups, rounds));
  const flops16 = gpu.profile.features.f16 ? await rate(gpu, await computeProbe(gpu, true, groups, rounds)) : null;
  const bandwidth = await rate(gpu, await readProbe(gpu, bytes, software ? 8 : 1024));
  const dispatchSeconds = await overhead(gpu);
  return {
    flops32,
    flops16,
    bandwidth,
    dispatchSeconds,
    intensity: flops32 / bandwidth,
    seconds: (performance.now() - started) / 1000,
  };
}

/** Of two measurements of one device the better figures: other work only ever slows a device down. */
export function bestCalibration(a: DeviceCalibration, b: DeviceCalibration): DeviceCalibration {
  const flops32 = Math.max(a.flops32, b.flops32);
  const bandwidth = Math.max(a.bandwidth, b.bandwidth);
  return {
    flops32,
    flops16: a.flops16 === null || b.flops16 === null ? (a.flops16 ?? b.flops16) : Math.max(a.flops16, b.flops16),
    bandwidth,
    dispatchSeconds: Math.min(a.dispatchSeconds, b.dispatchSeconds),
    intensity: flops32 / bandwidth,
    seconds: b.seconds,
  };
}

/** Seconds from the submission of `count` dispatches to their end. */
async function timed(gpu: Gpu, probe: Probe, count: number): Promise<number> {
  const recorder = new Recorder(gpu);
  recorder.begin('probe');
  for (let i = 0; i < count; i++) probe.record(recorder);
  const commands = recorder.finish();
  const started = performance.now();
  gpu.device.queue.submit([commands]);
  await gpu.device.queue.onSubmittedWorkDone();
  return (performance.now() - started) / 1000;
}

/** Work per second: dispatches are doubled until a submission lasts long enough, then the best of a few is taken. */
async function rate(gpu: Gpu, probe: Probe): Promise<number> {
  const enough = gpu.profile.software ? ENOUGH.software : ENOUGH.gpu;
  const begun = performance.now();
  try {
    await timed(gpu, probe, 1);
    let count = 1;
    let seconds = await timed(gpu, probe, count);
    while (seconds < enough && count < MAX_DISPATCHES && performance.now() - begun < PATIENCE * 500) {
      count *= 2;
      seconds = await timed(gpu, probe, count);
    }
    let best = seconds;
    for (let i = 1; i < REPEATS && performance.now() - begun < PATIENCE * 1000; i++) {
      best = Math.min(best, await timed(gpu, probe, count));
    }
    // The way to the GPU and back is in every timing; it is measured and taken off.
    const empty = await roundTrip(gpu);
    return (probe.work * count) / Math.max(best - empty, best / 2);
  } finally {
    probe.dispose();
  }
}

/** Seconds of a submission that does nothing. */
async function roundTrip(gpu: Gpu): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < REPEATS; i++) {
    const started = performance.now();
    gpu.device.queue.submit([]);
    await gpu.device.queue.onSubmittedWorkDone();
    best = Math.min(best, (performance.now() - started) / 1000);
  }
  return best;
}

/** The slope of time over dispatches that do next to nothing. */
async function overhead(gpu: Gpu): Promise<number> {
  const probe = await computeProbe(gpu, false, 1, 1);
  try {
    const [few, many] = OVERHEAD_DISPATCHES;
    await timed(gpu, probe, few);
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < REPEATS; i++) {
      const short = await timed(gpu, probe, few);
      const long = await timed(gpu, probe, many);
      least = Math.min(least, Math.max(0, long - short) / (many - few));
    }
    return least;
  } finally {
    probe.dispose();
  }
}
