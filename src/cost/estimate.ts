/** A plan's cost by any of the three presets, from a model's shape. */
import { type DeviceCost, type DeviceFigures, type DeviceTerms, deviceCost, deviceModel } from './device-cost.ts';
import { paperCost, paperModel } from './paper.ts';
import { codeModel, paperCodeCost } from './paper-code.ts';
import type { CostPlan, PlanCost } from './plan.ts';
import type { KvPrecision, ModelShape, WeightPrecision } from './shapes.ts';

/**
 * - `paper-code`: what the authors' functions return, to the last bit, defects included;
 * - `paper`: the paper's Eq. 4, 8, 9, corrected;
 * - `device`: with weight reads, precisions, prefill, KV writes and the device's own figures.
 */
export const PRESETS = ['paper-code', 'paper', 'device'] as const;
export type Preset = (typeof PRESETS)[number];

export interface EstimateOptions {
  /** I in FLOPs per byte. Default: 562.5; with figures of a device under `device`: theirs. */
  readonly intensity?: number | undefined;
  /** For `device`. Default: both f16. */
  readonly precision?: { readonly weights: WeightPrecision; readonly kv: KvPrecision };
  /** For `device`: without them no seconds. */
  readonly figures?: DeviceFigures | undefined;
  /** For `device`. */
  readonly terms?: DeviceTerms;
}

export function estimate(shape: ModelShape, plan: CostPlan, preset: 'device', options?: EstimateOptions): DeviceCost;
export function estimate(shape: ModelShape, plan: CostPlan, preset: Preset, options?: EstimateOptions): PlanCost;
/** @throws ReckonError `bad-option` for a plan, terms or figures that make no sense. */
export function estimate(
  shape: ModelShape,
  plan: CostPlan,
  preset: Preset,
  { intensity, precision = { weights: 'f16', kv: 'f16' }, figures, terms = {} }: EstimateOptions = {},
): PlanCost | DeviceCost {
  if (preset === 'paper-code') return paperCodeCost(codeModel(shape), plan, intensity);
  if (preset === 'paper') return paperCost(paperModel(shape), plan, intensity);
  return deviceCost(deviceModel(shape, precision), plan, terms, { figures, intensity });
}
