/** The public face: load a model, reason with it. The same in a page, in a worker's client and in Node. */
import type { Engine, KvCapacity, Sampling } from '../engine/types.ts';
import type { DeviceProfile } from '../gpu/profile.ts';
import type { Precision } from '../kernels/precision.ts';
import type { Answer, ReasoningEvent } from '../strategies/types.ts';
import type { Problem } from '../tasks/types.ts';
import type { ChatCompletions } from './chat.ts';

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** Where a model comes from: an embedded one by name, a base URL, or files a person chose. */
export type ModelSource = string | URL | readonly File[];

export interface LoadProgress {
  phase: 'configuration' | 'weights' | 'kernels' | 'ready';
  /** Bytes of weights; 0 until the total is known. */
  loaded: number;
  total: number;
}

export interface LoadOptions {
  onProgress?: (progress: LoadProgress) => void;
  signal?: AbortSignal;
  /** How weights and KV lie in GPU memory. Default f16 for both; f32 for checkpoints stored in F32. */
  precision?: { weights?: Precision; kv?: Precision };
  /** Longest lane in tokens; default and upper bound: the model's own context. */
  maxContext?: number;
  /** Most lanes in one step. Default 64. */
  maxLanes?: number;
  /** Where WebGPU comes from. Default: the page's, or in Node what the package `webgpu` offers. */
  gpu?: GPU;
  /** Measure every step on the GPU's own clock, where it has one. Default false. */
  timestamps?: boolean;
  /** GPU memory for KV, in bytes. Default: a quarter of a GiB, less where the adapter allows less. */
  kvBytes?: number;
}

export interface ModelInfo {
  name: string;
  architecture: string;
  parameters: number;
  weightBytes: number;
  precision: { weights: Precision; kv: Precision };
  vocabulary: number;
  layers: number;
  maxContext: number;
  device: DeviceProfile;
  capacity: KvCapacity;
}

export interface ReasonRequest {
  /** Exactly one of these three. */
  messages?: readonly ChatMessage[];
  prompt?: string;
  problem?: Problem;
  strategy?:
    | { name: 'best-of-n'; n?: number; select?: 'verifier' | 'majority' | 'logprob'; earlyStop?: boolean }
    | { name: 'chain-of-thought' };
  sampling?: Sampling;
  thinking?: { maxTokens?: number };
  answer?: { maxTokens?: number };
  signal?: AbortSignal;
}

/** A run under way: iterate it for events, or just await `result`. */
export interface ReasonRun extends AsyncIterable<ReasoningEvent> {
  readonly result: Promise<Answer>;
}

export interface Model {
  readonly info: ModelInfo;
  /** @throws ReckonError (as rejection of `result` and of the iteration) `bad-option`, `over-capacity`, `device-lost` … */
  reason(request: ReasonRequest): ReasonRun;
  /** OpenAI's shape: `chat.completions.create`. */
  readonly chat: { readonly completions: ChatCompletions };
  /** The engine under it, for those who write their own strategies. Not there on a worker's client. */
  readonly engine?: Engine;
  dispose(): void;
}
