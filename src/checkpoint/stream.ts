/** Weights, streamed: one sequential read per file, in pieces that a GPU upload can take as they come. */
import { checkNumber, ReckonError, throwIfAborted } from '../errors.ts';
import type { WeightDType } from '../numbers.ts';
import { besideBatches, readBeside } from './beside.ts';
import { ByteReader } from './byte-reader.ts';
import type { ModelConfig } from './config.ts';
import { openWeights } from './open.ts';
import type { WeightChunk } from './quantized.ts';
import { quoted } from './safetensors.ts';
import type { CheckpointSource } from './source.ts';
import { type Codec, type Span, type StoredTensor, storedShape } from './stored.ts';
import type { WeightIndex } from './weight-index.ts';

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
  /** Most bytes in a piece as it is stored. Default 4 MiB; at least 16. A row that is longer is a piece all the same. */
  chunkBytes?: number;
  /** Where the tensors are, where that is known already. */
  index?: WeightIndex;
}

/** A tensor to read, under its Hugging Face name. */
interface Wanted {
  readonly name: string;
  readonly stored: StoredTensor;
  readonly main: Span;
}

/** What reading the pieces of a tensor needs to know of the read as a whole. */
interface Reading {
  readonly chunkBytes: number;
  readonly fileBytes: number | undefined;
  /** Byte of the file that the reader is at: short of the tensor when the data have ended. */
  readonly position: number;
}

/** Bytes a piece: as many whole rows as fit, such that every piece begins at a multiple of 4 bytes, and no head is cut. */
function pieceBytes({ main, stored }: Wanted, chunkBytes: number): number {
  const row = (main.end - main.start) / stored.rows;
  const least = row % 4 === 0 ? row : row % 2 === 0 ? row * 2 : row * 4;
  const unit = stored.interleavedHead === null ? least : stored.interleavedHead * row;
  if (unit <= chunkBytes) return chunkBytes - (chunkBytes % unit);
  return stored.codec || stored.interleavedHead !== null ? unit : chunkBytes - (chunkBytes % 4);
}

/** Tensors of one file that lie close enough to be read in one go. */
function runsOf(tensors: readonly Wanted[], maxGap: number): Wanted[][] {
  const runs: Wanted[][] = [];
  for (const tensor of tensors) {
    const run = runs.at(-1);
    const previous = run?.at(-1);
    if (run && previous && tensor.main.start - previous.main.end <= maxGap) run.push(tensor);
    else runs.push([tensor]);
  }
  return runs;
}

/** The model's tensors by the file that their elements or codes are in, each file's in file order. */
function byFile(index: WeightIndex): Map<string, Wanted[]> {
  const files = new Map<string, Wanted[]>(index.files.map(({ file }) => [file, []]));
  for (const [name, stored] of index.tensors) {
    const [main] = stored.spans;
    if (main.end > main.start) files.get(main.file)?.push({ name, stored, main });
  }
  for (const tensors of files.values()) tensors.sort((a, b) => a.main.start - b.main.start);
  return files;
}

/**
 * Streams the tensors that `config` asks for, in file order. Everything is checked before the first byte of weights is
 * read. Host memory: a piece, one chunk of the source's stream, and 32 MiB of scales (those of one matrix, where it has more). Leaving the iteration cancels
 * the read.
 * @throws ReckonError `bad-checkpoint` (also when the data end early), `network`, `aborted` (within a piece).
 */
export async function* streamTensors(
  source: CheckpointSource,
  config: ModelConfig,
  options: StreamOptions = {},
): AsyncGenerator<WeightChunk, void, undefined> {
  const { signal, onProgress } = options;
  const chunkBytes = checkNumber('chunkBytes', options.chunkBytes ?? 4 << 20, { min: 16, max: 1 << 30, integer: true });
  const what = `Loading ${source.name}`;
  throwIfAborted(signal, what);
  const index = options.index ?? (await openWeights(source, config, signal ? { signal } : {}));
  throwIfAborted(signal, what);

  let loaded = 0;
  for (const [file, wanted] of byFile(index)) {
    const fileBytes = index.files.find((one) => one.file === file)?.fileBytes;
    const reading = { chunkBytes, fileBytes };
    for (const run of runsOf(wanted, chunkBytes)) {
      const [start, end] = [run[0]!.main.start, run.at(-1)!.main.end];
      const reader = new ByteReader(
        await source.open(file, { start, end, ...(signal ? { signal } : {}) }),
        what,
        signal,
      );
      try {
        let position = start;
        for (const batch of besideBatches(run)) {
          const beside = await besideOf(batch, source, signal);
          for (const tensor of batch) {
            position += await reader.skip(tensor.main.start - position);
            for await (const { chunk, bytes } of pieces(reader, tensor, beside, { ...reading, position })) {
              loaded += bytes;
              onProgress?.({ loaded, total: index.bytes, file, tensor: tensor.name });
              yield chunk;
              throwIfAborted(signal, what);
            }
            position = tensor.main.end;
          }
        }
      } finally {
        await reader.close();
      }
    }
  }
}

function endedEarly(span: Span, name: string, position: number, fileBytes: number | undefined): ReckonError {
  const missingBytes = (fileBytes ?? span.end) - position;
  return new ReckonError('bad-checkpoint', `${span.file} ended ${missingBytes} bytes early, in ${quoted(name)}.`, {
    hint: `It should have ${fileBytes ?? `at least ${span.end}`} bytes: download it again.`,
    details: { file: span.file, tensor: name, missingBytes, fileBytes },
  });
}

/** What goes with the codes of these matrices. */
function besideOf(
  batch: readonly Wanted[],
  source: CheckpointSource,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<Span, Uint8Array>> {
  const owner = (span: Span) => batch.find(({ stored }) => stored.spans.includes(span))?.name ?? span.file;
  const tensors = batch.map(({ stored }) => stored);
  return readBeside(source, tensors, (span, at) => endedEarly(span, owner(span), at, undefined), signal);
}

/** @returns with each piece, the stored bytes that went into it. */
async function* pieces(
  reader: ByteReader,
  tensor: Wanted,
  beside: ReadonlyMap<Span, Uint8Array>,
  reading: Reading,
): AsyncGenerator<{ chunk: WeightChunk; bytes: number }, void, undefined> {
  const { name, stored, main } = tensor;
  const size = main.end - main.start;
  const step = pieceBytes(tensor, reading.chunkBytes);
  let { position } = reading;
  for (let start = 0; start < size; start += step) {
    const bytes = new Uint8Array(Math.min(step, size - start));
    if (position === main.start + start) position += await reader.fill(bytes);
    if (position < main.start + start + bytes.length) throw endedEarly(main, name, position, reading.fileBytes);
    if (stored.interleavedHead !== null) uninterleave(bytes, size / stored.rows, stored.interleavedHead);
    const last = start + bytes.length === size;
    if (stored.codec) {
      // By whole rows, not by fractions of the whole, which round: 1 / 49 · 49 is not 1.
      const rowBytes = size / stored.rows;
      const [firstRow, rows] = [start / rowBytes, bytes.length / rowBytes];
      const rest = stored.spans.slice(1).map((span) => {
        const part = beside.get(span)!;
        const row = part.length / stored.rows;
        return new Uint8Array(part.subarray(firstRow * row, (firstRow + rows) * row));
      });
      const chunk = decoded(tensor, stored.codec, [bytes, ...rest], { firstRow, rows, last });
      yield { chunk, bytes: bytes.length + rest.reduce((sum, part) => sum + part.length, 0) };
    } else {
      const { encoding } = stored;
      if (encoding.kind !== 'float')
        throw new ReckonError('internal', `${name} has codes, but nothing to read them by.`);
      const shape = storedShape(stored);
      yield { chunk: { kind: 'float', name, dtype: encoding.dtype, shape, bytes, start, last }, bytes: bytes.length };
    }
  }
}

function decoded(
  { name, stored }: Wanted,
  codec: Codec,
  parts: readonly Uint8Array<ArrayBuffer>[],
  at: { firstRow: number; rows: number; last: boolean },
): WeightChunk {
  const columns = stored.columns ?? 1;
  return {
    kind: 'quantized',
    name,
    encoding: codec.encoding,
    shape: [stored.rows, columns],
    ...at,
    ...codec.decode(parts, at.rows, columns),
  };
}

/** Puts the rows of each head back into two halves, in place. */
function uninterleave(bytes: Uint8Array, rowBytes: number, headRows: number): void {
  const headBytes = rowBytes * headRows;
  for (let head = 0; head < bytes.length; head += headBytes) {
    const rows = bytes.slice(head, head + headBytes);
    for (let row = 0; row < headRows; row++) {
      const to = (row % 2) * (headRows / 2) + (row >> 1);
      bytes.set(rows.subarray(row * rowBytes, (row + 1) * rowBytes), head + to * rowBytes);
    }
  }
}
