/**
 * A strategy is an async generator of events over lanes that returns an answer. The page, the API, the lab and the tests
 * all read this one stream. Every event is plain data: it crosses the worker boundary unchanged.
 */
import type { Engine, FinishReason, LedgerSnapshot, Sampling, TokenIds } from '../engine/types.ts';
import type { Verdict } from '../tasks/types.ts';
import type { ThinkingDialect } from '../text/thinking.ts';

export type { ThinkingDialect };

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
/** The running cost: of each lane (index = lane) and of the whole run, with wall seconds since its start. */
export interface CostEvent {
  type: 'cost';
  lanes: LedgerSnapshot[];
  total: LedgerSnapshot;
  seconds: number;
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
  /** Tokens generated (thinking and answer, forced ones included). */
  tokens: number;
  /** `pruned`: stopped by the strategy because it could not change the choice any more. */
  finish: FinishReason | 'pruned';
  /** Sum and count of the log-probabilities of its sampled tokens. */
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
  usage: { promptTokens: number; completionTokens: number; ledger: LedgerSnapshot; seconds: number };
}

/** Everything a strategy is given. */
export interface StrategyContext {
  engine: Engine;
  /** The whole prompt, chat template applied, up to where the model starts to think. */
  prompt: TokenIds;
  /** How thinking is closed in this model's dialect. */
  dialect: ThinkingDialect;
  sampling: Sampling;
  /** Most tokens a lane may spend on thinking before it is closed by force; and on the answer, and what ends that. */
  thinking: { maxTokens: number };
  answer: { maxTokens: number; stopStrings?: readonly string[] };
  /** Judges an answer, where the problem can be verified. */
  verify?: (answer: string) => Verdict;
  signal?: AbortSignal;
  /** Fires when lanes are to close their thinking and answer: the budget is nearly spent. */
  conclude?: AbortSignal;
}

export type Strategy<Options> = (
  context: StrategyContext,
  options: Options,
) => AsyncGenerator<ReasoningEvent, Answer, undefined>;
