/** Token embedding: a row of the residual stream from the packed table. See shaders/embed/embed.wesl. */
import { checkNumber } from '../errors.ts';
import type { Gpu, Kernel } from '../gpu/index.ts';
import {
  type ColumnRange,
  checkFormat,
  columnBytes,
  matrixConditions,
  matrixConstants,
  type PackedMatrix,
  type WeightFormat,
} from './matrix.ts';
import type { StepBuffers, StepRecorder, StepShape } from './step.ts';

export interface EmbedShape {
  /** Numbers of a row: a multiple of 4. */
  hidden: number;
  /** Tokens in the table; larger ids read the last one. */
  vocab: number;
  format: WeightFormat;
  /** How the table is divided over buffers; default: not. */
  parts?: readonly ColumnRange[];
}

export interface EmbedBuffers {
  /** hidden → vocab, of the shape's format and parts: a table of its own, or the tied head. */
  table: PackedMatrix;
  /** f32 [rows][hidden] */
  out: GPUBuffer;
  step: StepBuffers;
}

const THREADS = 64;

export class Embed {
  readonly shape: EmbedShape;
  /** One for each part of the table. */
  readonly kernels: readonly Kernel[];
  /** Bytes of GPU traffic a row compels. */
  readonly rowBytes: number;

  private constructor(shape: EmbedShape, kernels: readonly Kernel[], rowBytes: number) {
    this.shape = shape;
    this.kernels = kernels;
    this.rowBytes = rowBytes;
  }

  /** @throws ReckonError `bad-option` when the format cannot hold rows of `hidden` numbers or the vocabulary is empty. */
  static async create(gpu: Gpu, shape: EmbedShape): Promise<Embed> {
    const { hidden, vocab, format } = shape;
    checkNumber('hidden', hidden, { min: 4, integer: true });
    checkNumber('vocab', vocab, { min: 1, integer: true });
    checkFormat(hidden, format);
    const parts = shape.parts ?? [{ first: 0, outputs: vocab }];
    const kernels = parts.map(({ first, outputs }) =>
      gpu.kernel({
        module: 'embed/embed',
        bindings: ['uniform', 'read', 'read', 'read', 'write'],
        constants: {
          ...matrixConstants(hidden, outputs, format),
          HIDDEN4: hidden / 4,
          VOCAB: vocab,
          FIRST: first,
          COUNT: outputs,
        },
        conditions: { ...matrixConditions(gpu, format), parted: parts.length > 1 },
      }),
    );
    // The row's descriptor, its weights, its place in x.
    return new Embed(shape, await Promise.all(kernels), 16 + columnBytes(hidden, format) + hidden * 4);
  }

  bind(gpu: Gpu, { table, out, step }: EmbedBuffers): BoundEmbed {
    const groups = table.parts.map(({ buffer }, part) =>
      gpu.bind(this.kernels[part]!, [step.header, buffer, step.rows, step.laneTokens, out]),
    );
    return new BoundEmbed(this, groups);
  }
}

/** An embedding with its buffers. */
export class BoundEmbed {
  readonly #embed: Embed;
  readonly #bindings: readonly GPUBindGroup[];

  constructor(embed: Embed, bindings: readonly GPUBindGroup[]) {
    this.#embed = embed;
    this.#bindings = bindings;
  }

  /** A dispatch for each part of the table; a row finds its numbers in one of them, and is counted with the first. */
  record(step: StepRecorder, { rows }: StepShape): void {
    if (rows === 0) return;
    const { kernels, shape, rowBytes } = this.#embed;
    const groups = Math.ceil(shape.hidden / 4 / THREADS);
    for (const [part, kernel] of kernels.entries()) {
      const bytes = part === 0 ? rows * rowBytes : rows * 16;
      step.dispatch(kernel, this.#bindings[part]!, [groups, rows], 'other', 'rows', 0, bytes);
    }
  }
}
