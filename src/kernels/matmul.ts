/** Activations × packed weights, with what follows fused: residual add, SwiGLU, bias. See shaders/matmul/. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { Gpu, Kernel } from '../gpu/index.ts';
import {
  checkTuning,
  defaultTuning,
  type MatmulTuning,
  sliceK,
  smallConditions,
  smallConstants,
} from './matmul-tuning.ts';
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

export { defaultTuning, type MatmulTuning } from './matmul-tuning.ts';

/** What is done with x·Wᵀ: stored; added to `out`; or, of columns interleaved gate, up: silu(gate) · up stored. */
export type MatmulEpilogue = 'store' | 'add' | 'swiglu';

export interface MatmulShape {
  /** K: a multiple of 4, of quantised weights of their group. */
  inputs: number;
  /** N: columns of the weights, before padding. Even for `swiglu`. */
  outputs: number;
  format: WeightFormat;
  /** How the weights are divided over buffers; default: not. */
  parts?: readonly ColumnRange[];
  epilogue: MatmulEpilogue;
  bias: boolean;
  /** Which count of the step is M: all its rows, or those whose logits are wanted. */
  rows: 'rows' | 'logitRows';
  /** Default: `defaultTuning` of the device. */
  tuning?: MatmulTuning;
}

/** Rows and columns of the tiled variant's workgroup tile, and how many k4 it stages at a time: 8 KiB. */
const TILED = { tile: 32, tallTile: 64, depth: 4 };

interface Variant {
  /** Of each part of the weights; the same where parts are alike. */
  kernels: readonly Kernel[];
  /** Rows and columns of one workgroup. */
  rows: number;
  columns: number;
}

export interface MatmulBuffers {
  /** f32 [M][K], best with room for M rounded up to 32: rows behind the last are read, and not used. */
  x: GPUBuffer;
  /** Of the shape's inputs, outputs, format and parts. */
  weights: PackedMatrix;
  /** f32 [M][N], for `swiglu` [M][N/2] */
  out: GPUBuffer;
  /** f32 [N]; just when the shape has a bias. */
  bias?: GPUBuffer;
  step: StepBuffers;
}

export class Matmul {
  readonly shape: MatmulShape;
  readonly tuning: MatmulTuning;
  /** Slices of K whose sums are added in order; 1 for most shapes on software devices. */
  readonly slices: number;
  readonly parts: readonly ColumnRange[];
  readonly #small: readonly Variant[];
  readonly #tiled: readonly Variant[];

  private constructor(
    shape: MatmulShape,
    tuning: MatmulTuning,
    slices: number,
    parts: readonly ColumnRange[],
    small: readonly Variant[],
    tiled: readonly Variant[],
  ) {
    this.shape = shape;
    this.tuning = tuning;
    this.slices = slices;
    this.parts = parts;
    this.#small = small;
    this.#tiled = tiled;
  }

  /**
   * Compiles every variant the tuning may choose.
   * @throws ReckonError `bad-option` for shapes that the packed layout cannot hold.
   */
  static async create(gpu: Gpu, shape: MatmulShape): Promise<Matmul> {
    const { inputs: K, outputs: N, epilogue, bias, format } = shape;
    checkNumber('matmul inputs', K, { min: 4, integer: true });
    checkNumber('matmul outputs', N, { min: 1, integer: true });
    checkFormat(K, format);
    if (epilogue === 'swiglu' && N % 2 !== 0) {
      throw new ReckonError('bad-option', `matmul outputs is ${N}; gate and up in pairs make an even number.`);
    }
    const tuning = shape.tuning ?? defaultTuning(gpu.profile);
    checkTuning(tuning);
    const K4 = K / 4;
    // A function of the whole matrix: divided or not, it gives the same bits.
    const { slices, slice } = sliceK(K4, N, format, tuning);
    const parts = shape.parts ?? [{ first: 0, outputs: N }];

    const bindings = ['uniform', 'read', 'read', 'write', ...(bias ? (['read'] as const) : [])] as const;
    const conditions = {
      ...matrixConditions(gpu, format),
      bias,
      add: epilogue === 'add',
      swiglu: epilogue === 'swiglu',
      logit_rows: shape.rows === 'logitRows',
      columns2: false,
      columns4: false,
      experts: false,
    };
    /** One kernel a part of the weights. */
    const compile = (module: string, constants: Record<string, number>, more: Record<string, boolean>) =>
      Promise.all(
        parts.map(({ outputs }) =>
          gpu.kernel({
            module,
            bindings,
            constants: {
              ...matrixConstants(K, outputs, format),
              ...constants,
              N: outputs,
              K4,
              OUT: epilogue === 'swiglu' ? N / 2 : N,
              SLICES: slices,
              SLICE: slice,
            },
            conditions: { ...conditions, ...more },
          }),
        ),
      );

    const small = tuning.rowTiles.map(async (tile): Promise<Variant> => {
      const wanted = tile > 8 ? tuning.tallColumns : tuning.columns;
      const width = wanted === 1 && epilogue === 'swiglu' ? 2 : wanted;
      const lanes = Math.max(1, Math.floor(tuning.threads / slices));
      const kernels = await compile('matmul/small', smallConstants(tile, width, lanes, slice, format), {
        ...smallConditions(tile, width),
        sliced: slices > 1,
      });
      return { kernels, rows: tile, columns: lanes * width };
    });
    const never = Number.POSITIVE_INFINITY;
    const tiles =
      tuning.tiledFrom === never ? [] : [TILED.tile, ...(tuning.tallTilesFrom === never ? [] : [TILED.tallTile])];
    const tiled = tiles.map(async (tile): Promise<Variant> => {
      const kernels = await compile('matmul/tiled', { TILE: tile, DEPTH: TILED.depth }, { columns2: true });
      return { kernels, rows: tile, columns: tile };
    });
    const [narrow, wide] = await Promise.all([Promise.all(small), Promise.all(tiled)]);
    return new Matmul(shape, tuning, slices, parts, narrow, wide);
  }

  /** @throws ReckonError `internal` for weights, or a bias, other than the shape says. */
  bind(gpu: Gpu, { x, weights, out, bias, step }: MatmulBuffers): BoundMatmul {
    if ((bias !== undefined) !== this.shape.bias) {
      throw new ReckonError('internal', `A matmul ${this.shape.bias ? 'with' : 'without'} bias was bound otherwise.`);
    }
    const { inputs, outputs, epilogue } = this.shape;
    const divided = weights.parts.map(({ first, outputs }) => `${first}+${outputs}`).join();
    const expected = this.parts.map(({ first, outputs }) => `${first}+${outputs}`).join();
    if (weights.inputs !== inputs || weights.outputs !== outputs || divided !== expected) {
      throw new ReckonError(
        'internal',
        `A matmul ${inputs}→${outputs} (${expected}) was bound to weights ${weights.inputs}→${weights.outputs} (${divided}).`,
      );
    }
    const groups = weights.parts.map(({ first, buffer }) => {
      const from = (target: GPUBuffer, offset: number) => (offset === 0 ? target : { buffer: target, offset });
      const resources = [
        step.header,
        buffer,
        x,
        from(out, (epilogue === 'swiglu' ? first / 2 : first) * 4),
        ...(bias ? [from(bias, first * 4)] : []),
      ];
      return gpu.bind(this.#small[0]!.kernels[0]!, resources);
    });
    return new BoundMatmul(this, groups);
  }

  /** The variant for `rows` rows: a function of the count alone. */
  variant(rows: number): Variant {
    if (rows >= this.tuning.tiledFrom) {
      const tall = rows > TILED.tile && rows * this.shape.outputs >= this.tuning.tallTilesFrom;
      return this.#tiled[tall ? 1 : 0]!;
    }
    return this.#small.find((variant) => variant.rows >= rows) ?? this.#small.at(-1)!;
  }

  /** FLOPs of `rows` rows, of some or all of the columns. */
  flops(rows: number, columns = this.shape.outputs): number {
    return 2 * rows * this.shape.inputs * columns;
  }

  /**
   * Bytes `rows` rows compel: the weights (codes and scales, where quantised) once per row tile, out once (twice where it is
   * added to), the bias; x once for each part of the weights.
   */
  bytes(rows: number): number {
    return this.parts.reduce((sum, { outputs }) => sum + this.partBytes(rows, outputs), 0);
  }

  /** What of that a part of `columns` columns takes. */
  partBytes(rows: number, columns: number): number {
    const { inputs, epilogue, bias, format } = this.shape;
    const passes = Math.ceil(rows / this.variant(rows).rows);
    const out = epilogue === 'swiglu' ? columns / 2 : epilogue === 'add' ? columns * 2 : columns;
    return passes * columnBytes(inputs, format) * columns + rows * (inputs + out) * 4 + (bias ? columns * 4 : 0);
  }
}

/** A matmul with its buffers. */
export class BoundMatmul {
  readonly #matmul: Matmul;
  readonly #bindings: readonly GPUBindGroup[];

  constructor(matmul: Matmul, bindings: readonly GPUBindGroup[]) {
    this.#matmul = matmul;
    this.#bindings = bindings;
  }

  /** Records a dispatch for each part of the weights, and its cost; nothing for zero rows. */
  record(step: StepRecorder, shape: StepShape): void {
    const matmul = this.#matmul;
    const { rows: which } = matmul.shape;
    const rows = shape[which];
    if (rows === 0) return;
    const variant = matmul.variant(rows);
    for (const [part, { outputs }] of matmul.parts.entries()) {
      step.dispatch(
        variant.kernels[part]!,
        this.#bindings[part]!,
        [Math.ceil(outputs / variant.columns), Math.ceil(rows / variant.rows)],
        'linear',
        which === 'rows' ? 'rows' : 'logits',
        matmul.flops(rows, outputs),
        matmul.partBytes(rows, outputs),
      );
    }
  }
}
