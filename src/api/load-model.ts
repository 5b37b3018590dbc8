/** Loads a model: configuration, tokenizer, weights straight to the GPU, kernels; then it is ready to reason. */
import {
  type CheckpointSource,
  filesSource,
  type GenerationDefaults,
  isMissingFile,
  type ModelConfig,
  parameterCount,
  parseGenerationDefaults,
  parseModelConfig,
  streamTensors,
  urlSource,
} from '../checkpoint/index.ts';
import { GpuEngine } from '../engine/engine.ts';
import { checkNumber, ReckonError, throwIfAborted } from '../errors.ts';
import { type Gpu, openGpu } from '../gpu/index.ts';
import type { Precisions } from '../kernels/precision.ts';
import { Decoder } from '../model/decoder.ts';
import { uploadWeights } from '../model/weights.ts';
import {
  type ChatTemplate,
  detectDialect,
  loadChatTemplate,
  loadTokenizer,
  renderChat,
  type Tokenizer,
} from '../text/index.ts';
import { type ChatCompletions, chatCompletions } from './chat.ts';
import { textCodec } from './codec.ts';
import { type Reasoner, reason } from './reason.ts';
import type { ChatMessage, LoadOptions, Model, ModelInfo, ModelSource, ReasonRequest, ReasonRun } from './types.ts';

/** A model on this machine's GPU. */
export interface LoadedModel extends Model {
  readonly engine: GpuEngine;
}

const DEFAULT_LANES = 64;
const DEFAULT_KV_BYTES = 256 * 2 ** 20;
/** A checkpoint may allow contexts far beyond what a page has use for; longer ones are asked for by name. */
const DEFAULT_CONTEXT = 32768;

/**
 * Loads a checkpoint in Hugging Face layout from a base URL, from picked files, or (in Node) from a folder.
 * @throws ReckonError `bad-checkpoint`, `unknown-architecture`, `bad-tokenizer`, `network`, `no-webgpu`, `no-adapter`,
 *   `gpu-out-of-memory`, `limit-exceeded`, `over-capacity`, `bad-option`, `aborted`. Nothing stays allocated then.
 */
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<LoadedModel> {
  return loadFrom(await sourceOf(source), options);
}

async function sourceOf(source: ModelSource): Promise<CheckpointSource> {
  if (Array.isArray(source)) return filesSource(source as readonly File[]);
  const text = String(source);
  if (/^(https?|blob|data):/.test(text)) return urlSource(text);
  const inNode = typeof process !== 'undefined' && process.versions?.node !== undefined;
  if (inNode) {
    const { directorySource } = await import('../checkpoint/node.ts');
    return directorySource(text);
  }
  return urlSource(new URL(text, globalThis.location?.href).href);
}

/** `loadModel` from any source of files. */
export async function loadFrom(source: CheckpointSource, options: LoadOptions = {}): Promise<LoadedModel> {
  const { signal, onProgress } = options;
  const report = (phase: 'configuration' | 'weights' | 'kernels' | 'ready', loaded = 0, total = 0) =>
    onProgress?.({ phase, loaded, total });
  throwIfAborted(signal, 'Loading the model');
  report('configuration');
  const files = await readConfiguration(source, signal);
  const precisions: Precisions = {
    weights: options.precision?.weights ?? 'f16',
    kv: options.precision?.kv ?? 'f16',
  };
  const gpu = await openGpu({ gpu: options.gpu ?? (await nodeGpu()), timestamps: options.timestamps ?? false });
  try {
    throwIfAborted(signal, 'Loading the model');
    let seen = { loaded: 0, total: 0 };
    const chunks = streamTensors(source, files.config, {
      ...(signal ? { signal } : {}),
      onProgress: ({ loaded, total }) => {
        seen = { loaded, total };
        report('weights', loaded, total);
      },
    });
    const weights = await uploadWeights(gpu, files.config, precisions.weights, chunks);
    throwIfAborted(signal, 'Loading the model');
    report('kernels', seen.loaded, seen.total);
    const context = Math.min(files.config.maxContext, DEFAULT_CONTEXT);
    const decoder = await Decoder.create(gpu, files.config, weights, precisions, {
      maxLanes: options.maxLanes ?? DEFAULT_LANES,
      maxContext:
        options.maxContext === undefined
          ? context
          : checkNumber('maxContext', options.maxContext, { min: 2, max: files.config.maxContext, integer: true }),
      kvBytes: options.kvBytes ?? DEFAULT_KV_BYTES,
    });
    throwIfAborted(signal, 'Loading the model');
    const model = assemble(source, gpu, decoder, files, precisions, weights.bytes);
    report('ready', seen.loaded, seen.total);
    return model;
  } catch (error) {
    gpu.close();
    throw error;
  }
}

interface Configuration {
  config: ModelConfig;
  tokenizer: Tokenizer;
  chat: ChatTemplate;
  defaults: GenerationDefaults;
}

async function readConfiguration(source: CheckpointSource, signal: AbortSignal | undefined): Promise<Configuration> {
  const read = signal ? { signal } : {};
  const optional = (path: string) =>
    source.text(path, read).catch((error: unknown) => {
      if (isMissingFile(error)) return undefined;
      throw error;
    });
  // Before the tokenizer, whose absence would hide that this is no checkpoint at all.
  const json = await source.text('config.json', read);
  const config = parseModelConfig(json);
  const [tokenizer, chat, generation] = await Promise.all([
    loadTokenizer(source, read),
    loadChatTemplate(source, read),
    optional('generation_config.json'),
  ]);
  const defaults = parseGenerationDefaults(generation, { model: config, json }, tokenizer);
  return { config, tokenizer, chat, defaults };
}

/** Node has no `navigator.gpu`; the optional package `webgpu` stands in. */
async function nodeGpu(): Promise<GPU | undefined> {
  const inNode = typeof process !== 'undefined' && process.versions?.node !== undefined;
  if (!inNode || (globalThis.navigator as Navigator | undefined)?.gpu) return undefined;
  const { openNodeGpu } = await import('../node/gpu.ts');
  return (await openNodeGpu()).gpu;
}

function assemble(
  source: CheckpointSource,
  gpu: Gpu,
  decoder: Decoder,
  { config, tokenizer, chat, defaults }: Configuration,
  precision: Precisions,
  weightBytes: number,
): LoadedModel {
  const engine = new GpuEngine({
    gpu,
    decoder,
    codec: textCodec(tokenizer),
    stopTokens: defaults.stopTokens,
    cacheKey: [source.name, source.revision ?? '', precision.weights, precision.kv].join('\n'),
  });
  const { temperature, topK, topP, minP, repetitionPenalty } = defaults;
  const reasoner: Reasoner = {
    engine,
    dialect: detectDialect(chat, tokenizer),
    sampling: { temperature, topK, topP, minP, repetitionPenalty },
    prompt: (messages: readonly ChatMessage[]) => tokenizer.encode(renderChat(chat, messages)),
  };
  const info: Omit<ModelInfo, 'capacity'> = {
    name: shortName(source.name),
    architecture: config.architecture,
    parameters: parameterCount(config),
    weightBytes,
    precision,
    vocabulary: config.vocabSize,
    layers: config.layers,
    maxContext: engine.capacity.maxContext,
    device: gpu.profile,
  };
  const run = (request: ReasonRequest): ReasonRun => reason(reasoner, request);
  const chatFace: { completions: ChatCompletions } = { completions: chatCompletions(info.name, run) };
  let disposed = false;
  return {
    get info() {
      return { ...info, capacity: engine.capacity };
    },
    engine,
    chat: chatFace,
    reason(request) {
      if (disposed) throw new ReckonError('device-lost', `${info.name} was disposed.`, { hint: 'Load it again.' });
      return run(request);
    },
    dispose() {
      disposed = true;
      engine.dispose();
    },
  };
}

/** The last part of a path or URL. */
function shortName(name: string): string {
  return (
    name
      .replace(/[/\\]+$/, '')
      .split(/[/\\]/)
      .at(-1) || name
  );
}
