/** What a checkpoint is, from its headers alone: for the question whether it will run, before anything large is read. */

import type { ModelConfig } from './config.ts';
import { type GenerationDefaults, parseGenerationDefaults } from './generation.ts';
import { type JsonObject, parseJson } from './json.ts';
import { loadedBytes } from './loaded-bytes.ts';
import { type OpenCheckpoint, openCheckpoint } from './open.ts';
import type { MatrixEncoding } from './quantized.ts';
import { type CheckpointSource, isMissingFile } from './source.ts';
import { parameterCount } from './tensors.ts';
import type { CheckpointFormat, WeightFile } from './weight-index.ts';

export interface CheckpointDescription {
  /** The source's. */
  readonly name: string;
  readonly architecture: string;
  readonly format: CheckpointFormat;
  /** The publisher's name for it ("q4f16_1", "Q4_K"), or the type of floats ("BF16"). */
  readonly quantization: string;
  readonly parameters: number;
  /** Of the tensors that the model needs, as stored. */
  readonly weightBytes: number;
  /** Of the same in GPU memory, unless they are quantised while they are loaded. */
  readonly loadedBytes: number;
  readonly config: ModelConfig;
  /** How each matrix is stored, by its Hugging Face name. */
  readonly encodings: ReadonlyMap<string, MatrixEncoding>;
  /** Files of weights. */
  readonly files: readonly WeightFile[];
  /** Sampling as the makers mean it, and the ids that end a turn, from configuration and tokenizer. */
  readonly generation: GenerationDefaults;
}

async function optionalJson(
  text: OpenCheckpoint['text'],
  path: string,
  options: { signal?: AbortSignal },
): Promise<JsonObject> {
  try {
    return parseJson(await text.text(path, options), path);
  } catch (error) {
    if (isMissingFile(error)) return {};
    throw error;
  }
}

const contentOf = (token: unknown): unknown =>
  typeof token === 'object' && token !== null ? (token as JsonObject).content : token;

/**
 * The added tokens by the small `tokenizer_config.json`, and which of them ends a text.
 * @param whole Read the large `tokenizer.json` where that lists none.
 */
async function addedTokens(text: OpenCheckpoint['text'], whole: boolean, options: { signal?: AbortSignal }) {
  const config = await optionalJson(text, 'tokenizer_config.json', options);
  const ids = new Map<unknown, number>();
  for (const [id, token] of Object.entries((config.added_tokens_decoder ?? {}) as JsonObject))
    ids.set(contentOf(token), Number(id));
  if (ids.size === 0 && whole) {
    const { added_tokens: listed } = await optionalJson(text, 'tokenizer.json', options);
    for (const token of Array.isArray(listed) ? (listed as JsonObject[]) : [])
      if (Number.isInteger(token?.id)) ids.set(token.content, token.id as number);
  }
  const eos = contentOf(config.eos_token);
  return { idOf: (token: string) => ids.get(token), eos: ids.get(eos) };
}

/**
 * Reads headers and the small JSON files; `tokenizer.json`, which is large, only where nothing else tells what ends a turn.
 * @throws ReckonError as `openCheckpoint`.
 */
export async function describeCheckpoint(
  source: CheckpointSource,
  options: { signal?: AbortSignal } = {},
): Promise<CheckpointDescription> {
  const { model, json, weights, text } = await openCheckpoint(source, options);
  const generation = await optionalJson(text, 'generation_config.json', options);
  const silent = (generation.eos_token_id ?? json.eos_token_id ?? null) === null;
  const tokenizer = await addedTokens(text, silent, options);
  return {
    name: source.name,
    architecture: model.architecture,
    format: weights.format,
    quantization: weights.quantization,
    parameters: parameterCount(model),
    weightBytes: weights.bytes,
    loadedBytes: loadedBytes(weights),
    config: model,
    encodings: weights.encodings,
    files: weights.files,
    generation: parseGenerationDefaults(generation, { model, json }, tokenizer),
  };
}
