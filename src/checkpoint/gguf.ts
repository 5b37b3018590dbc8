/**
 * Reads GGUF headers: magic, version, counts, metadata, tensor descriptions; the tensors begin at the next multiple of the
 * alignment. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Everything in it is checked before anything is
 * allocated by it; `@huggingface/gguf` checks no length, wants a fetch of its own and brings a catalogue of megabytes along.
 */
import { ReckonError } from '../errors.ts';
import { type GgmlFormat, ggmlBlock, isGgmlFormat } from './ggml-codecs.ts';
import { readPart } from './read-part.ts';
import { quoted } from './safetensors.ts';
import type { CheckpointSource } from './source.ts';
import type { Span } from './stored.ts';

export type GgufValue = number | boolean | string | readonly GgufValue[];

export interface GgufTensor extends Span {
  readonly name: string;
  /** Fastest first, as in the file: [inputs, outputs]. */
  readonly dimensions: readonly number[];
  /** ggml's name of its type, "type 16" for those that do not load; the span of those is empty. */
  readonly type: GgmlFormat | 'F32' | 'F16' | 'BF16' | `type ${number}`;
}

export interface GgufHeader {
  readonly file: string;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  readonly fileBytes: number | undefined;
}

/** ggml's numbers of the types that load. */
const TYPES: ReadonlyMap<number, string> = new Map([
  [0, 'F32'],
  [1, 'F16'],
  [2, 'Q4_0'],
  [3, 'Q4_1'],
  [6, 'Q5_0'],
  [7, 'Q5_1'],
  [8, 'Q8_0'],
  [12, 'Q4_K'],
  [13, 'Q5_K'],
  [14, 'Q6_K'],
  [30, 'BF16'],
]);

const FIRST_READ_BYTES = 1 << 20;
/** Vocabularies of a quarter of a million tokens take some ten megabytes. */
const MAX_HEADER_BYTES = 1 << 27;
const MAX_ENTRIES = 1 << 17;
const MAX_DIMENSIONS = 4;
/** Of lists within lists. */
const MAX_DEPTH = 3;
const TEXT = 8;
const LIST = 9;

/** The header goes on behind the bytes that have been read. */
class MoreBytes extends Error {}

function bad(file: string, what: string, details: Record<string, unknown> = {}): ReckonError {
  return new ReckonError('bad-checkpoint', `${file}: ${what}.`, {
    hint: 'The file is damaged or not a GGUF file: download it again.',
    details: { file, ...details },
  });
}

/** Reads numbers, strings and lists one after the other. */
class Cursor {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #file: string;
  readonly #text = new TextDecoder();
  at = 0;

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
  }

  #take(count: number): number {
    const start = this.at;
    if (start + count > this.#bytes.length) throw new MoreBytes();
    this.at = start + count;
    return start;
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A count or an offset. */
  u64(what: string): number {
    const value = this.#view.getBigUint64(this.#take(8), true);
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    throw bad(this.#file, `${what} is ${value}`);
  }

  text(what: string): string {
    const length = this.u64(`the length of ${what}`);
    if (length > MAX_HEADER_BYTES) throw bad(this.#file, `${what} claims ${length} bytes`);
    const start = this.#take(length);
    return this.#text.decode(this.#bytes.subarray(start, start + length));
  }

  value(type: number, key: string, depth = 0): GgufValue {
    const view = this.#view;
    switch (type) {
      case 0:
        return view.getUint8(this.#take(1));
      case 1:
        return view.getInt8(this.#take(1));
      case 2:
        return view.getUint16(this.#take(2), true);
      case 3:
        return view.getInt16(this.#take(2), true);
      case 4:
        return this.u32();
      case 5:
        return view.getInt32(this.#take(4), true);
      case 6:
        return view.getFloat32(this.#take(4), true);
      case 7:
        return view.getUint8(this.#take(1)) !== 0;
      case TEXT:
        return this.text(quoted(key));
      case LIST:
        return this.#list(key, depth);
      case 10:
        return Number(view.getBigUint64(this.#take(8), true));
      case 11:
        return Number(view.getBigInt64(this.#take(8), true));
      case 12:
        return view.getFloat64(this.#take(8), true);
      default:
        throw bad(this.#file, `the metadata ${quoted(key)} has the unknown type ${type}`, { key });
    }
  }

  /** Grows with what is there, not with what is claimed: every element takes a byte or more. */
  #list(key: string, depth: number): GgufValue[] {
    const type = this.u32();
    const count = this.u64(`the length of ${quoted(key)}`);
    if (depth >= MAX_DEPTH || count > MAX_HEADER_BYTES)
      throw bad(this.#file, `the list ${quoted(key)} is too deep or too long`, { key, count });
    const values: GgufValue[] = [];
    for (let i = 0; i < count; i++) values.push(this.value(type, key, depth + 1));
    return values;
  }
}

/** Bytes of a tensor. */
function tensorBytes(type: string, dimensions: readonly number[]): number {
  const elements = dimensions.includes(0) ? 0 : dimensions.reduce((product, size) => product * size, 1);
  if (isGgmlFormat(type)) return (elements / ggmlBlock(type).elements) * ggmlBlock(type).bytes;
  return type.startsWith('type') ? 0 : elements * (type === 'F32' ? 4 : 2);
}

/** Everything but the first tensor's place: that is where the header ends, rounded up. */
function parse(bytes: Uint8Array, file: string, fileBytes: number | undefined): GgufHeader {
  const cursor = new Cursor(bytes, file);
  if (cursor.u32() !== 0x46554747) throw bad(file, 'it does not begin with "GGUF"');
  const version = cursor.u32();
  if (version !== 2 && version !== 3) {
    throw bad(file, version > 0xffff ? 'it is for big-endian machines' : `it has version ${version}, not 2 or 3`);
  }
  const tensorCount = cursor.u64('the number of tensors');
  const entryCount = cursor.u64('the number of metadata');
  if (tensorCount > MAX_ENTRIES || entryCount > MAX_ENTRIES)
    throw bad(file, `it claims ${tensorCount} tensors and ${entryCount} metadata`, { tensorCount, entryCount });

  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < entryCount; i++) {
    const key = cursor.text('the name of a metadata');
    if (metadata.has(key)) throw bad(file, `the metadata ${quoted(key)} is there twice`, { key });
    metadata.set(key, cursor.value(cursor.u32(), key));
  }
  const alignment = metadata.get('general.alignment') ?? 32;
  if (
    typeof alignment !== 'number' ||
    !(alignment >= 1 && alignment <= 65536 && Number.isInteger(Math.log2(alignment)))
  )
    throw bad(file, `general.alignment is ${String(alignment).slice(0, 40)}`);

  const described = Array.from({ length: tensorCount }, () => {
    const name = cursor.text('the name of a tensor');
    const count = cursor.u32();
    if (count < 1 || count > MAX_DIMENSIONS)
      throw bad(file, `${quoted(name)} has ${count} dimensions`, { tensor: name });
    const dimensions = Array.from({ length: count }, () => cursor.u64(`a dimension of ${quoted(name)}`));
    const number = cursor.u32();
    return { name, dimensions, type: TYPES.get(number) ?? `type ${number}`, offset: cursor.u64('an offset') };
  });
  const dataStart = Math.ceil(cursor.at / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const { name, dimensions, type, offset } of described) {
    const fail = (what: string) => bad(file, `the tensor ${quoted(name)} ${what}`, { tensor: name });
    if (tensors.has(name)) throw fail('is there twice');
    const block = isGgmlFormat(type) ? ggmlBlock(type).elements : 1;
    if (dimensions[0]! % block !== 0) throw fail(`has rows of ${dimensions[0]} in ${type}, no multiple of ${block}`);
    const start = dataStart + offset;
    const end = start + tensorBytes(type, dimensions);
    if (!Number.isSafeInteger(end)) throw fail(`is larger than any file: [${dimensions.join(', ')}]`);
    if (offset % alignment !== 0) throw fail(`begins at ${offset}, no multiple of ${alignment}`);
    if (fileBytes !== undefined && end > fileBytes)
      throw fail(`ends at byte ${end}, the file at ${fileBytes}: it is cut short`);
    tensors.set(name, { name, dimensions, type: type as GgufTensor['type'], file, start, end });
  }
  return { file, metadata, tensors, fileBytes };
}

/**
 * Reads the header of a GGUF file, in parts that grow until it is there.
 * @throws ReckonError `bad-checkpoint` naming what does not fit; `network`, `aborted`.
 */
export async function readGguf(
  source: CheckpointSource,
  file: string,
  options: { signal?: AbortSignal } = {},
): Promise<GgufHeader> {
  const fileBytes = await source.size(file);
  let bytes = new Uint8Array(0);
  for (let size = FIRST_READ_BYTES; ; size *= 2) {
    const more = await readPart(source, file, bytes.length, Math.min(size, MAX_HEADER_BYTES), options.signal);
    const ended = bytes.length + more.length < Math.min(size, MAX_HEADER_BYTES);
    const joined = new Uint8Array(bytes.length + more.length);
    joined.set(bytes);
    joined.set(more, bytes.length);
    bytes = joined;
    try {
      return parse(bytes, file, fileBytes);
    } catch (error) {
      if (!(error instanceof MoreBytes)) throw error;
      if (ended) throw bad(file, `it ends after ${bytes.length} bytes, within its header`, { fileBytes: bytes.length });
      if (size >= MAX_HEADER_BYTES) throw bad(file, `its header has more than ${MAX_HEADER_BYTES} bytes`);
    }
  }
}
