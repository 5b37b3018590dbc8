/** Watches an engine's steps: what each was predicted to take, and what it took. */
import type { DeviceCalibration } from '../cost/calibrate.ts';
import { StepTimePredictor } from '../cost/predict.ts';
import type { GpuEngine } from '../engine/engine.ts';
import type { StepTimes } from '../strategies/types.ts';

/** Steps the medians are of. */
const RECENT = 64;

export class StepWatch {
  readonly #predictor: StepTimePredictor;
  readonly #measured: number[] = [];
  readonly #predicted: number[] = [];

  constructor(engine: GpuEngine, calibration: DeviceCalibration) {
    const { flops32, bandwidth, dispatchSeconds } = calibration;
    this.#predictor = new StepTimePredictor({ flops: flops32, bandwidth, dispatchSeconds });
    engine.onStep(({ flops, bytes, dispatches, gpuMs, stepMs }) => {
      const measured = gpuMs ?? stepMs;
      const predicted = this.#predictor.observe({ flops, bytes, dispatches }, measured / 1000) * 1000;
      keep(this.#measured, measured);
      keep(this.#predicted, predicted);
    });
  }

  /** Medians of recent steps; null before the first. */
  get times(): StepTimes | null {
    const steps = this.#measured.length;
    if (steps === 0) return null;
    const errors = this.#measured.map((measured, i) => Math.abs(this.#predicted[i]! - measured) / measured);
    return {
      steps,
      measuredMs: median(this.#measured),
      predictedMs: median(this.#predicted),
      medianError: median(errors),
    };
  }
}

function keep(values: number[], value: number): void {
  values.push(value);
  if (values.length > RECENT) values.shift();
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}
