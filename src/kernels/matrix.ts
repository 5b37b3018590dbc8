/**
 * Matrices of weights as they lie in GPU memory: in which format, in how many buffers. The layout within a buffer is that
 * of shaders/lib/matrix.wesl.
 */
import { ReckonError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';
import { BYTES, type Precision } from './precision.ts';

/** Codes in groups along a row: (code − zero) · scale, or with `affine` code · scale + bias. */
export interface QuantizedFormat {
  readonly kind: 'quantized';
  readonly bits: 4 | 8;
  /** Weights along a row that share a scale: a multiple of 8. K is a multiple of it. */
  readonly group: number;
  readonly affine: boolean;
  /** The code that means 0; of no meaning where `affine`. */
  readonly zero: number;
  /** Type of scales and biases. */
  readonly scale: Precision;
}

export type WeightFormat = { readonly kind: 'float'; readonly precision: Precision } | QuantizedFormat;

/** 4-bit codes as MLC's q4f16_1 has them: groups of 32, codes 0 … 14 about 7, scales in f16. */
export const FOUR_BIT: QuantizedFormat = {
  kind: 'quantized',
  bits: 4,
  group: 32,
  affine: false,
  zero: 7,
  scale: 'f16',
};
/** 8-bit codes in groups of 32: 1 … 255 about 128, scales in f16. */
export const EIGHT_BIT: QuantizedFormat = { ...FOUR_BIT, bits: 8, zero: 128 };

/** Neighbouring columns of a matrix in one buffer. */
export interface ColumnRange {
  /** Of the whole matrix. */
  readonly first: number;
  readonly outputs: number;
}

export interface MatrixPart extends ColumnRange {
  readonly buffer: GPUBuffer;
}

/** A matrix [inputs][outputs] in GPU memory: K and N. */
export interface PackedMatrix {
  readonly format: WeightFormat;
  readonly inputs: number;
  readonly outputs: number;
  /** In order, without gaps; one unless the matrix is larger than the device binds in one piece. */
  readonly parts: readonly MatrixPart[];
}

/** Columns of a packed matrix of `outputs` outputs: rounded up to a multiple of 4. */
export function packedColumns(outputs: number): number {
  return Math.ceil(outputs / 4) * 4;
}

/** Parts begin at multiples of this many columns, so that results, f32 or half as many, may be bound from there on. */
export const PART_UNIT = 128;

const label = (format: QuantizedFormat) => `${format.bits}-bit weights in groups of ${format.group}`;

/** True where K numbers can be written in `format`. */
export function fitsFormat(inputs: number, format: WeightFormat): boolean {
  return inputs % (format.kind === 'float' ? 4 : format.group) === 0;
}

/** @throws ReckonError `bad-option` for rows that `format` cannot hold, or a format that the kernels cannot read. */
export function checkFormat(inputs: number, format: WeightFormat): void {
  if (format.kind === 'quantized') {
    const { bits, group, zero } = format;
    if ((bits !== 4 && bits !== 8) || group < 8 || group % 8 !== 0 || !(zero >= 0 && zero < 2 ** bits)) {
      throw new ReckonError('bad-option', `There is no kernel for ${label(format)}, zero ${zero}.`, {
        hint: '4 or 8 bits, in groups of a multiple of 8, can be read.',
      });
    }
  }
  if (!fitsFormat(inputs, format)) {
    const unit = format.kind === 'float' ? 'vectors of 4' : `groups of ${format.group}`;
    throw new ReckonError('bad-option', `Rows of ${inputs} weights are not whole ${unit}.`);
  }
}

/** u32 words of codes and of scales that a column takes. */
export function columnWords(inputs: number, { bits, group, affine, scale }: QuantizedFormat): [number, number] {
  const groups = inputs / group;
  const values = groups * (affine ? 2 : 1);
  return [(inputs * bits) / 32, scale === 'f32' ? values : Math.ceil(values / 2)];
}

/** Bytes of one column of a matrix. */
export function columnBytes(inputs: number, format: WeightFormat): number {
  if (format.kind === 'float') return inputs * BYTES[format.precision];
  const [codes, scales] = columnWords(inputs, format);
  return (codes + scales) * 4;
}

/** Bytes of the packed matrix of an [outputs][inputs] tensor. */
export function packedBytes(inputs: number, outputs: number, format: WeightFormat): number {
  return columnBytes(inputs, format) * packedColumns(outputs);
}

/**
 * How a matrix is divided so that each part can be bound: into as few as possible, of `unit` columns or multiples.
 * @param label What the message calls the matrix.
 * @throws ReckonError `limit-exceeded` where not even `unit` columns fit.
 */
export function divideColumns(
  maxBytes: number,
  inputs: number,
  outputs: number,
  format: WeightFormat,
  { unit = PART_UNIT, label = 'A matrix' } = {},
): ColumnRange[] {
  const bytes = columnBytes(inputs, format);
  if (packedColumns(outputs) * bytes <= maxBytes) return [{ first: 0, outputs }];
  const most = Math.floor(maxBytes / bytes / unit) * unit;
  if (most === 0) {
    throw new ReckonError(
      'limit-exceeded',
      `${label}: ${unit} columns of ${inputs} weights need ${unit * bytes} bytes in one piece; this GPU allows ${maxBytes}.`,
      { hint: 'Use a smaller model or a lower precision.', details: { inputs, outputs, maxBytes } },
    );
  }
  const count = Math.ceil(outputs / most);
  return Array.from({ length: count }, (_, i) => ({ first: i * most, outputs: Math.min(most, outputs - i * most) }));
}

/** Most bytes of a matrix that the device binds in one piece. */
export function maxMatrixBytes({ profile }: Gpu): number {
  const { maxBufferSize, maxStorageBufferBindingSize } = profile.limits;
  return Math.min(maxBufferSize, maxStorageBufferBindingSize);
}

/**
 * Allocates a matrix of zeros.
 * @param options.unit Columns that stay together: those of an expert, say.
 * @param options.maxBytes Of one buffer; default: what the device binds.
 * @throws ReckonError `limit-exceeded`, `bad-option`
 */
export function allocateMatrix(
  gpu: Gpu,
  label: string,
  shape: { inputs: number; outputs: number; format: WeightFormat },
  options: { unit?: number | undefined; maxBytes?: number | undefined } = {},
): PackedMatrix {
  const { unit = PART_UNIT, maxBytes = maxMatrixBytes(gpu) } = options;
  const { inputs, outputs, format } = shape;
  checkFormat(inputs, format);
  const ranges = divideColumns(maxBytes, inputs, outputs, format, { unit, label });
  const parts = ranges.map((range, i) => ({
    ...range,
    buffer: gpu.buffer(i === 0 ? label : `${label}, part ${i + 1}`, packedBytes(inputs, range.outputs, format)),
  }));
  return { ...shape, parts };
}

/** WESL conditions of shaders that import lib/matrix. */
export function matrixConditions(gpu: Gpu, format: WeightFormat): Record<string, boolean> {
  const half = format.kind === 'float' && format.precision === 'f16';
  const quantized = format.kind === 'quantized';
  return {
    half_weights: half,
    half_kv: false,
    f16: half && gpu.profile.features.f16,
    quantized,
    bits4: quantized && format.bits === 4,
    affine: quantized && format.affine,
    half_scales: quantized && format.scale === 'f16',
  };
}

/** Their constants, for a matrix or a part of one: `outputs` columns before padding. */
export function matrixConstants(inputs: number, outputs: number, format: WeightFormat): Record<string, number> {
  const NPAD = packedColumns(outputs);
  if (format.kind === 'float') return { NPAD };
  const [codes] = columnWords(inputs, format);
  return { NPAD, GROUP4: format.group / 4, SCALES: codes * NPAD, ZERO: format.zero };
}
