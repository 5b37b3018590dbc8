/** Token embedding: a row of the residual stream from the packed table. See shaders/embed/embed.wesl. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { Gpu, Kernel } from '../gpu/index.ts';
import { packedColumns } from './pack.ts';
import { BYTES, type Precisions, precisionConditions } from './precision.ts';
import type { StepBuffers, StepRecorder, StepShape } from './step.ts';

export interface EmbedShape {
  /** Numbers of a row: a multiple of 4. */
  hidden: number;
  /** Tokens in the table; larger ids read the last one. */
  vocab: number;
}

export interface EmbedBuffers {
  /** Packed [hidden/4][vocab padded]: a table of its own, or the tied head. */
  table: GPUBuffer;
  /** f32 [rows][hidden] */
  out: GPUBuffer;
  step: StepBuffers;
}

const THREADS = 64;

export class Embed {
  readonly shape: EmbedShape;
  readonly kernel: Kernel;
  /** Bytes of GPU traffic a row compels. */
  readonly rowBytes: number;

  private constructor(shape: EmbedShape, kernel: Kernel, rowBytes: number) {
    this.shape = shape;
    this.kernel = kernel;
    this.rowBytes = rowBytes;
  }

  /** @throws ReckonError `bad-option` when `hidden` is not a positive multiple of 4 or the vocabulary is empty. */
  static async create(gpu: Gpu, shape: EmbedShape, precisions: Precisions): Promise<Embed> {
    const { hidden, vocab } = shape;
    checkNumber('hidden', hidden, { min: 4, integer: true });
    checkNumber('vocab', vocab, { min: 1, integer: true });
    if (hidden % 4 !== 0) throw new ReckonError('bad-option', `hidden is ${hidden}; it must be a multiple of 4.`);
    const kernel = await gpu.kernel({
      module: 'embed/embed',
      bindings: ['uniform', 'read', 'read', 'read', 'write'],
      constants: { HIDDEN4: hidden / 4, NPAD: packedColumns(vocab), VOCAB: vocab },
      conditions: precisionConditions(gpu, precisions),
    });
    // The row's descriptor, its weights, its place in x.
    return new Embed(shape, kernel, 16 + hidden * (BYTES[precisions.weights] + 4));
  }

  bind(gpu: Gpu, { table, out, step }: EmbedBuffers): BoundEmbed {
    return new BoundEmbed(this, gpu.bind(this.kernel, [step.header, step.rows, step.laneTokens, table, out]));
  }
}

/** An embedding with its buffers. */
export class BoundEmbed {
  readonly #embed: Embed;
  readonly #bindings: GPUBindGroup;

  constructor(embed: Embed, bindings: GPUBindGroup) {
    this.#embed = embed;
    this.#bindings = bindings;
  }

  record(step: StepRecorder, { rows }: StepShape): void {
    if (rows === 0) return;
    const { kernel, shape, rowBytes } = this.#embed;
    const groups = Math.ceil(shape.hidden / 4 / THREADS);
    step.dispatch(kernel, this.#bindings, [groups, rows], 'other', 'rows', 0, rows * rowBytes);
  }
}
