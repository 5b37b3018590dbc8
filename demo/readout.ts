/** What the numbers of a run mean, in a few sentences. */
import type { RunAccount } from '../src/cost/account.ts';
import type { DeviceCalibration } from '../src/cost/calibrate.ts';
import { eflopsOf, PAPER_INTENSITY } from '../src/strategies/budget.ts';
import type { StepTimes } from '../src/strategies/types.ts';
import { percent, si } from './format.ts';
import type { CostView } from './state.ts';

export interface Reading {
  readonly label: string;
  readonly words: string;
  readonly explain: string;
}

function stepTime({ steps, measuredMs, predictedMs, medianError }: StepTimes): Reading {
  const ms = (value: number) => `${value < 10 ? value.toPrecision(2) : value.toFixed(0)} ms`;
  return {
    label: 'A step',
    words: `takes ${ms(measuredMs)}; predicted ${ms(predictedMs)}, off by ${percent(medianError, 1)}`,
    explain: `Medians of the last ${steps} steps. Predicted from the step's FLOPs and bytes, what the device sustains, and what a dispatch takes.`,
  };
}

function attention({ total }: CostView): Reading {
  const { attention: a, linear: w } = total.classes;
  const shares = (cost: typeof a) => [percent(cost.flops, total.flops), percent(cost.bytes, total.bytes)];
  const [aFlops, aBytes] = shares(a);
  const [wFlops, wBytes] = shares(w);
  return {
    label: 'Attention',
    words: `${aFlops} of the compute and ${aBytes} of the traffic; weights ${wFlops} and ${wBytes}`,
    explain:
      'Attention grows with the square of a lane’s length, weights with its length; lanes share the reading of weights.',
  };
}

function eflops({ total }: CostView, calibration: DeviceCalibration | undefined): Reading {
  const at = (intensity: number) => si(eflopsOf(total, intensity), '');
  const paper = `${at(PAPER_INTENSITY)} at the paper’s ${PAPER_INTENSITY} FLOP a byte`;
  const words = calibration
    ? `${at(calibration.intensity)} at this device’s ${calibration.intensity.toPrecision(3)} FLOP a byte; ${paper}`
    : paper;
  return {
    label: 'eFLOP',
    words,
    explain:
      'Computation and traffic in one number: a byte weighs as many FLOPs as the device could do while fetching it.',
  };
}

function saved({ total, dense }: CostView): Reading | null {
  if (!dense || (dense.flops <= total.flops && dense.bytes <= total.bytes)) return null;
  const part = (full: number, actual: number) => percent(Math.max(0, full - actual), full);
  return {
    label: 'Sparse',
    words: `attention saved ${part(dense.flops, total.flops)} of the compute and ${part(dense.bytes, total.bytes)} of the traffic`,
    explain: `Dense attention would have taken ${si(dense.flops, 'FLOP')} and ${si(dense.bytes, 'B')}.`,
  };
}

/** "3 % more" or "21 % less" than the formulas expect. */
function against(measured: number, modelled: number): string {
  const more = measured >= modelled;
  return `${percent(Math.abs(measured - modelled), modelled)} ${more ? 'more' : 'less'}`;
}

function formulas({ measured, modelled }: RunAccount): Reading {
  return {
    label: 'Formulas',
    words: `expect ${si(modelled.flops, 'FLOP')} and ${si(modelled.bytes, 'B')}; the run took ${against(measured.flops, modelled.flops)} and ${against(measured.bytes, modelled.bytes)}`,
    explain:
      'The Kinetics model for this device: weights, attention, prompt and cache writes. Norms, sampling and tokens drawn behind a stop are not in it; a prompt that was cached is.',
  };
}

/** In the order of interest; what there is nothing to say of is left out. */
export function readings(cost: CostView, calibration?: DeviceCalibration, account?: RunAccount): Reading[] {
  const lines = [
    cost.timing ? stepTime(cost.timing) : null,
    cost.total.flops > 0 ? attention(cost) : null,
    cost.total.flops > 0 ? eflops(cost, calibration) : null,
    account ? formulas(account) : null,
    saved(cost),
  ];
  return lines.filter((line) => line !== null);
}
