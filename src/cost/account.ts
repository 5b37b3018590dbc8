/** Two accounts of one run side by side: what the ledger counted, and what the formulas of the device's form expect. */
import { addCosts, COST_CLASSES, type Cost, type CostByClass, totalCost, zeroCosts } from '../ledger/cost.ts';
import { costAttention, denseLayerCount } from './attention.ts';
import { type DeviceModel, deviceCost, deviceModel } from './device-cost.ts';
import { KINETICS_INTENSITY } from './plan.ts';
import type { KvPrecision, ModelShape, WeightPrecision } from './shapes.ts';

/** What ran, as far as formulas need it. */
export interface RunFacts {
  readonly promptTokens: number;
  /** Tokens each lane generated. */
  readonly lengths: readonly number[];
  /** What the ledger counted. */
  readonly measured: CostByClass;
  /** What generated tokens attended to. Default dense. */
  readonly attention?: Parameters<typeof costAttention>[0];
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
  /** What each lane's tokens are expected to cost, in the order of `lengths`; the prompt is nobody's. */
  readonly modelledLanes: readonly Cost[];
  /** At the paper's I = 562.5. */
  readonly paper: Eflops;
  /** At this device's own I; null where it was not measured. */
  readonly device: Eflops | null;
}

/** Accounts of a finished run. Lanes that generated nothing cost nothing in the formulas. */
export function accountRun({ shape, precision, intensity }: AccountedModel, facts: RunFacts): RunAccount {
  const lengths = facts.lengths.filter((length) => length > 0);
  const measured = totalCost(facts.measured);
  const { attention, terms } = policyOf(facts, shape);
  const cost = deviceCost(
    deviceModel(shape, precision),
    { prompt: facts.promptTokens, lengths: lengths.length > 0 ? lengths : [1], attention },
    terms,
  );
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
    modelledLanes: laneCosts(deviceModel(shape, precision), facts, policyOf(facts, shape)),
    paper: eflops(KINETICS_INTENSITY),
    device: intensity === undefined ? null : eflops(intensity),
  };
}

function policyOf({ attention = { kind: 'dense' } }: RunFacts, { layers }: ModelShape) {
  const denseLayers = Math.min(layers, denseLayerCount(attention));
  return { attention: costAttention(attention), terms: { denseLayers } };
}

/** The lanes' decoding, shared out class by class in the proportion of what each would cost alone. */
function laneCosts(
  model: DeviceModel,
  { promptTokens, lengths }: RunFacts,
  { attention, terms }: ReturnType<typeof policyOf>,
): Cost[] {
  const classesOf = (own: readonly number[]) =>
    deviceCost(model, { prompt: promptTokens, lengths: own, attention }, { ...terms, prefill: false }).classes;
  const some = lengths.filter((length) => length > 0);
  if (some.length === 0) return lengths.map(() => ({ flops: 0, bytes: 0 }));
  const together = classesOf(some);
  const alone = lengths.map((length) => (length > 0 ? classesOf([length]) : zeroCosts()));
  const sums = zeroCosts();
  for (const costs of alone) addCosts(sums, costs);
  return alone.map((costs) => {
    const part = (what: keyof Cost) =>
      COST_CLASSES.reduce((sum, name) => {
        const whole = sums[name][what];
        return whole > 0 ? sum + (together[name][what] * costs[name][what]) / whole : sum;
      }, 0);
    return { flops: part('flops'), bytes: part('bytes') };
  });
}
