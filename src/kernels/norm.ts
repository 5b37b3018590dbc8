/** RMSNorm of the residual stream, of all rows or of those whose logits are wanted. See shaders/norm/rms.wesl. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { Gpu, Kernel } from '../gpu/index.ts';
import type { StepBuffers, StepRecorder, StepShape } from './step.ts';

export interface RmsNormShape {
  /** Numbers of a row: a multiple of 4. */
  hidden: number;
  /** Added to the mean square. */
  epsilon: number;
  /** True: the rows named by the step's `logitRows`, one after the other. */
  gather: boolean;
}

export interface RmsNormBuffers {
  /** f32 [rows][hidden] */
  x: GPUBuffer;
  /** f32 [hidden] */
  gain: GPUBuffer;
  /** f32 [rows or logitRows][hidden] */
  out: GPUBuffer;
  step: StepBuffers;
}

/** Threads of a row: on software drivers one SIMD vector, without a barrier. */
const SOFTWARE_THREADS = 4;
const MAX_THREADS = 64;

export class RmsNorm {
  readonly shape: RmsNormShape;
  readonly kernel: Kernel;

  private constructor(shape: RmsNormShape, kernel: Kernel) {
    this.shape = shape;
    this.kernel = kernel;
  }

  /** @throws ReckonError `bad-option` when `hidden` is not a positive multiple of 4 or `epsilon` not positive. */
  static async create(gpu: Gpu, shape: RmsNormShape): Promise<RmsNorm> {
    const { hidden, epsilon, gather } = shape;
    checkNumber('hidden', hidden, { min: 4, integer: true });
    checkNumber('epsilon', epsilon, { min: 0, exclusiveMin: true });
    if (hidden % 4 !== 0) throw new ReckonError('bad-option', `hidden is ${hidden}; it must be a multiple of 4.`);
    const redundant = gpu.profile.tuning === 'cpu';
    let threads = redundant ? SOFTWARE_THREADS : MAX_THREADS;
    while (threads > hidden / 4) threads /= 2;
    const kernel = await gpu.kernel({
      module: 'norm/rms',
      bindings: ['uniform', 'read', 'read', 'write', ...(gather ? (['read'] as const) : [])],
      constants: { HIDDEN4: hidden / 4, THREADS: threads, EPSILON: epsilon },
      conditions: { gather, redundant },
    });
    return new RmsNorm(shape, kernel);
  }

  bind(gpu: Gpu, { x, gain, out, step }: RmsNormBuffers): BoundRmsNorm {
    const rows = this.shape.gather ? [step.logitRows] : [];
    return new BoundRmsNorm(this, gpu.bind(this.kernel, [step.header, x, gain, out, ...rows]));
  }
}

/** An RMSNorm with its buffers. */
export class BoundRmsNorm {
  readonly #norm: RmsNorm;
  readonly #bindings: GPUBindGroup;

  constructor(norm: RmsNorm, bindings: GPUBindGroup) {
    this.#norm = norm;
    this.#bindings = bindings;
  }

  record(step: StepRecorder, shape: StepShape): void {
    const { kernel } = this.#norm;
    const { hidden, gather } = this.#norm.shape;
    const rows = gather ? shape.logitRows : shape.rows;
    if (rows === 0) return;
    const bytes = (2 * rows + 1) * hidden * 4 + (gather ? rows * 4 : 0);
    step.dispatch(kernel, this.#bindings, [rows], 'other', gather ? 'logits' : 'rows', 4 * rows * hidden, bytes);
  }
}
