import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nonNegativeLeastSquares, StepTimePredictor, type StepWork } from '../../src/cost/predict.ts';

/** Deterministic noise: Box and Muller over a linear congruential generator. */
function noise(seed: number) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return { uniform, normal: () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()) };
}

/** A device whose true speeds differ from those measured for it. */
const devices = fc.record({
  flops: fc.integer({ min: 1, max: 50 }).map((x) => x * 1e11),
  bandwidth: fc.integer({ min: 5, max: 500 }).map((x) => x * 1e9),
  dispatchSeconds: fc.integer({ min: 0, max: 20 }).map((x) => x * 1e-6),
  stepSeconds: fc.integer({ min: 0, max: 20 }).map((x) => x * 1e-4),
  off: fc.tuple(...[0, 1, 2].map(() => fc.double({ min: 0.3, max: 3, noNaN: true }))),
  seed: fc.nat(2 ** 31),
});

type Device = typeof devices extends fc.Arbitrary<infer T> ? T : never;

/** Steps as an engine makes them: the weights of a model, KV that grows, now and then a piece of a prompt. */
function* run(device: Device, steps: number, { outliers = 0 } = {}) {
  const { uniform, normal } = noise(device.seed);
  for (let i = 0; i < steps; i++) {
    const rows = i % 17 === 0 ? 128 : 1 + Math.floor(uniform() * 16);
    const work: StepWork = {
      flops: rows * (1e9 + 1e5 * i),
      bytes: 1e9 + rows * 1e5 * i,
      dispatches: 258 + (i % 17 === 0 ? 30 : 0),
    };
    const truth =
      work.flops / device.flops +
      work.bytes / device.bandwidth +
      work.dispatches * device.dispatchSeconds +
      device.stepSeconds;
    const stalled = uniform() < outliers;
    yield { work, truth, measured: stalled ? truth * (5 + 50 * uniform()) : truth * Math.exp(0.03 * normal()) };
  }
}

const calibrated = ({ flops, bandwidth, dispatchSeconds, off }: Device) => ({
  flops: flops * off[0]!,
  bandwidth: bandwidth * off[1]!,
  dispatchSeconds: dispatchSeconds * off[2]!,
});

describe('StepTimePredictor', () => {
  it('learns a device within a median error of 5 %, with 3 % noise', () => {
    fc.assert(
      fc.property(devices, (device) => {
        const predictor = new StepTimePredictor(calibrated(device));
        for (const { work, measured } of run(device, 400)) predictor.observe(work, measured);
        expect(predictor.error.median).toBeLessThan(0.05);
        const { flops, bandwidth, dispatchSeconds, stepSeconds } = predictor.fit;
        for (const value of [flops, bandwidth, dispatchSeconds, stepSeconds]) expect(value).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 40 },
    );
  });

  it('is not led astray by one step in ten that stalls', () => {
    fc.assert(
      fc.property(devices, (device) => {
        const predictor = new StepTimePredictor(calibrated(device));
        const errors: number[] = [];
        for (const { work, measured, truth } of run(device, 400, { outliers: 0.1 })) {
          errors.push(Math.abs(predictor.observe(work, measured) - truth) / truth);
        }
        const late = errors.slice(100).sort((a, b) => a - b);
        expect(late[Math.floor(late.length / 2)]).toBeLessThan(0.05);
        expect(predictor.error.median).toBeLessThan(0.06);
      }),
      { numRuns: 40 },
    );
  });

  it('predicts by the calibrated figures before the first step', () => {
    const predictor = new StepTimePredictor({ flops: 1e12, bandwidth: 1e11, dispatchSeconds: 1e-5 });
    expect(predictor.predict({ flops: 1e9, bytes: 1e9, dispatches: 100 })).toBeCloseTo(0.001 + 0.01 + 0.001, 12);
    expect(predictor.error).toEqual({ steps: 0, median: Number.NaN, p90: Number.NaN });
  });

  it('follows a device that slows down, once it has forgotten how it was', () => {
    const predictor = new StepTimePredictor(
      { flops: 1e12, bandwidth: 1e11, dispatchSeconds: 0 },
      { history: 64, refitEvery: 4 },
    );
    const work = (i: number) => ({ flops: 1e8, bytes: 1e8 * (1 + (i % 10)), dispatches: 10 });
    for (let i = 0; i < 100; i++) predictor.observe(work(i), work(i).bytes / 1e11);
    for (let i = 0; i < 100; i++) predictor.observe(work(i), work(i).bytes / 2e10);
    expect(predictor.predict(work(3))).toBeCloseTo(work(3).bytes / 2e10, 4);
  });

  it('passes over times that are none', () => {
    const predictor = new StepTimePredictor({ flops: 1e12, bandwidth: 1e11, dispatchSeconds: 0 });
    for (const seconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      predictor.observe({ flops: 1, bytes: 1, dispatches: 1 }, seconds);
    }
    expect(predictor.error.steps).toBe(0);
  });

  it('refuses figures that are no speeds', () => {
    expect(() => new StepTimePredictor({ flops: 0, bandwidth: 1, dispatchSeconds: 0 })).toThrow(/figures\.flops is 0/);
  });
});

describe('nonNegativeLeastSquares', () => {
  it('meets the conditions of an optimum', () => {
    const numbers = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(numbers, (values) => {
        // AᵀA + I of a random 4×4 matrix.
        const matrix = new Float64Array(16);
        for (let i = 0; i < 4; i++) {
          for (let j = 0; j < 4; j++) {
            for (let k = 0; k < 4; k++) matrix[i * 4 + j]! += values[k * 4 + i]! * values[k * 4 + j]!;
            if (i === j) matrix[i * 4 + j]! += 1;
          }
        }
        const right = Float64Array.from(values.slice(16));
        const x = nonNegativeLeastSquares(matrix, right, 4);
        for (let i = 0; i < 4; i++) {
          let gradient = -right[i]!;
          for (let j = 0; j < 4; j++) gradient += matrix[i * 4 + j]! * x[j]!;
          expect(x[i]).toBeGreaterThanOrEqual(0);
          expect(gradient).toBeGreaterThanOrEqual(-1e-6);
          expect(Math.abs(gradient * x[i]!)).toBeLessThan(1e-6);
        }
      }),
    );
  });
});
