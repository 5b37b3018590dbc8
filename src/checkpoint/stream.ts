/** Weights, streamed: one sequential read per file, in pieces that a GPU upload can take as they come. */
import { checkNumber, ReckonError, throwIfAborted } from '../errors.ts';
import { WEIGHT_BYTES, type WeightDType } from '../numbers.ts';
import { ByteReader } from './byte-reader.ts';
import type { ModelConfig } from './config.ts';
import { quoted, type TensorInfo, weightDType } from './safetensors.ts';
import { type CheckpointTensors, readTensorIndex } from './shards.ts';
import type { CheckpointSource } from './source.ts';
import { checkTensors, expectedTensors } from './tensors.ts';

/** A piece of a tensor of floats: whole rows where a row fits into a piece, otherwise whole elements. */
export interface TensorChunk {
  readonly kind: 'float';
  readonly name: string;
  readonly dtype: WeightDType;
  readonly shape: readonly number[];
  /** Its own buffer from offset 0: views of wider types are aligned. The receiver may keep it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Byte of the tensor at which the piece begins; a multiple of 4. */
  readonly start: number;
  /** The tensor ends with this piece. */
  readonly last: boolean;
}

/** How far a load is: bytes of the tensors that the model needs. */
export interface LoadProgress {
  readonly loaded: number;
  readonly total: number;
  readonly file: string;
  readonly tensor: string;
}

export interface StreamOptions {
  signal?: AbortSignal;
  onProgress?: (progress: LoadProgress) => void;
  /** Most bytes in a piece. Default 4 MiB; at least 16. */
  chunkBytes?: number;
  /** The checkpoint's headers, where they have been read already. */
  index?: CheckpointTensors;
}

/** Bytes to read per piece: as many whole rows as fit, such that every piece begins at a multiple of 4 bytes. */
function pieceBytes(tensor: TensorInfo, elementBytes: number, chunkBytes: number): number {
  const rowElements = tensor.shape.slice(1).reduce((product, size) => product * size, 1);
  const row = rowElements * elementBytes;
  const unit = row % 4 === 0 ? row : row * 2;
  return unit > 0 && unit <= chunkBytes ? chunkBytes - (chunkBytes % unit) : chunkBytes - (chunkBytes % 4);
}

/** Tensors of one file that lie close enough to be read in one go. */
function runsOf(tensors: readonly TensorInfo[], maxGap: number): TensorInfo[][] {
  const runs: TensorInfo[][] = [];
  for (const tensor of tensors) {
    const run = runs.at(-1);
    const previous = run?.at(-1);
    if (run && previous && tensor.start - previous.end <= maxGap) run.push(tensor);
    else runs.push([tensor]);
  }
  return runs;
}

/**
 * Streams the tensors that `config` asks for, in file order. Everything is checked before the first byte of weights is
 * read. Host memory: a piece and one chunk of the source's stream. Leaving the iteration cancels the read.
 * @throws ReckonError `bad-checkpoint` (also when the data end early), `network`, `aborted` (within a piece).
 */
export async function* streamTensors(
  source: CheckpointSource,
  config: ModelConfig,
  options: StreamOptions = {},
): AsyncGenerator<TensorChunk, void, undefined> {
  const { signal, onProgress } = options;
  const chunkBytes = checkNumber('chunkBytes', options.chunkBytes ?? 4 << 20, { min: 16, max: 1 << 30, integer: true });
  const what = `Loading ${source.name}`;
  throwIfAborted(signal, what);
  const index = options.index ?? (await readTensorIndex(source, signal ? { signal } : {}));
  throwIfAborted(signal, what);
  checkTensors(index.tensors, config);
  const wanted = new Set(expectedTensors(config).map(({ name }) => index.tensors.get(name)));
  let total = 0;
  for (const tensor of wanted) total += tensor ? tensor.end - tensor.start : 0;

  let loaded = 0;
  for (const { file, tensors, fileBytes } of index.files) {
    const needed = tensors.filter((tensor) => wanted.has(tensor) && tensor.end > tensor.start);
    for (const run of runsOf(needed, chunkBytes)) {
      const [start, end] = [run[0]!.start, run.at(-1)!.end];
      const reader = new ByteReader(
        await source.open(file, { start, end, ...(signal ? { signal } : {}) }),
        what,
        signal,
      );
      try {
        let position = start;
        for (const tensor of run) {
          position += await reader.skip(tensor.start - position);
          for await (const chunk of pieces(reader, tensor, { position, chunkBytes, fileBytes })) {
            loaded += chunk.bytes.length;
            onProgress?.({ loaded, total, file, tensor: tensor.name });
            yield chunk;
            throwIfAborted(signal, what);
          }
          position = tensor.end;
        }
      } finally {
        await reader.close();
      }
    }
  }
}

/** @param from.position Byte of the file that the reader is at: short of the tensor when the data have ended. */
async function* pieces(
  reader: ByteReader,
  tensor: TensorInfo,
  from: { position: number; chunkBytes: number; fileBytes: number },
): AsyncGenerator<TensorChunk, void, undefined> {
  const { name, shape, file } = tensor;
  const dtype = weightDType(tensor);
  const size = tensor.end - tensor.start;
  const step = pieceBytes(tensor, WEIGHT_BYTES[dtype], from.chunkBytes);
  let position = from.position;
  for (let start = 0; start < size; start += step) {
    const bytes = new Uint8Array(Math.min(step, size - start));
    if (position === tensor.start + start) position += await reader.fill(bytes);
    if (position < tensor.start + start + bytes.length) {
      const missingBytes = from.fileBytes - position;
      throw new ReckonError('bad-checkpoint', `${file} ended ${missingBytes} bytes early, in ${quoted(name)}.`, {
        hint: `It should have ${from.fileBytes} bytes: download it again.`,
        details: { file, tensor: name, missingBytes, fileBytes: from.fileBytes },
      });
    }
    yield { kind: 'float', name, dtype, shape, bytes, start, last: start + bytes.length === size };
  }
}
