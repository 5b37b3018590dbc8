/** What the planner is asked and what it answers. */
import type { AccuracyParameters, PlanSelection } from './accuracy.ts';
import type { CostAttention } from './attention.ts';
import type { DeviceFigures, DeviceTerms } from './device-cost.ts';
import type { KvPrecision, ModelShape, WeightPrecision } from './shapes.ts';

/** As the strategies take it: what a run may spend. */
export interface PlanBudget {
  /** Tokens generated, over all trials. */
  readonly tokens?: number;
  /** Seconds, compute and traffic one after the other. */
  readonly seconds?: number;
  /** FLOPs + intensity · bytes. */
  readonly eflops?: number;
  readonly bytes?: number;
}

export const PLAN_LIMITS = ['tokens', 'seconds', 'eflops', 'bytes'] as const;
export type PlanLimit = (typeof PLAN_LIMITS)[number];

export interface PlannerModel {
  readonly shape: ModelShape;
  /** Its curve on the task at hand. */
  readonly accuracy: AccuracyParameters;
  /** What the curve stands on, for the words. */
  readonly evidence?: string;
  readonly precision: { readonly weights: WeightPrecision; readonly kv: KvPrecision };
  readonly terms?: DeviceTerms;
}

export interface PlannerDevice {
  readonly figures: DeviceFigures;
  /** Bytes for weights and KV together. */
  readonly memoryBytes: number;
  /** Most lanes in a step. Default 256. */
  readonly maxLanes?: number;
}

export interface PlannerRequest {
  readonly prompt: number;
  readonly models: readonly PlannerModel[];
  readonly device: PlannerDevice;
  readonly budget: PlanBudget;
  /** Default `verifier`. */
  readonly selection?: PlanSelection;
  /** KV policies to consider. Default: dense alone. */
  readonly attentions?: readonly CostAttention[];
  /** Fewest tokens that make an answer. Default 16. */
  readonly minTokens?: number;
  /** Default: powers of two to 64. */
  readonly trials?: readonly number[];
  /** FLOPs a byte is worth in `budget.eflops`. Default 562.5. */
  readonly intensity?: number;
}

export interface PlannedRun {
  readonly model: string;
  readonly trials: number;
  /** Most tokens of each trial. */
  readonly tokens: number;
  readonly attention: CostAttention;
  /** Expected, rounded down to tenths of a percent: no curve is better than that. */
  readonly accuracy: number;
  /** Of one trial alone. */
  readonly singleAccuracy: number;
  /** What it takes when every trial uses all its tokens. */
  readonly spending: Readonly<Record<PlanLimit, number>>;
  readonly kvBytes: number;
}

export interface PlanAdvice {
  readonly best: PlannedRun;
  /** The best with another model or number of trials; null where there is none. */
  readonly runnerUp: PlannedRun | null;
  /** What keeps the best from being better. */
  readonly bound: PlanLimit | 'memory' | 'context' | 'nothing';
  /** Why, for people. */
  readonly reason: string;
}
