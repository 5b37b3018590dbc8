/** A plan but for its length, and what each length would take and give. */
import { expectedAccuracy } from './accuracy.ts';
import { attentionBudget, type CostAttention } from './attention.ts';
import { kvDemand } from './capacity.ts';
import { type DeviceModel, deviceCost, deviceModel } from './device-cost.ts';
import { evenPlan, KINETICS_INTENSITY } from './plan.ts';
import {
  PLAN_LIMITS,
  type PlanLimit,
  type PlannedRun,
  type PlannerModel,
  type PlannerRequest,
} from './planner-types.ts';
import { kvBytesPerToken, weightBytes } from './shapes.ts';

/** A model, a number of trials and a policy: what is left to choose is the length. */
export class Row {
  readonly #device: DeviceModel;

  constructor(
    readonly model: PlannerModel,
    readonly trials: number,
    readonly attention: CostAttention,
    readonly request: PlannerRequest,
  ) {
    this.#device = deviceModel(model.shape, model.precision);
  }

  spending(tokens: number): Record<PlanLimit, number> {
    const { prompt, device, intensity = KINETICS_INTENSITY } = this.request;
    const plan = evenPlan(prompt, tokens, this.trials, this.attention);
    const { flops, bytes, seconds } = deviceCost(this.#device, plan, this.model.terms, device);
    return { tokens: tokens * this.trials, seconds: seconds?.additive ?? 0, eflops: flops + intensity * bytes, bytes };
  }

  /** Bytes of KV, the prompt kept once. */
  kvBytes(tokens: number): number {
    const { shape, precision } = this.model;
    const { prompt } = this.request;
    const bytesPerToken = kvBytesPerToken(shape, precision.kv);
    const demand = { lanes: this.trials, length: prompt + tokens, shared: prompt };
    return kvDemand(demand, { bytes: 0, bytesPerToken, precision: precision.kv });
  }

  /** The part of each limit that is used; above 1 it does not fit. */
  used(tokens: number): Map<PlanLimit | 'memory', number> {
    const { budget, device } = this.request;
    const spending = this.spending(tokens);
    const parts = new Map<PlanLimit | 'memory', number>();
    for (const name of PLAN_LIMITS) {
      const limit = budget[name];
      if (limit !== undefined) parts.set(name, spending[name] / limit);
    }
    const weights = weightBytes(this.model.shape, this.model.precision.weights);
    parts.set('memory', (weights + this.kvBytes(tokens)) / device.memoryBytes);
    return parts;
  }

  fits(tokens: number): boolean {
    return [...this.used(tokens).values()].every((part) => part <= 1);
  }

  accuracy(tokens: number, trials = this.trials): number {
    const { selection = 'verifier', prompt } = this.request;
    const kvBudget = attentionBudget(this.attention);
    const exact = expectedAccuracy(this.model.accuracy, { tokens, trials, selection, kvBudget, prompt });
    return Math.floor(exact * 1000 + 1e-9) / 1000;
  }

  run(tokens: number): PlannedRun {
    return {
      model: this.model.shape.name,
      trials: this.trials,
      tokens,
      attention: this.attention,
      accuracy: this.accuracy(tokens),
      singleAccuracy: this.accuracy(tokens, 1),
      spending: this.spending(tokens),
      kvBytes: this.kvBytes(tokens),
    };
  }
}

/** A row with the length that is best in it. */
export interface Candidate {
  readonly row: Row;
  readonly tokens: number;
  readonly accuracy: number;
  /** The largest part of any limit that it uses: among equals the least wins. */
  readonly part: number;
}
