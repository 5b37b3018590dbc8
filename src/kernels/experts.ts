/** Rows × packed experts: each row's tile reads one expert's weights. The small matmul with the condition `experts`. */
import { ReckonError } from '../errors.ts';
import type { Gpu, Kernel } from '../gpu/index.ts';
import { defaultTuning, type MatmulTuning, sliceK, smallConditions, smallConstants } from './matmul-tuning.ts';
import {
  type ColumnRange,
  checkFormat,
  columnBytes,
  matrixConditions,
  matrixConstants,
  type PackedMatrix,
  packedColumns,
  type WeightFormat,
} from './matrix.ts';
import type { StepBuffers, StepRecorder, StepShape } from './step.ts';

export interface ExpertsShape {
  experts: number;
  /** Experts a row goes to. */
  perToken: number;
  /** K and N of one expert. */
  inputs: number;
  outputs: number;
  /** Columns interleaved gate, up: silu(gate) · up stored; or plain sums. */
  epilogue: 'store' | 'swiglu';
  format: WeightFormat;
  /** How the experts' columns are divided over buffers: between experts. */
  parts: readonly ColumnRange[];
  tuning?: MatmulTuning;
}

export interface ExpertsBuffers {
  /** f32 [items][K], in the order of the experts, with room for 32 rows more. */
  x: GPUBuffer;
  /** [K][experts · N padded], expert beside expert. */
  weights: PackedMatrix;
  /** f32 [items][N], for `swiglu` [items][N/2] */
  out: GPUBuffer;
  /** vec4u: (expert, first item, item behind the last, 0), as shaders/moe/group.wesl leaves them. */
  tiles: GPUBuffer;
  step: StepBuffers;
}

/** Columns of one expert among all: padded, so that none begins within another's vectors. */
export const expertColumns = packedColumns;

/** Rows of a tile for `rows` rows of a step: twice what an expert gets when all get the same. A function of the count alone. */
export function expertTile(tuning: MatmulTuning, rows: number, experts: number, perToken: number): number {
  const wanted = Math.min(rows, Math.max(1, Math.ceil((2 * rows * perToken) / experts)));
  return tuning.rowTiles.find((tile) => tile >= wanted) ?? tuning.rowTiles.at(-1)!;
}

/** Most tiles that `items` items can make: each expert that is hit begins one, and every further `tile` items another. */
export function mostTiles(items: number, experts: number, tile: number): number {
  const hit = Math.min(items, experts);
  return hit + Math.floor((items - hit) / tile);
}

export class ExpertMatmul {
  readonly shape: ExpertsShape;
  readonly tuning: MatmulTuning;
  /** By rows of a tile: one kernel a part of the weights, and columns of a workgroup. */
  readonly variants: ReadonlyMap<number, { kernels: readonly Kernel[]; columns: number }>;

  private constructor(shape: ExpertsShape, tuning: MatmulTuning, variants: ExpertMatmul['variants']) {
    this.shape = shape;
    this.tuning = tuning;
    this.variants = variants;
  }

  /** @throws ReckonError `bad-option` for shapes that the packed layout cannot hold. */
  static async create(gpu: Gpu, shape: ExpertsShape): Promise<ExpertMatmul> {
    const { inputs, outputs, epilogue, format, parts } = shape;
    checkFormat(inputs, format);
    const tuning = shape.tuning ?? defaultTuning(gpu.profile);
    const { slices, slice } = sliceK(inputs / 4, outputs, format, tuning);
    const own = expertColumns(outputs);
    const compiled = tuning.rowTiles.map(async (tile) => {
      const wanted = tile > 8 ? tuning.tallColumns : tuning.columns;
      const width = wanted === 1 && epilogue === 'swiglu' ? 2 : wanted;
      const lanes = Math.max(1, Math.floor(tuning.threads / slices));
      const kernels = await Promise.all(
        parts.map(({ first, outputs: columns }) =>
          gpu.kernel({
            module: 'matmul/small',
            bindings: ['uniform', 'read', 'read', 'write', 'read'],
            constants: {
              ...matrixConstants(inputs, columns, format),
              ...smallConstants(tile, width, lanes, slice, format),
              N: outputs,
              K4: inputs / 4,
              OUT: epilogue === 'swiglu' ? outputs / 2 : outputs,
              SLICES: slices,
              SLICE: slice,
              ECOLUMNS: own,
              EXPERTS: columns / own,
              FIRST_EXPERT: first / own,
            },
            conditions: {
              ...matrixConditions(gpu, format),
              ...smallConditions(tile, width),
              sliced: slices > 1,
              experts: true,
              bias: false,
              add: false,
              swiglu: epilogue === 'swiglu',
              logit_rows: false,
            },
          }),
        ),
      );
      return [tile, { kernels, columns: lanes * width }] as const;
    });
    return new ExpertMatmul(shape, tuning, new Map(await Promise.all(compiled)));
  }

  /** @throws ReckonError `internal` for weights other than the shape says. */
  bind(gpu: Gpu, { x, weights, out, tiles, step }: ExpertsBuffers): BoundExpertMatmul {
    const { experts, inputs, outputs, parts } = this.shape;
    const fits = weights.inputs === inputs && weights.outputs === experts * expertColumns(outputs);
    if (!fits || weights.parts.length !== parts.length) {
      throw new ReckonError('internal', `${experts} experts ${inputs}→${outputs} were bound to other weights.`);
    }
    const [first] = this.variants.values();
    const groups = weights.parts.map(({ buffer }, part) =>
      gpu.bind(first!.kernels[part]!, [step.header, buffer, x, out, tiles]),
    );
    return new BoundExpertMatmul(this, groups);
  }
}

export class BoundExpertMatmul {
  readonly #matmul: ExpertMatmul;
  readonly #bindings: readonly GPUBindGroup[];

  constructor(matmul: ExpertMatmul, bindings: readonly GPUBindGroup[]) {
    this.#matmul = matmul;
    this.#bindings = bindings;
  }

  /**
   * Which experts are hit, only the GPU knows. Counted is the worst case: as many experts as there are items, or all, each read once
   * for every tile there can be. For the rows of one lane in decoding that is exact.
   */
  record(step: StepRecorder, { rows }: StepShape): void {
    if (rows === 0) return;
    const { shape, tuning, variants } = this.#matmul;
    const { experts, perToken, inputs, outputs, format, epilogue } = shape;
    const items = rows * perToken;
    const tile = expertTile(tuning, rows, experts, perToken);
    const { kernels, columns } = variants.get(tile)!;
    const tiles = mostTiles(items, experts, tile);
    const flops = 2 * items * inputs * outputs;
    const out = epilogue === 'swiglu' ? outputs / 2 : outputs;
    const bytes = tiles * (columnBytes(inputs, format) * outputs + 16) + items * (inputs + out) * 4;
    for (const [part, kernel] of kernels.entries()) {
      const share = shape.parts[part]!.outputs / (experts * expertColumns(outputs));
      const grid = [Math.ceil(outputs / columns), tiles] as const;
      step.dispatch(kernel, this.#bindings[part]!, grid, 'linear', 'rows', flops * share, bytes * share);
    }
  }
}
