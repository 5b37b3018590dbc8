/** Two accounts of one run side by side: what the ledger counted, and what the formulas of the device's form expect. */
import { type Cost, type CostByClass, totalCost } from '../ledger/cost.ts';
import { deviceCost, deviceModel } from './device-cost.ts';
import { KINETICS_INTENSITY } from './plan.ts';
import type { KvPrecision, ModelShape, WeightPrecision } from './shapes.ts';

/** What ran, as far as formulas need it. */
export interface RunFacts {
  readonly promptTokens: number;
  /** Tokens each lane generated. */
  readonly lengths: readonly number[];
  /** What the ledger counted. */
  readonly measured: CostByClass;
}

export interface AccountedModel {
  readonly shape: ModelShape;
  readonly precision: { readonly weights: WeightPrecision; readonly kv: KvPrecision };
  /** FLOP per byte of this device, where it was measured. */
  readonly intensity?: number;
}

/** FLOPs + I · bytes, measured and modelled. */
export interface Eflops {
  readonly intensity: number;
  readonly measured: number;
  readonly modelled: number;
}

/** Plain data. */
export interface RunAccount {
  readonly measured: Cost;
  readonly modelled: Cost;
  readonly measuredClasses: CostByClass;
  /** `other` is not modelled: it stays zero. */
  readonly modelledClasses: CostByClass;
  /** At the paper's I = 562.5. */
  readonly paper: Eflops;
  /** At this device's own I; null where it was not measured. */
  readonly device: Eflops | null;
}

/** Accounts of a finished run with dense attention. Lanes that generated nothing cost nothing in the formulas. */
export function accountRun({ shape, precision, intensity }: AccountedModel, facts: RunFacts): RunAccount {
  const lengths = facts.lengths.filter((length) => length > 0);
  const measured = totalCost(facts.measured);
  const cost = deviceCost(deviceModel(shape, precision), {
    prompt: facts.promptTokens,
    lengths: lengths.length > 0 ? lengths : [1],
    attention: { kind: 'dense' },
  });
  const modelled = { flops: cost.flops, bytes: cost.bytes };
  const eflops = (at: number): Eflops => ({
    intensity: at,
    measured: measured.flops + at * measured.bytes,
    modelled: modelled.flops + at * modelled.bytes,
  });
  return {
    measured,
    modelled,
    measuredClasses: facts.measured,
    modelledClasses: cost.classes,
    paper: eflops(KINETICS_INTENSITY),
    device: intensity === undefined ? null : eflops(intensity),
  };
}
