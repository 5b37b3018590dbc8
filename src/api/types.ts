/** The public face: load a model, reason with it. The same in a page, in a worker's client and in Node. */
import type { DownloadProgress, ModelOrigin, RepositoryReference } from '../checkpoint/index.ts';
import type { DeviceCalibration } from '../cost/calibrate.ts';
import type { ModelShape } from '../cost/shapes.ts';
import type { AttentionPolicy, Engine, KvCapacity, Sampling } from '../engine/types.ts';
import type { DeviceProfile } from '../gpu/profile.ts';
import type { KvPrecision, Precision } from '../kernels/precision.ts';
import type { SummaryKind } from '../kernels/summary.ts';
import type { LoadedPrecision } from '../model/weights.ts';
import type { BestOfNOptions } from '../strategies/best-of-n.ts';
import type { Budget } from '../strategies/budget.ts';
import type { Answer, ReasoningEvent, ThinkingOptions } from '../strategies/types.ts';
import type { Problem } from '../tasks/types.ts';
import type { ChatCompletions } from './chat-types.ts';

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/**
 * Where a checkpoint lies: a repository on a hub, a base URL (in a page also a relative one), files a person chose, or, in
 * Node, a folder.
 */
export type ModelSource = string | URL | RepositoryReference | ModelOrigin | readonly File[];

export interface LoadProgress {
  /** `download` comes first, and only for a model that is to be kept and is not here yet. */
  phase: 'download' | 'configuration' | 'weights' | 'kernels' | 'ready';
  /** Bytes of weights, in the download of all files; 0 until the total is known. */
  loaded: number;
  total: number;
  /** In the phase `download`: its rate, the time left and more. */
  download?: DownloadProgress;
}

export interface LoadOptions {
  onProgress?: (progress: LoadProgress) => void;
  signal?: AbortSignal;
  /**
   * Keep a repository or URL on this device: it is brought there whole, checked, and read from there; one that is here
   * needs no network. In a browser from a worker only. Default false: it is read from the network, unless it is here.
   */
  keep?: boolean;
  /** For gated repositories. Sent to the repository's own server and nowhere else, and never kept. */
  token?: string;
  /** Node only: the folder of kept models. Default `$RECKON_CACHE`, or `reckon/models` in the user's folder for caches. */
  cache?: string;
  /**
   * How weights and KV lie in GPU memory; arithmetic is f32 throughout. Default f16 for both. KV in `int8` has a scale for
   * each token and head and takes about half the room of f16.
   */
  precision?: { weights?: Precision; kv?: KvPrecision };
  /**
   * Quantises weights that the checkpoint has as floats while they are loaded, in groups of 32 with f16 scales: to 4 bits (as MLC's
   * q4f16_1) or 8. Weights that are quantised already stay as they are.
   */
  quantize?: '4bit' | '8bit' | null;
  /**
   * What the model writes around its thinking, such as `['<think>', '</think>']`. Default: found in its chat template and
   * tokenizer, among the markers in use.
   */
  thinkingMarkers?: readonly [open: string, close: string];
  /** Longest lane in tokens, at most the model's own context. Default: that, up to 32,768, and what the KV holds. */
  maxContext?: number;
  /** Most lanes in one step, at most 256; more of them take turns. Default 64. */
  maxLanes?: number;
  /** Where WebGPU comes from. Default: the page's, or in Node what the package `webgpu` offers. */
  gpu?: GPU;
  /** Measure every step on the GPU's own clock, where it has one. Default false. */
  timestamps?: boolean;
  /**
   * Measure what the device sustains (under two seconds the first time, then kept): `info.calibration` is set, and cost
   * events tell predicted beside measured step times. Default false.
   */
  calibrate?: boolean;
  /**
   * What full pages keep of their keys, for block top-k attention: their mean, or least and greatest values, which cost twice
   * the memory and scan; null: nothing, and such attention is refused. Default 'mean'.
   */
  summary?: SummaryKind | null;
  /** GPU memory for KV, in bytes. Default: a quarter of a GiB, less where lanes cannot use it or a buffer cannot hold it. */
  kvBytes?: number;
  /**
   * What computes. Default "reckon". "web-llm" knows more architectures and has fewer features (`engine.lacks`); it needs
   * `@mlc-ai/web-llm` and an import of "reckon/web-llm" where models are loaded, and the source is then one of its models.
   */
  backend?: 'reckon' | 'web-llm';
}

export interface ModelInfo {
  name: string;
  /** What computes. Absent: Reckon's own engine. What another one does not tell is NaN here. */
  backend?: 'web-llm' | 'server';
  architecture: string;
  parameters: number;
  weightBytes: number;
  /** `weights`: what most of them are; `int4`, `int8`: quantised. */
  precision: { weights: LoadedPrecision; kv: KvPrecision };
  vocabulary: number;
  layers: number;
  maxContext: number;
  /** The sizes that cost formulas and plans take (`reckon/cost`). */
  shape: ModelShape;
  device: DeviceProfile;
  capacity: KvCapacity;
  /** What the device sustains, where it was measured. */
  calibration?: DeviceCalibration;
}

export interface ReasonRequest {
  /** A conversation. Exactly one of `messages`, `prompt` and `problem` is given. */
  messages?: readonly ChatMessage[];
  /** A question: one user turn. A model without a chat template reads it as it is. */
  prompt?: string;
  /** A problem of a task, whose verifier then judges every answer. */
  problem?: Problem;
  /** A system turn before `prompt` or `problem`, such as the embedded models' "Think briefly.". */
  system?: string;
  /** Default: best-of-n with its own defaults. */
  strategy?: ({ name: 'best-of-n' } & BestOfNOptions) | { name: 'chain-of-thought' };
  /** What is left out is as the model's makers set it. */
  sampling?: Sampling;
  /** How lanes think. `maxTokens` defaults to as many as the KV of all lanes has room for. */
  thinking?: Partial<ThinkingOptions>;
  /** Passed to the chat template. `false` where the template knows it (Qwen3): the model answers at once. */
  enableThinking?: boolean;
  /** Default: 256 tokens, or a quarter of the room there is; no stop strings, only the model's own end. */
  answer?: { maxTokens?: number; stopStrings?: readonly string[] };
  /**
   * What generated tokens attend to: a policy, or its short form ("block:16x64" for the 64 best blocks of 16 tokens,
   * "window:4+1024", "topk:1024", "dense"). Default dense.
   */
  attention?: AttentionPolicy | string;
  /** What the whole run may spend. Nearly spent, lanes close their thinking and answer. */
  budget?: Budget;
  /** Ends the run within one step. What there is by then is the result; `aborted` where that is nothing. */
  signal?: AbortSignal;
}

/**
 * A run under way: iterate it for events (once), or just await `result`. Leaving the iteration early is an abort. An error
 * rejects `result` and is thrown by the iteration, behind the events that came before it.
 */
export interface ReasonRun extends AsyncIterable<ReasoningEvent> {
  readonly result: Promise<Answer>;
}

export interface Model {
  /** `capacity.freePages` is of now in-process, and of the load on a worker's client. */
  readonly info: ModelInfo;
  /**
   * Starts a run. Errors reject `result` and end the iteration: `bad-option`, `over-capacity`, `bad-tokenizer`,
   * `device-lost`, `gpu-out-of-memory`, `gpu-validation`, `aborted`.
   */
  reason(request: ReasonRequest): ReasonRun;
  /** OpenAI's shape: `chat.completions.create`. */
  readonly chat: { readonly completions: ChatCompletions };
  /** The engine under it, for those who write their own strategies. Not there on a worker's client. */
  readonly engine?: Engine;
  /** Frees all its GPU memory; runs under way reject. */
  dispose(): void;
}
