/**
 * Reads safetensors headers: 8 bytes of little-endian length, that many bytes of JSON, then the tensors back to back.
 * Format: https://github.com/huggingface/safetensors (README, "Format"). The header comes from strangers: everything in it
 * is checked before anything is allocated or read by it.
 */
import { ReckonError } from '../errors.ts';
import type { WeightDType } from '../numbers.ts';
import { readPart } from './read-part.ts';
import type { CheckpointSource } from './source.ts';

/** Bits of an element, by name in the format. */
const DTYPE_BITS: ReadonlyMap<string, number> = new Map([
  ['BOOL', 8],
  ['U8', 8],
  ['I8', 8],
  ['F8_E5M2', 8],
  ['F8_E4M3', 8],
  ['F8_E8M0', 8],
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['I16', 16],
  ['U16', 16],
  ['F16', 16],
  ['BF16', 16],
  ['I32', 32],
  ['U32', 32],
  ['F32', 32],
  ['I64', 64],
  ['U64', 64],
  ['F64', 64],
  ['C64', 64],
]);

/** The format's own limit on the header, bytes. */
export const MAX_HEADER_BYTES = 100_000_000;
const MAX_DIMENSIONS = 16;
/** Most headers fit, so that one request usually reads them. */
const FIRST_READ_BYTES = 1 << 18;

/** One tensor as its header describes it, checked. */
export interface TensorInfo {
  readonly name: string;
  /** As the file spells it: "F16", "I64" … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The file it is in. */
  readonly file: string;
  /** First byte in the file, and the one behind the last. */
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly file: string;
  /** In file order, without gaps. */
  readonly tensors: readonly TensorInfo[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Where the tensors begin, and where the file must end, bytes. */
  readonly dataStart: number;
  readonly fileBytes: number;
}

const DAMAGED = 'The file is damaged or not a safetensors file: download it again.';

function bad(file: string, what: string, details: Record<string, unknown> = {}, cause?: unknown): ReckonError {
  return new ReckonError('bad-checkpoint', `${file}: ${what}.`, {
    hint: DAMAGED,
    details: { file, ...details },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** A name from a file, safe to put into a message. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 117)}...` : name);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * Reads the header's length from the file's first 8 bytes.
 * @param fileBytes The file's size where it is known.
 * @throws ReckonError `bad-checkpoint` when there are fewer bytes, or the length is absurd.
 */
export function headerLength(prefix: Uint8Array, file: string, fileBytes?: number): number {
  const have = Math.min(prefix.length, fileBytes ?? prefix.length);
  if (have < 8)
    throw bad(file, `the file has ${have} bytes; a safetensors file begins with 8 bytes of length`, { have });
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) {
    throw bad(file, `its header claims ${length} bytes; the format allows ${MAX_HEADER_BYTES}`, { length });
  }
  if (length < 2) throw bad(file, `its header claims ${length} bytes; an empty one takes 2`, { length });
  if (fileBytes !== undefined && 8 + length > fileBytes) {
    throw bad(file, `its header claims ${length} bytes, the file has ${fileBytes}`, { length, fileBytes });
  }
  return length;
}

/**
 * Parses the JSON of a header.
 * @param json The `headerLength` bytes behind the first 8.
 * @param fileBytes The file's size where it is known: the tensors must fill it.
 * @throws ReckonError `bad-checkpoint` naming the file, the tensor and the numbers that disagree.
 */
export function parseHeader(json: Uint8Array, file: string, fileBytes?: number): SafetensorsHeader {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json));
  } catch (cause) {
    throw bad(file, 'its header is not JSON', {}, cause);
  }
  if (!isRecord(parsed)) throw bad(file, 'its header is not a JSON object');
  const dataStart = 8 + json.length;
  const tensors: TensorInfo[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(parsed)) {
    if (name === '__metadata__') metadata = parseMetadata(entry, file);
    else tensors.push(parseTensor(name, entry, file, dataStart));
  }
  tensors.sort((a, b) => a.start - b.start || a.end - b.end);
  // The format forbids gaps and overlaps alike; a repeated name shows up as the gap of the entry it replaced.
  let position = dataStart;
  for (const { name, start, end } of tensors) {
    if (start !== position) {
      const [at, before] = [start - dataStart, position - dataStart];
      const what = start < position ? 'overlaps the tensor before it' : 'leaves a gap behind the tensor before it';
      throw bad(file, `${quoted(name)} ${what}: it begins at ${at}, that one ends at ${before}`, {
        tensor: name,
        start: at,
        previousEnd: before,
      });
    }
    position = end;
  }
  if (fileBytes !== undefined && position !== fileBytes) {
    const last = tensors.at(-1)?.name;
    const what = position > fileBytes ? 'is cut short' : 'has bytes that belong to no tensor';
    const where = last === undefined ? 'its header' : quoted(last);
    throw bad(file, `the file ${what}: ${where} ends at byte ${position}, the file at ${fileBytes}`, {
      tensor: last,
      expected: position,
      fileBytes,
    });
  }
  return { file, tensors, metadata, dataStart, fileBytes: position };
}

function parseMetadata(entry: unknown, file: string): Record<string, string> {
  if (!isRecord(entry)) throw bad(file, '"__metadata__" is not an object of strings');
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, value] of Object.entries(entry)) {
    if (typeof value !== 'string') throw bad(file, `the metadata ${quoted(key)} is not a string`, { key });
    metadata[key] = value;
  }
  return metadata;
}

function parseTensor(name: string, entry: unknown, file: string, dataStart: number): TensorInfo {
  const fail = (what: string, details: Record<string, unknown> = {}) =>
    bad(file, `the tensor ${quoted(name)} ${what}`, { tensor: name, ...details });
  if (name === '' || name === '__proto__' || name === 'constructor' || name === 'prototype') {
    throw fail('has a name that no tensor may have');
  }
  if (!isRecord(entry)) throw fail('is not described by an object');
  const { dtype, shape, data_offsets: offsets } = entry;
  const bits = typeof dtype === 'string' ? DTYPE_BITS.get(dtype) : undefined;
  if (typeof dtype !== 'string' || bits === undefined) {
    throw fail(`has the unknown type ${quoted(String(JSON.stringify(dtype)))}`, { dtype });
  }
  if (!Array.isArray(shape) || shape.length > MAX_DIMENSIONS || !shape.every(isCount)) {
    throw fail(`has a shape that is not up to ${MAX_DIMENSIONS} whole numbers from 0`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw fail('has data_offsets that are not two whole numbers from 0');
  }
  const [start, end] = offsets as [number, number];
  if (end < start) throw fail(`ends before it begins: data_offsets ${start}, ${end}`, { start, end });
  if (!Number.isSafeInteger(dataStart + end)) throw fail(`lies beyond any file: it ends at ${end}`, { start, end });
  // Zero first, so that no product of the others can overflow beside it.
  const elements = shape.includes(0) ? 0 : (shape as number[]).reduce((product, size) => product * size, 1);
  const expected = Math.ceil((elements * bits) / 8);
  if (!Number.isSafeInteger(elements * bits))
    throw fail(`has a shape of ${elements} elements, more than any file holds`);
  if (end - start !== expected) {
    throw fail(`takes ${end - start} bytes, but ${dtype} [${shape.join(', ')}] takes ${expected}`, {
      bytes: end - start,
      expected,
    });
  }
  return { name, dtype, shape: shape as number[], file, start: dataStart + start, end: dataStart + end };
}

/** Reads and checks the header of one file of a checkpoint; of the tensors nothing is read but what came along. */
export async function readHeader(
  source: CheckpointSource,
  file: string,
  options: { signal?: AbortSignal } = {},
): Promise<SafetensorsHeader> {
  const { signal } = options;
  const fileBytes = await source.size(file);
  const head = await readPart(source, file, 0, Math.min(FIRST_READ_BYTES, fileBytes ?? FIRST_READ_BYTES), signal);
  const end = 8 + headerLength(head, file, fileBytes);
  let json = head.subarray(8, end);
  if (end > head.length) {
    const rest = await readPart(source, file, head.length, end, signal);
    if (head.length + rest.length < end) {
      const have = head.length + rest.length;
      throw bad(file, `its header claims ${end - 8} bytes, the file ends after ${have}`, {
        length: end - 8,
        fileBytes: have,
      });
    }
    json = new Uint8Array(end - 8);
    json.set(head.subarray(8));
    json.set(rest, head.length - 8);
  }
  return parseHeader(json, file, fileBytes);
}

/**
 * The type of a tensor that is to be used as weights.
 * @throws ReckonError `bad-checkpoint` naming the tensor and its type when that is none of F32, F16, BF16.
 */
export function weightDType(tensor: TensorInfo): WeightDType {
  const { dtype, name, file } = tensor;
  if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16') return dtype;
  throw new ReckonError('bad-checkpoint', `${file}: the weights ${quoted(name)} are stored as ${dtype}.`, {
    hint: 'Weights can be F32, F16 or BF16: use the unquantised checkpoint.',
    details: { file, tensor: name, dtype },
  });
}
