/** Which tensor of a model lies where in its checkpoint, in which encoding: known before a byte of weights is read. */
import { ReckonError } from '../errors.ts';
import type { ModelConfig } from './config.ts';
import type { Place } from './places.ts';
import type { MatrixEncoding } from './quantized.ts';
import { quoted } from './safetensors.ts';
import { type StoredTensor, sliceRows, storedBytes, storedShape } from './stored.ts';
import { expectedTensors } from './tensors.ts';

/** How files of weights are laid out. `mlx`: safetensors with MLX's quantisation. */
export type CheckpointFormat = 'safetensors' | 'mlx' | 'mlc' | 'gguf';

export interface WeightFile {
  readonly file: string;
  /** Bytes it must have; undefined where nothing tells. */
  readonly fileBytes: number | undefined;
}

/** The tensors that a model asks for, under their Hugging Face names. */
export interface WeightIndex {
  readonly format: CheckpointFormat;
  /** The publisher's name for its quantisation ("q4f16_1", "Q4_K"), or the type of floats ("BF16"). */
  readonly quantization: string;
  /** In the order they are read. */
  readonly files: readonly WeightFile[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Of matrices. */
  readonly encodings: ReadonlyMap<string, MatrixEncoding>;
  /** Of all these tensors, as stored. */
  readonly bytes: number;
}

/** What a format's reader knows of its files. */
export interface WeightStore {
  readonly format: CheckpointFormat;
  readonly quantization: string;
  readonly files: readonly WeightFile[];
  /** By its stored name; `columns` is what it should have, for formats that pad. @throws ReckonError `bad-checkpoint` when it is of a kind that weights cannot have. */
  find(name: string, columns: number | null): StoredTensor | undefined;
  /** Where a tensor with this many rows may be, likeliest first. */
  places(config: ModelConfig, name: string, rows: number): readonly Place[];
}

const NAMED_IN_MESSAGE = 5;

/**
 * Finds every tensor of a model. Tensors beyond those are ignored.
 * @throws ReckonError `bad-checkpoint` naming up to five tensors that are missing or misshapen, and how many more there are;
 *   or the first one whose type weights cannot have.
 */
export function indexWeights(store: WeightStore, config: ModelConfig): WeightIndex {
  const tensors = new Map<string, StoredTensor>();
  const encodings = new Map<string, MatrixEncoding>();
  const missing: string[] = [];
  const wrong: string[] = [];
  let bytes = 0;
  for (const { name, shape } of expectedTensors(config)) {
    const [rows = 0, columns = null] = shape;
    const found = store
      .places(config, name, rows)
      .map((place) => ({ place, stored: store.find(place.name, columns) }))
      .filter((one): one is { place: Place; stored: StoredTensor } => one.stored !== undefined);
    const right = found.find(({ place, stored }) => stored.rows === place.of && stored.columns === columns);
    const [first] = found;
    if (right) {
      const tensor = sliceRows(right.stored, right.place.firstRow, rows);
      tensors.set(name, tensor);
      bytes += storedBytes(tensor);
      if (columns !== null) encodings.set(name, tensor.encoding);
    } else if (first) {
      const should = columns === null ? [first.place.of] : [first.place.of, columns];
      const is = storedShape(first.stored).join(', ');
      wrong.push(`${quoted(first.stored.name)} is [${is}], should be [${should.join(', ')}]`);
    } else missing.push(quoted(name));
  }
  complain(missing, wrong);
  const { format, quantization, files } = store;
  return { format, quantization, files, tensors, encodings, bytes };
}

function complain(missing: readonly string[], wrong: readonly string[]): void {
  if (missing.length > 0) {
    throw new ReckonError('bad-checkpoint', `The checkpoint lacks ${listed(missing)}.`, {
      hint: 'The configuration and the weights belong to different models, or a file is missing.',
      details: { missing: missing.slice(0, NAMED_IN_MESSAGE), count: missing.length },
    });
  }
  if (wrong.length > 0) {
    throw new ReckonError('bad-checkpoint', `Tensors have the wrong shape: ${listed(wrong)}.`, {
      hint: 'The configuration and the weights belong to different models.',
      details: { wrong: wrong.slice(0, NAMED_IN_MESSAGE), count: wrong.length },
    });
  }
}

function listed(items: readonly string[]): string {
  const more = items.length - NAMED_IN_MESSAGE;
  return items.slice(0, NAMED_IN_MESSAGE).join('; ') + (more > 0 ? `; and ${more} more` : '');
}
