/** Drawing tokens on the GPU: one workgroup a sample, any vocabulary, no logits ever read back. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { Gpu, Kernel } from '../gpu/index.ts';
import type { Cost } from '../ledger/cost.ts';
import { type SamplerLimits, SamplerState } from './sampler-state.ts';
import type { StepBuffers, StepRecorder, StepShape } from './step.ts';

export { type ResolvedSampling, resolveSampling, type SamplerLimits, SamplerState } from './sampler-state.ts';

/** Sample flag: do not draw; the log-probability of `target` is wanted. */
export const FORCED = 1;
/** Sample flag: the token becomes what the lane sampled last, and one it holds. */
export const KEEP = 2;
/** u32 words of one result: token, bits of its f32 log-probability. */
export const RESULT_WORDS = 2;

export interface SamplerShape extends SamplerLimits {
  /** Samples in one step. */
  maxSamples: number;
}

export interface SamplerTuning {
  /** Invocations of a workgroup, at least 16. Default by vocabulary: 32, 64 or 256. */
  workgroup?: number;
}

export interface SamplerBuffers {
  /** f32 [logitRows][vocab]. Only read. */
  logits: GPUBuffer;
  step: StepBuffers;
  /** u32 [maxSamples][RESULT_WORDS]. */
  results: GPUBuffer;
}

/** Largest vocabulary: masses of all tokens must add up in 32 bits with some left for precision. */
const MAX_VOCAB = 2 ** 20;
/** Shared arrays of the kernel beyond the four of one word an invocation: two of 256 bins, 16 sums of two words. */
const SHARED_BYTES = 4 * (2 * 256 + 2 * 16);

/**
 * Draws (or scores) tokens from logits rows, as `samples` of the step say. A draw depends on the row's logits, its
 * slot's settings and the position, on nothing else. Definition and passes: shaders/sample/draw.wesl.
 *
 * A result whose log-probability is NaN means the row had nothing to draw from: no finite logit that is not banned.
 */
export class Sampler {
  readonly state: SamplerState;
  readonly shape: SamplerShape;
  /** Cost of scoring one given token. */
  readonly forcedCost: Cost;
  readonly #kernel: Kernel;

  private constructor(shape: SamplerShape, kernel: Kernel, state: SamplerState) {
    this.shape = shape;
    this.state = state;
    this.#kernel = kernel;
    this.forcedCost = { flops: 4 * shape.vocab, bytes: 4 * shape.vocab };
  }

  /** @throws ReckonError `bad-option` for a shape that is not one, `limit-exceeded` where the device is too small. */
  static async create(gpu: Gpu, shape: SamplerShape, tuning: SamplerTuning = {}): Promise<Sampler> {
    const { vocab } = shape;
    checkNumber('vocab', vocab, { min: 1, max: MAX_VOCAB, integer: true });
    checkNumber('maxSamples', shape.maxSamples, { min: 1, integer: true });
    const { limits } = gpu.profile;
    const workgroup = tuning.workgroup ?? defaultWorkgroup(vocab);
    checkNumber('workgroup', workgroup, { min: 16, integer: true });
    if (
      workgroup > limits.maxComputeInvocationsPerWorkgroup ||
      16 * workgroup + SHARED_BYTES > limits.maxComputeWorkgroupStorageSize
    ) {
      throw new ReckonError(
        'limit-exceeded',
        `Sampling wants workgroups of ${workgroup}; this GPU has no room for them.`,
      );
    }
    const state = new SamplerState(gpu, shape);
    const kernel = await gpu.kernel({
      module: 'sample/draw',
      conditions: {},
      constants: {
        V: vocab,
        W: workgroup,
        HALF: massBits(vocab),
        SEEN_WORDS: state.seenWords,
        POOL: state.poolWord,
      },
      bindings: ['read', 'read', 'read', 'read', 'read', 'write', 'write', 'write'],
    });
    return new Sampler(shape, kernel, state);
  }

  bind(gpu: Gpu, { logits, step, results }: SamplerBuffers): BoundSampler {
    const { settings, seen } = this.state;
    const kernel = this.#kernel;
    const bindings = gpu.bind(kernel, [
      step.rows,
      step.logitRows,
      step.samples,
      logits,
      settings,
      seen,
      step.laneTokens,
      results,
    ]);
    return {
      record(recorder: StepRecorder, { samples }: StepShape, cost: Cost): void {
        recorder.dispatch(kernel, bindings, [samples], 'other', 'logits', cost.flops, cost.bytes);
      },
    };
  }

  /**
   * Adds the cost of one draw for `slot` to `into`. Bytes: each pass over the row (and the tokens held, under a
   * penalty), the radix passes of top-k and top-p included. FLOPs: floating point only; random bits and histograms are
   * integers.
   */
  addDrawCost(slot: number, into: Cost): void {
    const { vocab } = this.shape;
    const { greedy, topK, topP, penalty } = this.state.draw(slot);
    const passes = (greedy ? 1 : 2) + (topK ? 4 : 0) + (topP ? 4 : 0);
    into.flops += vocab * ((greedy ? 4 : 8) + (topP ? 12 : 0) + (penalty ? passes : 0));
    into.bytes += passes * (vocab * 4 + (penalty ? this.state.seenWords * 4 : 0));
  }

  dispose(): void {
    this.state.dispose();
  }
}

export interface BoundSampler {
  /** Records the step's samples. `cost`: the sum over them of `addDrawCost` or `forcedCost`. */
  record(recorder: StepRecorder, shape: StepShape, cost: Cost): void;
}

/** Few invocations where there is little to stride over: barriers cost more than the work then. */
function defaultWorkgroup(vocab: number): number {
  if (vocab <= 256) return 32;
  return vocab <= 4096 ? 64 : 256;
}

/** Bits of each half of a top-p mass: as many as leave the sum over the vocabulary below 2^32, at most 15. */
function massBits(vocab: number): number {
  let bits = 15;
  while (bits > 1 && vocab * 2 ** bits >= 2 ** 32) bits--;
  return bits;
}
