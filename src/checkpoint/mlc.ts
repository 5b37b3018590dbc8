/**
 * MLC's shards, as `@mlc-ai/web-llm` publishes them: `tensor-cache.json` (older: `ndarray-cache.json`) says which tensor lies
 * where in `params_shard_*.bin`. Layouts: mlc-llm, python/mlc_llm/quantization/group_quantization.py.
 */
import { ReckonError } from '../errors.ts';
import type { WeightDType } from '../numbers.ts';
import { MLC3_GROUP, mlc3, mlc4 } from './codecs.ts';
import { Fields, type JsonObject, parseJson } from './json.ts';
import { mlcPhi3Name, placesOf } from './places.ts';
import { quoted } from './safetensors.ts';
import { type CheckpointSource, checkPath, isMissingFile } from './source.ts';
import type { Codec, Span, StoredTensor } from './stored.ts';
import type { WeightFile, WeightStore } from './weight-index.ts';

const MANIFESTS = ['tensor-cache.json', 'ndarray-cache.json'] as const;
export const MLC_CONFIG = 'mlc-chat-config.json';

/** A shard, and what its bytes must hash to. */
export interface MlcShard extends WeightFile {
  readonly fileBytes: number;
  readonly md5: string | null;
}

interface MlcTensor extends Span {
  readonly name: string;
  readonly shape: readonly number[];
  /** As it lies in the file: "U32", or a type of floats; null for others. */
  readonly type: 'U32' | WeightDType | null;
  readonly dtype: string;
}

export interface MlcManifest {
  readonly shards: readonly MlcShard[];
  readonly tensors: ReadonlyMap<string, MlcTensor>;
}

function bad(file: string, what: string, details: Record<string, unknown> = {}): ReckonError {
  return new ReckonError('bad-checkpoint', `${file}: ${what}.`, {
    hint: 'The file is damaged: download it again.',
    details: { file, ...details },
  });
}

/** `f32-to-bf16` keeps the upper half of each float. */
function typeOf(dtype: unknown, format: unknown): MlcTensor['type'] {
  if (dtype === 'float32') return format === 'f32-to-bf16' ? 'BF16' : 'F32';
  if (dtype === 'float16') return 'F16';
  if (dtype === 'bfloat16') return 'BF16';
  return dtype === 'uint32' ? 'U32' : null;
}

const ELEMENT_BYTES = { U32: 4, F32: 4, F16: 2, BF16: 2 } as const;

function objectsOf(value: unknown, file: string, what: string): JsonObject[] {
  const ok = Array.isArray(value) && value.every((one) => typeof one === 'object' && one !== null);
  if (!ok) throw bad(file, `${what} are not a list of objects`);
  return value as JsonObject[];
}

/** @throws ReckonError `bad-checkpoint` naming what does not fit. */
export function parseMlcManifest(text: string, file: string): MlcManifest {
  const shards: MlcShard[] = [];
  const tensors = new Map<string, MlcTensor>();
  for (const shard of objectsOf(parseJson(text, file).records, file, 'its records')) {
    const own = new Fields(shard, file);
    const path = own.raw('dataPath');
    if (typeof path !== 'string') throw own.error('dataPath', 'the name of a file');
    const fileBytes = own.number('nbytes', { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
    const md5 = own.raw('md5sum') ?? null;
    if (md5 !== null && !(typeof md5 === 'string' && /^[0-9a-f]{32}$/i.test(md5)))
      throw own.error('md5sum', '32 hexadecimal digits');
    shards.push({ file: checkPath(path), fileBytes, md5: md5?.toLowerCase() ?? null });
    for (const record of objectsOf(shard.records, file, `the records of ${quoted(path)}`)) {
      const tensor = parseRecord(record, file, path, fileBytes);
      if (tensors.has(tensor.name)) throw bad(file, `${quoted(tensor.name)} is there twice`);
      tensors.set(tensor.name, tensor);
    }
  }
  if (shards.length === 0) throw bad(file, 'it names no files');
  return { shards, tensors };
}

function parseRecord(record: JsonObject, file: string, path: string, fileBytes: number): MlcTensor {
  const { name, shape, dtype, format } = record;
  if (typeof name !== 'string') throw bad(file, 'a tensor has no name');
  const fail = (what: string) => bad(file, `the tensor ${quoted(name)} ${what}`, { tensor: name });
  const sizes = Array.isArray(shape) ? shape : [null];
  if (!sizes.every((size) => Number.isSafeInteger(size) && size >= 0)) throw fail('has no shape');
  const own = new Fields(record, `${file}, ${name.slice(0, 120)}`);
  const start = own.number('byteOffset', { min: 0, max: fileBytes, integer: true });
  const bytes = own.number('nbytes', { min: 0, max: fileBytes - start, integer: true });
  const type = typeOf(dtype, format);
  const elements = sizes.includes(0) ? 0 : sizes.reduce((product: number, size: number) => product * size, 1);
  if (type && bytes !== elements * ELEMENT_BYTES[type])
    throw fail(`takes ${bytes} bytes, but ${type} [${sizes.join(', ')}] takes ${elements * ELEMENT_BYTES[type]}`);
  return { name, shape: sizes, type, dtype: String(dtype), file: path, start, end: start + bytes };
}

/** Reads the manifest under either of its names. @throws ReckonError `bad-checkpoint`, `network`, `aborted`. */
export async function readMlcManifest(
  source: CheckpointSource,
  options: { signal?: AbortSignal } = {},
): Promise<MlcManifest> {
  for (const file of MANIFESTS) {
    try {
      return parseMlcManifest(await source.text(file, options), file);
    } catch (error) {
      if (!isMissingFile(error)) throw error;
    }
  }
  throw new ReckonError('bad-checkpoint', `${source.name} has neither ${MANIFESTS.join(' nor ')}.`, {
    hint: `${MLC_CONFIG} says that it is a checkpoint of MLC, which needs one of them.`,
    details: { source: source.name, missing: true },
  });
}

/** The `config.json` that an `mlc-chat-config.json` amounts to. @throws ReckonError `bad-checkpoint`. */
export function mlcConfigJson(chat: JsonObject): JsonObject {
  const model = chat.model_config;
  if (typeof model !== 'object' || model === null || Array.isArray(model))
    throw new Fields(chat, MLC_CONFIG).error('model_config', 'an object');
  const own = model as JsonObject;
  const window = chat.sliding_window_size ?? own.sliding_window_size ?? -1;
  return {
    ...own,
    // MLC's own code knows the activation and the place of θ by the model's type.
    model_type: chat.model_type ?? own.model_type,
    hidden_act: own.hidden_act ?? 'silu',
    rope_theta: own.rope_theta ?? own.position_embedding_base,
    max_position_embeddings: own.max_position_embeddings ?? own.context_window_size ?? chat.context_window_size,
    sliding_window: window,
    use_sliding_window: window !== -1,
    quantization_config: null,
    eos_token_id: stopIds(chat),
  };
}

/** Stop ids as MLC's chat configuration has them: of the model, and of the conversation. */
function stopIds(chat: JsonObject): number[] {
  const conversation = chat.conv_template as JsonObject | null | undefined;
  const ids = [chat.eos_token_id, conversation?.stop_token_ids].flat();
  return [...new Set(ids.filter((id): id is number => Number.isInteger(id)))];
}

/** The `generation_config.json` that an `mlc-chat-config.json` amounts to. */
export function mlcGenerationJson(chat: JsonObject): JsonObject {
  const { temperature, top_p, repetition_penalty } = chat;
  return { temperature, top_p, repetition_penalty, eos_token_id: stopIds(chat) };
}

const GROUPED = /^q([34])(?:f16|f32|bf16)_[12]$/;

/** @param chat `mlc-chat-config.json`. @throws ReckonError `bad-checkpoint` for a quantisation that is not known. */
export function mlcStore(manifest: MlcManifest, chat: JsonObject): WeightStore {
  const quantization = String(chat.quantization ?? '').slice(0, 40);
  const bits = GROUPED.exec(quantization)?.[1];
  if (!bits && !quantization.startsWith('q0')) {
    throw new ReckonError('bad-checkpoint', `${MLC_CONFIG}: the quantisation ${quoted(quantization)} is not known.`, {
      hint: 'Of MLC checkpoints, q4f16_1, q4f32_1, q3f16_1, q0f16 and q0f32 load.',
      details: { quantization },
    });
  }
  const phi3 = chat.model_type === 'phi3';
  return {
    format: 'mlc',
    quantization,
    files: manifest.shards,
    find(name, columns) {
      const plain = manifest.tensors.get(name);
      if (plain) return floats(plain);
      const base = name.slice(0, -'weight'.length);
      const codes = name.endsWith('.weight') ? manifest.tensors.get(`${base}q_weight`) : undefined;
      if (!codes || !bits) return undefined;
      return grouped(codes, manifest.tensors.get(`${base}q_scale`), bits === '4' ? 32 : MLC3_GROUP, columns);
    },
    places: (config, name, rows) =>
      placesOf(config, name, rows).map((place) => (phi3 ? { ...place, name: mlcPhi3Name(place.name) } : place)),
  };
}

const rowsOf = (shape: readonly number[]) => shape.slice(0, -1).reduce((product, size) => product * size, 1);

function floats(tensor: MlcTensor): StoredTensor {
  const { name, shape, type } = tensor;
  if (type === null || type === 'U32') throw unusable(tensor, `is stored as ${tensor.dtype.slice(0, 40)}`);
  const vector = shape.length < 2;
  return {
    name,
    rows: vector ? (shape[0] ?? 1) : rowsOf(shape),
    columns: vector ? null : shape.at(-1)!,
    encoding: { kind: 'float', dtype: type },
    codec: null,
    spans: [tensor],
    interleavedHead: null,
  };
}

/** Four words a group, of 32 or 40 elements; the last group of a row may be padded. */
function grouped(
  codes: MlcTensor,
  scales: MlcTensor | undefined,
  group: 32 | 40,
  columns: number | null,
): StoredTensor {
  const words = codes.shape.at(-1) ?? 0;
  const groups = words / 4;
  if (!scales || scales.type === null || scales.type === 'U32') throw unusable(codes, 'has no scales');
  const { type } = scales;
  if (codes.type !== 'U32' || codes.shape.length < 2) throw unusable(codes, `is stored as ${codes.dtype.slice(0, 40)}`);
  if (scales.shape.join() !== [...codes.shape.slice(0, -1), groups].join())
    throw unusable(codes, `is not in groups of ${group}`);
  const padded = columns !== null && Math.ceil(columns / group) === groups ? columns : groups * group;
  const unit = group === 32 ? 32 : 8;
  if (padded % unit !== 0) throw unusable(codes, `has rows of ${padded}, no multiple of ${unit}`);
  const codec: Codec = group === 32 ? mlc4(type) : mlc3(type);
  return {
    name: codes.name,
    rows: rowsOf(codes.shape),
    columns: padded,
    encoding: codec.encoding,
    codec,
    spans: [codes, scales],
    interleavedHead: null,
  };
}

function unusable(tensor: MlcTensor, what: string): ReckonError {
  return new ReckonError('bad-checkpoint', `${tensor.file}: ${quoted(tensor.name)} ${what}.`, {
    hint: 'The quantisation in mlc-chat-config.json and the weights do not belong together.',
    details: { file: tensor.file, tensor: tensor.name, dtype: tensor.dtype },
  });
}
