/**
 * A strategy is an async generator of events over lanes that returns an answer. The page, the API, the lab and the tests
 * all read this one stream. Every event is plain data: it crosses the worker boundary unchanged.
 */

import type { RunAccount } from '../cost/account.ts';
import type { AttentionPolicy, Engine, FinishReason, LedgerSnapshot, Sampling, TokenIds } from '../engine/types.ts';
import type { Cost } from '../ledger/cost.ts';
import type { Verdict } from '../tasks/types.ts';
import type { ThinkingDialect } from '../text/thinking.ts';
import type { Budget, Spending } from './budget.ts';
import type { ThinkingOptions } from './thinking.ts';

export type { Budget, Spending, ThinkingDialect, ThinkingOptions };

/** A lane started: candidate `lane` of the run (0-based), drawing with `seed`. */
export interface LaneEvent {
  type: 'lane';
  lane: number;
  seed: number;
}
/**
 * One token of a lane. `part` says where it belongs; `forced` marks tokens put there by the strategy, not sampled, whose
 * `logprob` is 0. The markers themselves have no text: the texts of the parts add up to the reasoning and the answer.
 */
export interface LaneTokenEvent {
  type: 'token';
  lane: number;
  token: number;
  text: string;
  logprob: number;
  part: 'thinking' | 'answer';
  forced: boolean;
}
/**
 * The lane took back its last `tokens` tokens: the last `characters` characters of its thinking are void. Tokens taken back
 * stay in what the lane generated and cost.
 */
export interface RewindEvent {
  type: 'rewind';
  lane: number;
  tokens: number;
  characters: number;
}
/** The course of a lane's thinking was changed from outside the model: what was done, and why (one sentence). */
export interface SteerEvent {
  type: 'steer';
  lane: number;
  action: 'close' | 'cue' | 'continue' | 'resample' | 'penalise';
  reason: string;
}
/** How much of its budget the run has spent; at most ten a second, and one at the end. */
export interface BudgetEvent {
  type: 'budget';
  spent: Spending;
  budget: Budget;
  /** Of the limit that is nearest: 0 to 1, a little above where that could not be helped. */
  fraction: number;
  /** `concluding`: lanes were told to answer. `spent`: nothing is left to give to a lane. */
  state: 'running' | 'concluding' | 'spent';
}
/** The running cost: of each lane (index = lane) and of the whole run, with wall seconds since its start. */
export interface CostEvent {
  type: 'cost';
  lanes: LedgerSnapshot[];
  total: LedgerSnapshot;
  seconds: number;
  /** How well steps are predicted: medians of recent ones in milliseconds, and the median error as a fraction. */
  timing?: StepTimes;
  /** What `total` would be if every token had attended to all before it; absent where all did, or where nobody tells. */
  dense?: Cost;
}
/** Measured beside predicted. */
export interface StepTimes {
  /** How many steps the medians are of. */
  steps: number;
  measuredMs: number;
  predictedMs: number;
  /** |predicted − measured| / measured, the median over these steps. */
  medianError: number;
}
/** A lane was scored (by a verifier, a vote, its log-probability …). */
export interface ScoreEvent {
  type: 'score';
  lane: number;
  score: number;
  verdict?: Verdict;
}
/** A lane was stopped before its own end, and why (one sentence). */
export interface PruneEvent {
  type: 'prune';
  lane: number;
  reason: string;
}
/** A lane ended, with its parsed reasoning and answer. */
export interface CandidateEvent {
  type: 'candidate';
  lane: number;
  candidate: Candidate;
}
/** The choice among the candidates, and why (one sentence). */
export interface SelectEvent {
  type: 'select';
  lane: number;
  reason: string;
}
/** The run is over; the generator returns the same answer. */
export interface DoneEvent {
  type: 'done';
  answer: Answer;
}
export type ReasoningEvent =
  | LaneEvent
  | LaneTokenEvent
  | RewindEvent
  | SteerEvent
  | BudgetEvent
  | CostEvent
  | ScoreEvent
  | PruneEvent
  | CandidateEvent
  | SelectEvent
  | DoneEvent;

/** What became of one lane. */
export interface Candidate {
  lane: number;
  seed: number;
  reasoning: string;
  answer: string;
  /** Tokens generated (thinking and answer, forced ones and those taken back included). */
  tokens: number;
  /** `pruned`: stopped by the strategy because it could not change the choice any more. */
  finish: FinishReason | 'pruned';
  /** Sum and count of the log-probabilities of its sampled tokens, without those taken back. */
  logprob: { sum: number; count: number };
  verdict: Verdict | null;
}

/** The result of a run. Plain data. */
export interface Answer {
  text: string;
  reasoning: string;
  /** Index into `candidates`; null when no lane produced an answer. */
  chosen: number | null;
  /** Why this one: one sentence. */
  reason: string;
  candidates: Candidate[];
  usage: {
    promptTokens: number;
    completionTokens: number;
    ledger: LedgerSnapshot;
    seconds: number;
    /** The ledger beside the formulas; added by models that know their own shape. */
    account?: RunAccount;
  };
}

/** Everything a strategy is given. */
export interface StrategyContext {
  engine: Engine;
  /** The whole prompt, chat template applied, up to where the model starts to think. */
  prompt: TokenIds;
  /** How thinking is closed in this model's dialect. */
  dialect: ThinkingDialect;
  sampling: Sampling;
  /** How a lane thinks: its limit, and what else is to shape it. */
  thinking: ThinkingOptions;
  /** Most tokens of an answer, and what else ends it. */
  answer: { maxTokens: number; stopStrings?: readonly string[] };
  /** What generated tokens attend to. Default dense. */
  attention?: AttentionPolicy;
  /** What the whole run may spend. Nearly spent, lanes close their thinking and answer. */
  budget?: Budget;
  /** FLOPs that one byte weighs in `budget.eflops`. Default 562.5, the papers'. */
  intensity?: number;
  /** Milliseconds from any origin; default `performance.now`. */
  clock?: () => number;
  /** Judges an answer, where the problem can be verified. */
  verify?: (answer: string) => Verdict;
  signal?: AbortSignal;
  /** Fires when lanes are to close their thinking and answer: somebody has seen enough. */
  conclude?: AbortSignal;
}

export type Strategy<Options> = (
  context: StrategyContext,
  options: Options,
) => AsyncGenerator<ReasoningEvent, Answer, undefined>;
