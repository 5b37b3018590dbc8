/** What passes between the lab's page and its worker: plain data, one channel, in order. */
import type { LoadProgress } from '../../src/api/types.ts';
import type { Experiment, LabProgress } from '../../src/lab/index.ts';
import type { PlainError } from '../../src/worker/protocol.ts';

/** One at a time, but for `pause`: each ends with an event `end` or `error`. */
export type LabCommand =
  /** Draws what the store of this name does not hold yet. */
  | { readonly type: 'run'; readonly name: string; readonly experiment: Experiment; readonly model: string }
  /** Ends the run under way; what is done is kept. */
  | { readonly type: 'pause' }
  /** Looks at what the store of this name holds; needs no model. */
  | { readonly type: 'show'; readonly name: string; readonly experiment: Experiment }
  /** Puts what the stores of several models hold into one plot. */
  | { readonly type: 'compare'; readonly stores: readonly { readonly name: string; readonly experiment: Experiment }[] }
  | { readonly type: 'forget'; readonly name: string };

export type LabEvent =
  | { readonly type: 'loading'; readonly progress: LoadProgress }
  | { readonly type: 'ready'; readonly model: ModelFacts }
  /** The browser's storage failed: results last as long as the page. */
  | { readonly type: 'unkept'; readonly why: string }
  | { readonly type: 'progress'; readonly progress: LabProgress }
  /** Of the problems done so far; text by file name. */
  | { readonly type: 'results'; readonly files: ReadonlyMap<string, string> }
  /** Plots of several models; text by file name. */
  | { readonly type: 'compared'; readonly files: ReadonlyMap<string, string> }
  | { readonly type: 'end'; readonly how: 'finished' | 'paused' | 'shown' | 'compared' | 'forgotten' }
  | { readonly type: 'error'; readonly error: PlainError };

export interface ModelFacts {
  readonly name: string;
  readonly device: string;
  readonly software: boolean;
}
