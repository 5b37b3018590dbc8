/**
 * The engine's public vocabulary: lanes, what they generate, and what they cost. Strategies are written on this file
 * and nothing else, so that they run on any implementation of it.
 */
import type { DeviceProfile } from '../gpu/profile.ts';
import type { KvPrecision } from '../kernels/precision.ts';
import type { Cost, CostByClass } from '../ledger/cost.ts';
import type { LaneJournal } from './journal.ts';

export type { DeviceProfile, LaneJournal };

export type TokenIds = readonly number[] | Uint32Array;

/** How the next token is drawn. Applied in this order: penalty, biases, temperature, top-k, top-p, min-p. */
export interface Sampling {
  /** 0 is greedy. Default 1. */
  temperature?: number;
  /** Keep the k likeliest tokens; 0 is off. Default 0. */
  topK?: number;
  /** Keep the smallest set of tokens whose probabilities reach p; 1 is off. Default 1. */
  topP?: number;
  /** Drop tokens less likely than this fraction of the likeliest; 0 is off. Default 0. */
  minP?: number;
  /** Divides positive and multiplies negative logits of tokens already in the lane; 1 is off. Default 1. */
  repetitionPenalty?: number;
  /** Key of the lane's random stream: 53-bit non-negative integer. Default: drawn once per call. */
  seed?: number;
  /** Added to the logits of single tokens before anything else but the penalty. -Infinity bans. */
  biases?: ReadonlyMap<number, number>;
}

export interface GenerateOptions extends Sampling {
  /** At most this many tokens; default: what fits into the lane's context. */
  maxTokens?: number;
  /** Ends after any of these (the token is held by the lane and its event is yielded). Default: the model's. */
  stopTokens?: TokenIds;
  /** Ends as soon as the text contains one of these; the text yielded stops before it. */
  stopStrings?: readonly string[];
  signal?: AbortSignal;
}

/** Why a generation ended. `abort`: its signal; `stop`: a stop token or string; `length`: maxTokens or the context. */
export type FinishReason = 'stop' | 'length' | 'abort';

export interface TokenEvent {
  readonly token: number;
  /** Natural log-probability under the model's own distribution (before temperature, filters and biases). */
  readonly logprob: number;
  /** Text that this token completes; empty while a character or a possible stop string is still open. */
  readonly text: string;
  /** Position of the token in its lane. */
  readonly position: number;
}

/** A running generation: iterate it for tokens; the iterator's return value is the finish reason. */
export interface Generation extends AsyncIterable<TokenEvent> {
  [Symbol.asyncIterator](): AsyncIterator<TokenEvent, FinishReason, undefined>;
}

/** What the policies that leave something out have in common. Tokens; all but `denseLayers` are for each KV head. */
interface SparseSettings {
  /** First tokens always attended to, rounded up to whole blocks. Default 4. */
  readonly sinks?: number;
  /** Last tokens always attended to, rounded up to whole blocks; the row's own block always is. Default 0. */
  readonly local?: number;
  /** Layers that attend to everything. Default [0]. */
  readonly denseLayers?: readonly number[];
}

/**
 * Which tokens a decoded token attends to; definitions in docs/sparse-attention.md. Prefill is always dense, and so is a
 * token that a policy would have attend to everything. Choices are made for each layer and KV head.
 * - `blockTopK`: the `budget` tokens, beside sinks and local ones, whose blocks score best by their summaries. A multiple of
 *   `blockSize`: 16 by default, a power of two up to 64.
 * - `window`: nothing but sinks and local tokens.
 * - `tokenTopK`: the `budget` tokens of the best scores themselves, averaged over the query heads that share a KV head, as the
 *   paper's oracle has it. A reference: it reads every key to find them.
 */
export type AttentionPolicy =
  | { readonly kind: 'dense' }
  | ({ readonly kind: 'blockTopK'; readonly budget: number; readonly blockSize?: number } & SparseSettings)
  | ({ readonly kind: 'window'; readonly local: number } & SparseSettings)
  | ({ readonly kind: 'tokenTopK'; readonly budget: number } & SparseSettings);

/** What a lane, a run or an engine has cost: a snapshot, plain data. */
export interface LedgerSnapshot {
  /** Tokens the model read as input, prompt and generated alike (rows computed). */
  readonly rows: number;
  /** Tokens sampled, also those later cut off behind a stop. */
  readonly sampled: number;
  readonly flops: number;
  readonly bytes: number;
  readonly classes: CostByClass;
  /** What the class `attention` would hold had every row attended to everything; absent where that is not told. */
  readonly denseAttention?: Cost;
}

export interface Ledger {
  snapshot(): LedgerSnapshot;
}

/** One sequence with its KV pages. A lane does one thing at a time; many lanes at once are what fills a batch. */
export interface Lane {
  readonly id: number;
  /** Tokens held. */
  readonly length: number;
  /** The tokens held, prompt and generated. */
  readonly tokens: TokenIds;
  /** How generations attend from the next call on. Forks inherit it. Throws `bad-option` for one that makes no sense. */
  attention: AttentionPolicy;
  readonly ledger: Ledger;
  /** Appends given tokens (prefill), batched with whatever else runs. */
  append(input: TokenIds | string): Promise<void>;
  /** Generates until a stop. Abandoning the iteration ends the generation. */
  generate(options?: GenerateOptions): Generation;
  /** Log-probabilities of `continuation`, token by token; the lane is left as it was. */
  score(continuation: TokenIds): Promise<Float32Array>;
  /** Probabilities of a few candidates for the next token; the lane is left as it was. */
  choose(among: TokenIds): Promise<Float32Array>;
  /** `count` lanes with the same tokens: every full page is shared, copy-on-write. */
  fork(count: number): Lane[];
  /** Forgets the tokens from `length` on and frees their pages. */
  truncate(length: number): void;
  /** The lane as plain data, for `Engine.restore`; also while it works (with the tokens it holds by then) or after a failure. */
  save(): LaneJournal;
  dispose(): void;
}

/** Room for KV. Units: tokens and bytes. */
export interface KvCapacity {
  readonly pageSize: number;
  readonly totalPages: number;
  readonly freePages: number;
  readonly bytesPerToken: number;
  /** Of the KV; absent where another runtime keeps it. */
  readonly precision?: KvPrecision;
  /** Longest lane the model and the cache allow. */
  readonly maxContext: number;
  /** Most lanes that can run in one step. */
  readonly maxLanes: number;
}

/**
 * What an engine may lack. `costs`: its ledger counts rows and draws, FLOPs and bytes are NaN. `policies`: lanes attend densely.
 * `batching`: lanes take turns, so that many take as long as one after the other.
 */
export type EngineFeature = 'costs' | 'policies' | 'batching';

export interface Engine {
  /** Default: nothing. */
  readonly lacks?: readonly EngineFeature[];
  open(): Lane;
  /**
   * A lane as it was saved, by this engine or another of the same model. Its KV is computed when it is needed; then it goes on as
   * the saved one would have, bit for bit.
   * @throws ReckonError `bad-journal`, `over-capacity`
   */
  restore(journal: LaneJournal): Lane;
  readonly device: DeviceProfile;
  readonly capacity: KvCapacity;
  readonly ledger: Ledger;
  /** Text codec of the loaded model. */
  encode(text: string): number[];
  decode(tokens: TokenIds): string;
  /** Throws the typed error `over-capacity` when `lanes` lanes sharing `shared` tokens, each `length` long, cannot fit. */
  admit(plan: { lanes: number; shared: number; length: number }): void;
  dispose(): void;
}
