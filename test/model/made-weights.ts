/** Random weights of any decoder as a stream of chunks, in any encoding, and the same in float64 for the reference. */
import {
  expectedTensors,
  type MatrixEncoding,
  type ModelConfig,
  type QuantizedEncoding,
  type WeightChunk,
} from '../../src/checkpoint/index.ts';
import { numberToF16 } from '../../src/numbers.ts';
import { nearestHalf, seeded } from '../kernels/cases/linear-support.ts';
import { randomCoded } from '../kernels/cases/matrix-support.ts';
import type { ReferenceWeights } from '../reference/decoder.ts';

export interface MadeWeights {
  encodings: ReadonlyMap<string, MatrixEncoding>;
  /** The same weights in float64. */
  reference: ReferenceWeights;
  /** Chunks of a few rows each. */
  chunks(): AsyncGenerator<WeightChunk, void, undefined>;
}

/** Rows of a chunk: none of the tensors is a multiple of it. */
const ROWS = 23;

/** @param encodingOf The encoding of each matrix. Vectors, and routers, are floats: F32, their values those of f16. */
export function makeWeights(
  config: ModelConfig,
  seed: number,
  encodingOf: (name: string) => MatrixEncoding,
): MadeWeights {
  const random = seeded(seed);
  const encodings = new Map<string, MatrixEncoding>();
  const reference: ReferenceWeights = new Map();
  const made: WeightChunk[] = [];
  for (const { name, shape } of expectedTensors(config)) {
    const [rows, inputs] = shape as [number, number?];
    const encoding: MatrixEncoding =
      inputs === undefined || name.endsWith('mlp.gate.weight') ? { kind: 'float', dtype: 'F32' } : encodingOf(name);
    if (inputs !== undefined) encodings.set(name, encoding);
    if (encoding.kind === 'quantized') {
      const { values, chunks } = quantized(name, encoding, [rows, inputs!], random);
      reference.set(name, { shape: [...shape], data: values });
      made.push(...chunks);
    } else {
      const gain = inputs === undefined && !name.endsWith('.bias');
      const scale = Math.sqrt(3 / (inputs ?? 60));
      const plain = Float32Array.from({ length: rows * (inputs ?? 1) }, () =>
        nearestHalf((random() * 2 - 1) * scale + (gain ? 1 : 0)),
      );
      reference.set(name, { shape: [...shape], data: Float64Array.from(plain) });
      made.push(...floats(name, encoding.dtype, shape, plain));
    }
  }
  return {
    encodings,
    reference,
    async *chunks() {
      yield* made;
    },
  };
}

/** Weights as floats of 32 bits. */
export async function* floatChunks(reference: ReferenceWeights): AsyncGenerator<WeightChunk, void, undefined> {
  for (const [name, { shape, data }] of reference) yield* floats(name, 'F32', shape, Float32Array.from(data));
}

function* floats(name: string, dtype: 'F32' | 'F16' | 'BF16', shape: readonly number[], values: Float32Array) {
  const stored = dtype === 'F32' ? values : Uint16Array.from(values, numberToF16);
  const row = (shape[1] ?? 1) * stored.BYTES_PER_ELEMENT;
  const all = new Uint8Array(stored.buffer as ArrayBuffer);
  const step = shape.length === 1 ? all.length : ROWS * row;
  for (let start = 0; start < all.length; start += step) {
    const bytes = all.slice(start, start + step);
    yield { kind: 'float' as const, name, dtype, shape, bytes, start, last: start + bytes.length === all.length };
  }
}

/**
 * Codes whose every group has a code at the end of its range, so that quantising the values, too, gives these codes and
 * these scales.
 */
function quantized(name: string, encoding: QuantizedEncoding, shape: readonly [number, number], random: () => number) {
  const [rows, inputs] = shape;
  const { bits, group, zero, affine } = encoding;
  const coded = randomCoded(random, encoding, rows, inputs);
  const levels = Math.min(zero, 2 ** bits - 1 - zero);
  const deviation = affine ? 1 / 4 : 1 / Math.sqrt(3);
  const spread = Math.sqrt(1 / inputs) / (2 ** (bits - 1) * deviation);
  const size = (value: number) => nearestHalf(Math.fround((0.5 + value) * spread));
  const scaleValues = Float32Array.from({ length: coded.scales.length }, () => size(random()));
  const biasValues = scaleValues.map((scale) => nearestHalf(-scale * (2 ** (bits - 1) - 0.4)));
  const stored = (list: Float32Array) =>
    encoding.scale === 'f16' ? Uint16Array.from(list, numberToF16) : Float32Array.from(list);
  const codeOf = (i: number) => (bits === 8 ? coded.codes[i]! : (coded.codes[i >> 1]! >> ((i & 1) * 4)) & 15);
  const raw = Uint8Array.from({ length: rows * inputs }, (_, i) => {
    if (affine) return codeOf(i);
    return i % group === 0 ? zero + levels : Math.max(zero - levels, Math.min(zero + levels, codeOf(i)));
  });
  const values = Float64Array.from(raw, (code, i) => {
    const at = Math.floor(i / group);
    return affine ? code * scaleValues[at]! + biasValues[at]! : (code - zero) * scaleValues[at]!;
  });
  const codes = bits === 8 ? raw : raw.subarray(0, raw.length / 2).map((_, i) => raw[2 * i]! + 16 * raw[2 * i + 1]!);
  const chunks: WeightChunk[] = [];
  const groups = inputs / group;
  for (let firstRow = 0; firstRow < rows; firstRow += ROWS) {
    const count = Math.min(ROWS, rows - firstRow);
    const part = (list: Float32Array) => stored(list.slice(firstRow * groups, (firstRow + count) * groups));
    const rowBytes = codes.length / rows;
    chunks.push({
      kind: 'quantized',
      name,
      encoding,
      shape,
      firstRow,
      rows: count,
      codes: codes.slice(firstRow * rowBytes, (firstRow + count) * rowBytes) as Uint8Array<ArrayBuffer>,
      scales: part(scaleValues) as Uint16Array<ArrayBuffer>,
      biases: affine ? (part(biasValues) as Uint16Array<ArrayBuffer>) : null,
      last: firstRow + count === rows,
    });
  }
  return { values, chunks };
}
