/**
 * Opens a checkpoint of any format: its configuration, the place of every tensor, and its text files under Hugging Face's
 * names, made from what the format has instead. Only headers are read.
 */
import { ReckonError } from '../errors.ts';
import { type ModelConfig, parseModelConfig } from './config.ts';
import { ggufTokenizer, ggufTokenizerConfig } from './gguf-tokenizer.ts';
import { type Gguf, ggufConfigJson, ggufStore, openGguf } from './gguf-weights.ts';
import { type JsonObject, parseJson } from './json.ts';
import { MLC_CONFIG, mlcConfigJson, mlcGenerationJson, mlcStore, readMlcManifest } from './mlc.ts';
import { mlcChatTemplate } from './mlc-chat.ts';
import { safetensorsStore } from './safetensors-weights.ts';
import { readTensorIndex } from './shards.ts';
import { type CheckpointSource, isMissingFile } from './source.ts';
import { indexWeights, type WeightIndex, type WeightStore } from './weight-index.ts';

/** A checkpoint whose headers have been read and found whole. */
export interface OpenCheckpoint {
  readonly model: ModelConfig;
  /** `config.json`, or what it would be. */
  readonly json: JsonObject;
  readonly weights: WeightIndex;
  /** `tokenizer.json`, `tokenizer_config.json` and `generation_config.json`, where the checkpoint has the like. */
  readonly text: Pick<CheckpointSource, 'name' | 'text'>;
}

interface ReadOptions {
  signal?: AbortSignal;
}

/** Configuration and text files of a format, before its weights are looked at. */
interface Described {
  readonly json: JsonObject;
  /** The name of the file that `json` comes from, for messages. */
  readonly file: string;
  readonly text: Pick<CheckpointSource, 'name' | 'text'>;
  store(model: ModelConfig): Promise<WeightStore>;
}

async function optional(
  source: Pick<CheckpointSource, 'text'>,
  path: string,
  options: ReadOptions,
): Promise<string | undefined> {
  try {
    return await source.text(path, options);
  } catch (error) {
    if (isMissingFile(error)) return undefined;
    throw error;
  }
}

/** The source's own text files, and where it lacks one, what `made` has of that name. */
function withFiles(source: CheckpointSource, made: Record<string, () => JsonObject | null>): Described['text'] {
  return {
    name: source.name,
    async text(path, options) {
      try {
        return await source.text(path, options);
      } catch (error) {
        const json = isMissingFile(error) && Object.hasOwn(made, path) ? made[path]!() : null;
        if (json === null) throw error;
        return JSON.stringify(json);
      }
    },
  };
}

function huggingFace(source: CheckpointSource, text: string, options: ReadOptions): Described {
  const json = parseJson(text, 'config.json');
  return {
    json,
    file: 'config.json',
    text: source,
    store: async () => safetensorsStore(await readTensorIndex(source, options), json),
  };
}

async function mlc(source: CheckpointSource, text: string, options: ReadOptions): Promise<Described> {
  const chat = parseJson(text, MLC_CONFIG);
  const template = mlcChatTemplate(chat.conv_template);
  const own = await optional(source, 'tokenizer_config.json', options);
  const tokenizer = own === undefined ? {} : parseJson(own, 'tokenizer_config.json');
  // Many repositories bring a tokenizer_config.json without template, relying on conv_template.
  const templated = template !== null && (tokenizer.chat_template ?? null) === null;
  const files = withFiles(source, { 'generation_config.json': () => mlcGenerationJson(chat) });
  return {
    json: mlcConfigJson(chat),
    file: MLC_CONFIG,
    text: {
      name: source.name,
      text: async (path, readOptions) =>
        path === 'tokenizer_config.json' && templated
          ? JSON.stringify({ ...tokenizer, chat_template: template })
          : files.text(path, readOptions),
    },
    store: async () => mlcStore(await readMlcManifest(source, options), chat),
  };
}

async function gguf(source: CheckpointSource, file: string, options: ReadOptions): Promise<Described> {
  const opened: Gguf = await openGguf(source, file, options);
  return {
    json: await ggufConfigJson(source, opened),
    file,
    text: withFiles(source, {
      'tokenizer.json': () => ggufTokenizer(opened),
      'tokenizer_config.json': () => ggufTokenizerConfig(opened),
    }),
    store: async (model) => ggufStore(opened, model.headDim),
  };
}

/** The source's GGUF file, if that is what it is; of a split one, its first part. @throws ReckonError `bad-option` when there are several models. */
async function ggufFileOf(source: CheckpointSource): Promise<string | undefined> {
  const all = (await source.list?.()) ?? [];
  if (all.some((path) => path.endsWith('.safetensors'))) return undefined;
  const files = all.filter((path) => path.toLowerCase().endsWith('.gguf'));
  const models = files.filter((path) => !/-(?!00001)\d{5}-of-\d{5}\.gguf$/.test(path)).sort();
  if (models.length <= 1) return models[0];
  throw new ReckonError(
    'bad-option',
    `${source.name} holds ${models.length} models: ${models.slice(0, 8).join(', ')}.`,
    {
      hint: 'Say which file is meant.',
      details: { files: models.slice(0, 100) },
    },
  );
}

/** @param fallback Stands in for a `config.json` that is missing. */
async function describe(source: CheckpointSource, options: ReadOptions, fallback?: string): Promise<Described> {
  const file = await ggufFileOf(source);
  if (file !== undefined) return gguf(source, file, options);
  const config = await optional(source, 'config.json', options);
  // MLC's repositories may carry the original's config.json along.
  if (config === undefined || (!(await source.has('model.safetensors')) && (await source.has(MLC_CONFIG)))) {
    const chat = await optional(source, MLC_CONFIG, options);
    if (chat !== undefined) return mlc(source, chat, options);
  }
  const text = config ?? fallback;
  if (text !== undefined) return huggingFace(source, text, options);
  throw new ReckonError('bad-checkpoint', `${source.name} has no config.json.`, {
    hint: `A checkpoint has config.json beside .safetensors files, ${MLC_CONFIG} beside MLC's shards, or is one .gguf file.`,
    details: { source: source.name, missing: true },
  });
}

/**
 * @throws ReckonError `bad-checkpoint` naming what is missing or damaged, `unknown-architecture` listing those that are
 *   known, `bad-option` when a folder holds several models, `network`, `aborted`.
 */
export async function openCheckpoint(source: CheckpointSource, options: ReadOptions = {}): Promise<OpenCheckpoint> {
  const { json, file, text, store } = await describe(source, options);
  const model = parseModelConfig(json, file);
  return { model, json, weights: indexWeights(await store(model), model), text };
}

/** The place of every tensor of `config`, also in a checkpoint that brings no configuration of its own. */
export async function openWeights(
  source: CheckpointSource,
  config: ModelConfig,
  options: ReadOptions = {},
): Promise<WeightIndex> {
  const { store } = await describe(source, options, '{}');
  return indexWeights(await store(config), config);
}
