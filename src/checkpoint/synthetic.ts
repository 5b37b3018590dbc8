/**
 * Checkpoints of random weights of any shape, made while they are read: for benchmarks of models that nobody wants to
 * download, and for tests. The same shape, seed and type give the same bytes, whatever ranges they are read in.
 */
import { checkNumber, ReckonError, throwIfAborted } from '../errors.ts';
import { numberToBf16, numberToF16, WEIGHT_BYTES, type WeightDType } from '../numbers.ts';
import { type ModelConfig, modelConfigJson } from './config.ts';
import { type CheckpointSource, checkPath, checkRange, missingFileError } from './source.ts';
import { syntheticTokenizer } from './synthetic-tokenizer.ts';
import { expectedTensors } from './tensors.ts';

const WEIGHTS = 'model.safetensors';
const CHUNK_BYTES = 1 << 20;
/** Sums of four bytes run from 0 to 1020; their mean is 510, their variance 4·(256² − 1)/12. */
const LEVELS = 1021;
const LEVEL_DEVIATION = Math.sqrt((4 * (256 ** 2 - 1)) / 12);

export interface SyntheticOptions {
  /** 32-bit non-negative integer. Default 0. */
  seed?: number;
  /** Default F16. */
  dtype?: WeightDType;
  /** Text of tokenizer.json and tokenizer_config.json; default: one made to fit the vocabulary. */
  tokenizer?: { tokenizer: string; config: string };
}

interface Segment {
  /** Bytes in the file. */
  readonly start: number;
  readonly end: number;
  readonly seed: number;
  /** Encoded value for each sum of four random bytes. */
  readonly levels: Uint16Array | Float32Array;
}

/** A well-mixed 32-bit function of two 32-bit numbers (the finaliser of MurmurHash3 over a Weyl step). */
function hash(seed: number, index: number): number {
  let h = (seed + Math.imul(index, 0x9e3779b1)) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** About normal: a sum of four uniform bytes (Irwin–Hall) looked up, so that an element costs one hash. */
function levelsOf(mean: number, deviation: number, dtype: WeightDType): Uint16Array | Float32Array {
  const values = Float32Array.from({ length: LEVELS }, (_, sum) => mean + (deviation * (sum - 510)) / LEVEL_DEVIATION);
  if (dtype === 'F32') return values;
  return Uint16Array.from(values, dtype === 'F16' ? numberToF16 : numberToBf16);
}

/** The elements from `first` on, as many as `count`, of a segment. */
function generate({ seed, levels }: Segment, first: number, count: number): Uint8Array {
  const values = levels instanceof Float32Array ? new Float32Array(count) : new Uint16Array(count);
  for (let i = 0; i < count; i++) {
    const h = hash(seed, first + i);
    values[i] = levels[(h & 255) + ((h >>> 8) & 255) + ((h >>> 16) & 255) + (h >>> 24)]!;
  }
  return new Uint8Array(values.buffer);
}

function layOut(
  config: ModelConfig,
  seed: number,
  dtype: WeightDType,
): { header: Uint8Array; segments: Segment[]; size: number } {
  const elementBytes = WEIGHT_BYTES[dtype];
  const description: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const relative: Segment[] = [];
  let offset = 0;
  for (const [number, { name, shape }] of expectedTensors(config).entries()) {
    const end = offset + shape.reduce((product, size) => product * size, 1) * elementBytes;
    description[name] = { dtype, shape, data_offsets: [offset, end] };
    // Norm gains are near 1, biases near 0, matrices keep the size of what passes through them.
    const isGain = shape.length === 1 && !name.endsWith('.bias');
    const deviation = shape.length === 1 ? 0.05 : 1 / Math.sqrt(shape[1]!);
    const levels = levelsOf(isGain ? 1 : 0, deviation, dtype);
    relative.push({ start: offset, end, seed: hash(seed, number + 1), levels });
    offset = end;
  }
  const json = JSON.stringify(description);
  // Padded with spaces to 8 bytes, as the format's own writers do.
  const text = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8));
  const header = new Uint8Array(8 + text.length);
  new DataView(header.buffer).setBigUint64(0, BigInt(text.length), true);
  header.set(text, 8);
  const segments = relative.map((one) => ({ ...one, start: one.start + header.length, end: one.end + header.length }));
  return { header, segments, size: header.length + offset };
}

/**
 * A checkpoint of random weights: matrices about N(0, 1/fan-in), norm gains about 1, a tokenizer that knows
 * `<|im_start|>`, `<|im_end|>`, `<think>` and `</think>`, and a chat template. Never whole in memory.
 * @throws ReckonError `bad-option` for a bad seed, or a vocabulary too small for the tokenizer.
 */
export function syntheticSource(config: ModelConfig, options: SyntheticOptions = {}): CheckpointSource {
  const { dtype = 'F16' } = options;
  const seed = checkNumber('seed', options.seed ?? 0, { min: 0, max: 0xffffffff, integer: true });
  const { header, segments, size } = layOut(config, seed, dtype);
  const tokenizer = options.tokenizer ?? syntheticTokenizer(config.vocabSize);
  const encoder = new TextEncoder();
  const files = new Map(
    Object.entries({
      'config.json': JSON.stringify(modelConfigJson(config)),
      'generation_config.json': JSON.stringify({ do_sample: true, temperature: 1, top_p: 1, eos_token_id: [2, 0] }),
      'tokenizer.json': tokenizer.tokenizer,
      'tokenizer_config.json': tokenizer.config,
    }).map(([path, text]) => [path, encoder.encode(text)]),
  );
  const name = `synthetic ${config.architecture} (${config.layers} layers, hidden ${config.hiddenSize}, ${dtype}, seed ${seed})`;

  /** The longest piece from `position` on that lies in one segment, at most a chunk and not beyond `end`. */
  function pieceAt(position: number, end: number): Uint8Array {
    if (position < header.length) return header.slice(position, Math.min(header.length, end));
    let low = 0;
    for (let high = segments.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1;
      if (segments[middle]!.start <= position) low = middle;
      else high = middle - 1;
    }
    const segment = segments[low]!;
    const elementBytes = WEIGHT_BYTES[dtype];
    const stop = Math.min(segment.end, end, position + CHUNK_BYTES);
    const first = Math.floor((position - segment.start) / elementBytes);
    const behind = Math.ceil((stop - segment.start) / elementBytes);
    const from = position - segment.start - first * elementBytes;
    return generate(segment, first, behind - first).subarray(from, from + stop - position);
  }
  function find(path: string): Uint8Array {
    const file = files.get(checkPath(path));
    if (!file) throw missingFileError(name, path);
    return file;
  }

  return {
    name,
    revision: String(seed),
    async text(path, { signal } = {}) {
      throwIfAborted(signal, `Reading ${path}`);
      if (path === WEIGHTS) throw new ReckonError('bad-option', `${WEIGHTS} is not a text file.`);
      return new TextDecoder().decode(find(path));
    },
    has: async (path) => path === WEIGHTS || files.has(checkPath(path)),
    size: async (path) => (path === WEIGHTS ? size : find(path).length),
    async open(path, readOptions = {}) {
      throwIfAborted(readOptions.signal, `Reading ${path}`);
      const range = checkRange(readOptions);
      const file = path === WEIGHTS ? undefined : find(path);
      const end = Math.min(range.end, file?.length ?? size);
      let position = range.start;
      return new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            if (position >= end) return controller.close();
            const piece = file ? file.slice(position, end) : pieceAt(position, end);
            position += piece.length;
            controller.enqueue(piece);
          },
        },
        { highWaterMark: 0 },
      );
    },
  };
}
