/** Watches an engine's steps: what each was predicted to take, and what it took. */
import type { DeviceCalibration } from '../cost/calibrate.ts';
import { StepTimePredictor } from '../cost/predict.ts';
import type { GpuEngine } from '../engine/engine.ts';
import type { StepRecord } from '../engine/stepper.ts';
import type { StepTimes } from '../strategies/types.ts';

/** Groups of steps the medians are of. */
const RECENT = 64;
/**
 * Steps taken together. Hosts notice several finished steps at once: the first then seems to have taken the time of all of
 * them, the others none. Over twice as many as are ever under way, the mean is right.
 */
const GROUP = 8;
/** Groups before anything is told: the first predictions know the device only by its calibration. */
const LEAST_GROUPS = 4;
/** Errors of a group are told once the fit has seen this many before it. */
const WARM_UP = 4;

export class StepWatch {
  readonly #predictor: StepTimePredictor;
  readonly #measured: number[] = [];
  readonly #predicted: number[] = [];
  #groups = 0;
  #sum = { flops: 0, bytes: 0, dispatches: 0, ms: 0, steps: 0 };

  constructor(engine: GpuEngine, calibration: DeviceCalibration) {
    const { flops32, bandwidth, dispatchSeconds } = calibration;
    this.#predictor = new StepTimePredictor({ flops: flops32, bandwidth, dispatchSeconds });
    engine.onStep((record) => this.#add(record));
  }

  #add({ flops, bytes, dispatches, gpuMs, stepMs }: StepRecord): void {
    const sum = this.#sum;
    sum.flops += flops;
    sum.bytes += bytes;
    sum.dispatches += dispatches;
    sum.ms += gpuMs ?? stepMs;
    if (++sum.steps < GROUP) return;
    const mean = { flops: sum.flops / GROUP, bytes: sum.bytes / GROUP, dispatches: sum.dispatches / GROUP };
    const measured = sum.ms / GROUP;
    const predicted = this.#predictor.observe(mean, measured / 1000) * 1000;
    if (this.#groups++ >= WARM_UP) {
      keep(this.#predicted, predicted);
      keep(this.#measured, measured);
    }
    this.#sum = { flops: 0, bytes: 0, dispatches: 0, ms: 0, steps: 0 };
  }

  /** Medians of recent steps; null before the first few. */
  get times(): StepTimes | null {
    const steps = this.#measured.length * GROUP;
    if (this.#measured.length < LEAST_GROUPS) return null;
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
