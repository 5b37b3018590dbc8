/**
 * Weights in safetensors files: floats, and MLX's affine quantisation, which puts u32 codes in `.weight`, and `.scales` and
 * `.biases` beside it; `config.json` says bits and group (https://ml-explore.github.io/mlx, `mlx.core.quantize`).
 */
import { ReckonError } from '../errors.ts';
import { mlx } from './codecs.ts';
import { Fields, type JsonObject } from './json.ts';
import { placesOf } from './places.ts';
import { quoted, type TensorInfo, weightDType } from './safetensors.ts';
import type { CheckpointTensors } from './shards.ts';
import type { Span, StoredTensor } from './stored.ts';
import type { WeightStore } from './weight-index.ts';

interface MlxQuantization {
  readonly bits: 4 | 8;
  readonly group: 32 | 64 | 128;
}

const span = ({ file, start, end }: TensorInfo): Span => ({ file, start, end });

/** A tensor of floats. @throws ReckonError `bad-checkpoint` for other types. */
function floats(tensor: TensorInfo): StoredTensor {
  const { name, shape } = tensor;
  const columns = shape.length > 1 ? shape.at(-1)! : null;
  return {
    name,
    rows: (columns === null ? shape : shape.slice(0, -1)).reduce((product, size) => product * size, 1),
    columns,
    encoding: { kind: 'float', dtype: weightDType(tensor) },
    codec: null,
    spans: [span(tensor)],
    interleavedHead: null,
  };
}

function quantizationOf(json: JsonObject, file: string): MlxQuantization {
  const fields = new Fields(json, file);
  const bits = fields.number('bits', { min: 1, max: 16, integer: true });
  const group = fields.number('group_size', { min: 1, max: 4096, integer: true });
  const mode = fields.raw('mode') ?? 'affine';
  if ((bits === 4 || bits === 8) && (group === 32 || group === 64 || group === 128) && mode === 'affine')
    return { bits, group };
  throw new ReckonError(
    'bad-checkpoint',
    `${file} asks for ${bits} bits in groups of ${group}, ${String(mode).slice(0, 40)}.`,
    {
      hint: 'Of MLX checkpoints, affine ones of 4 or 8 bits in groups of 32, 64 or 128 load.',
      details: { bits, group, mode },
    },
  );
}

/** MLX's settings for one matrix: some have their own, under the matrix's name. */
function mlxOf(quantization: JsonObject, base: string): MlxQuantization {
  const own = Object.hasOwn(quantization, base) ? quantization[base] : undefined;
  const file = 'config.json, quantization';
  if (typeof own === 'object' && own !== null)
    return quantizationOf({ ...quantization, ...own } as JsonObject, `${file}, ${base}`);
  return quantizationOf(quantization, file);
}

/** Codes, scales and biases of a quantised matrix, held against each other. */
function affine(codes: TensorInfo, scales: TensorInfo, biases: TensorInfo | undefined, json: JsonObject): StoredTensor {
  const base = codes.name.slice(0, -'.weight'.length);
  const fail = (what: string) =>
    new ReckonError('bad-checkpoint', `${codes.file}: ${quoted(base)} ${what}.`, {
      hint: 'The weights and the quantisation that config.json tells of do not belong together.',
      details: { file: codes.file, tensor: base },
    });
  const { bits, group } = mlxOf(json, base);
  const words = codes.shape.at(-1)!;
  const columns = (words * 32) / bits;
  const rowShape = codes.shape.slice(0, -1);
  const groups = [...rowShape, columns / group].join();
  if (codes.dtype !== 'U32' || rowShape.length === 0) throw fail(`has codes of type ${codes.dtype}`);
  if (!biases) throw fail('has scales, but no biases');
  if (scales.shape.join() !== groups || biases.shape.join() !== groups || scales.dtype !== biases.dtype)
    throw fail(`is not in groups of ${group} with ${bits} bits`);
  const codec = mlx(bits, group, weightDType(scales));
  return {
    name: codes.name,
    rows: rowShape.reduce((product, size) => product * size, 1),
    columns,
    encoding: codec.encoding,
    codec,
    spans: [span(codes), span(scales), span(biases)],
    interleavedHead: null,
  };
}

/** "4-bit, group 64", or the commonest type of floats. */
function quantizationName(tensors: CheckpointTensors['tensors'], quantization: JsonObject | null): string {
  if (quantization) {
    const { bits, group } = quantizationOf(quantization, 'config.json, quantization');
    return `${bits}-bit, group ${group}`;
  }
  const bytes = new Map<string, number>();
  for (const { dtype, start, end } of tensors.values()) bytes.set(dtype, (bytes.get(dtype) ?? 0) + end - start);
  return [...bytes].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'F32';
}

/** @param config `config.json`. @throws ReckonError `bad-checkpoint` for a quantisation that is not known. */
export function safetensorsStore({ files, tensors }: CheckpointTensors, config: JsonObject): WeightStore {
  const named = config.quantization;
  const quantization = typeof named === 'object' && named !== null ? (named as JsonObject) : null;
  return {
    format: quantization ? 'mlx' : 'safetensors',
    quantization: quantizationName(tensors, quantization),
    files,
    find(name) {
      const tensor = tensors.get(name);
      if (!tensor) return undefined;
      const base = name.slice(0, -'.weight'.length);
      const scales = quantization && name.endsWith('.weight') ? tensors.get(`${base}.scales`) : undefined;
      if (!quantization || !scales) return floats(tensor);
      return affine(tensor, scales, tensors.get(`${base}.biases`), quantization);
    },
    places: placesOf,
  };
}
