/** How fast a model may be expected to generate on a device that was measured. */
import { type DeviceFigures, deviceCost, deviceModel } from '../cost/device-cost.ts';
import { evenPlan } from '../cost/plan.ts';
import type { KvPrecision, ModelShape, WeightPrecision } from '../cost/shapes.ts';

/** Tokens generated each second: by a lane alone, and by all lanes together. */
export interface Speed {
  readonly one: number;
  readonly all: number;
}

/**
 * By the device's cost model over half of the planned length, behind a prompt of the other half: computing and reading one
 * after the other, as the engine's own predictions have it. Null without figures.
 */
export function expectedSpeed(
  shape: ModelShape,
  weights: WeightPrecision,
  plan: { readonly lanes: number; readonly length: number; readonly kv: KvPrecision },
  figures: DeviceFigures | undefined,
): Speed | null {
  if (!figures) return null;
  const prompt = Math.floor(plan.length / 2);
  const tokens = plan.length - prompt;
  const model = deviceModel(shape, { weights, kv: plan.kv });
  const rate = (lanes: number) => {
    const even = evenPlan(prompt, tokens, lanes, { kind: 'dense' });
    const { seconds } = deviceCost(model, even, { prefill: false }, { figures });
    return seconds ? (lanes * tokens) / seconds.additive : 0;
  };
  return { one: rate(1), all: rate(plan.lanes) };
}
