/** Loads a model: configuration, tokenizer, weights straight to the GPU, kernels; then it is ready to reason. */
import {
  type CheckpointSource,
  type GenerationDefaults,
  type ModelConfig,
  openCheckpoint,
  parameterCount,
  readGenerationDefaults,
  streamTensors,
  type WeightIndex,
} from '../checkpoint/index.ts';
import type { DeviceCalibration } from '../cost/calibrate.ts';
import { shapeOf } from '../cost/shapes.ts';
import { GpuEngine } from '../engine/engine.ts';
import { abortedError, checkNumber, isReckonError, ReckonError, throwIfAborted } from '../errors.ts';
import { type Gpu, openGpu } from '../gpu/index.ts';
import { Decoder } from '../model/decoder.ts';
import { precisionOf, uploadWeights, type Weights } from '../model/weights.ts';
import {
  type ChatTemplate,
  detectDialect,
  loadChatTemplate,
  loadTokenizer,
  promptOpensThinking,
  renderChat,
  type ThinkingDialect,
  type Tokenizer,
} from '../text/index.ts';
import { backendNamed } from './backends.ts';
import { calibrationOf } from './calibration.ts';
import { chatCompletions } from './chat.ts';
import { textCodec } from './codec.ts';
import { DEFAULT_CONTEXT, type ResolvedLoadOptions, resolveLoadOptions } from './load-options.ts';
import { withOffer } from './offer.ts';
import { reason } from './reason.ts';
import type { Prompt, Reasoner } from './request.ts';
import { inNode, sourceOf } from './source.ts';
import { StepWatch } from './step-watch.ts';
import type { ChatMessage, LoadOptions, Model, ModelInfo, ModelSource, ReasonRequest, ReasonRun } from './types.ts';

/** A model on this machine's GPU. */
export interface LoadedModel extends Model {
  readonly engine: GpuEngine;
}

const WHAT = 'Loading the model';

/**
 * Loads a checkpoint (safetensors, MLX, MLC or GGUF) from a base URL, from picked files, or (in Node) from a folder.
 * @throws ReckonError `bad-checkpoint`, `unknown-architecture`, `bad-tokenizer`, `network`, `access-denied`,
 *   `corrupt-download`, `storage`, `no-webgpu`, `no-adapter`,
 *   `gpu-out-of-memory`, `limit-exceeded`, `over-capacity`, `bad-option`, `aborted`. Nothing stays allocated then.
 */
export async function loadModel(
  source: ModelSource,
  options?: LoadOptions & { backend?: 'reckon' },
): Promise<LoadedModel>;
export async function loadModel(source: ModelSource, options?: LoadOptions): Promise<Model>;
export async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  if (options.backend !== undefined && options.backend !== 'reckon') {
    return (await backendNamed(options.backend))(String(source), options);
  }
  const { keep, token, cache, signal, onProgress } = options;
  // Settings that cannot be are refused before anything is downloaded for them.
  resolveLoadOptions(options);
  const found = await sourceOf(source, {
    ...(keep === undefined ? {} : { keep }),
    ...(token === undefined ? {} : { token }),
    ...(cache === undefined ? {} : { cache }),
    ...(signal ? { signal } : {}),
    onDownload: (download) =>
      onProgress?.({ phase: 'download', loaded: download.loaded, total: download.total, download }),
  });
  try {
    return await loadFrom(found, options);
  } catch (error) {
    throw isReckonError(error, 'unknown-architecture') ? await withOffer(error, source) : error;
  }
}

/** `loadModel` from any source of files. */
export async function loadFrom(source: CheckpointSource, options: LoadOptions = {}): Promise<LoadedModel> {
  const { signal, onProgress } = options;
  const settings = resolveLoadOptions(options);
  throwIfAborted(signal, WHAT);
  onProgress?.({ phase: 'configuration', loaded: 0, total: 0 });
  const files = await readConfiguration(source, signal);
  if (settings.maxContext !== undefined) checkContext(settings.maxContext, files.config);
  const gpu = await openGpuFor(options);
  try {
    let seen = { loaded: 0, total: 0 };
    const chunks = streamTensors(source, files.config, {
      index: files.weights,
      ...(signal ? { signal } : {}),
      onProgress: ({ loaded, total }) => {
        seen = { loaded, total };
        onProgress?.({ phase: 'weights', ...seen });
      },
    });
    const weights = await unlessAborted(
      uploadWeights(
        gpu,
        files.config,
        { precision: settings.precision.weights, quantize: settings.quantize, encodings: files.weights.encodings },
        chunks,
      ),
      signal,
    );
    onProgress?.({ phase: 'kernels', ...seen });
    const decoder = await unlessAborted(createDecoder(gpu, files.config, weights, settings), signal);
    const calibration = options.calibrate ? await unlessAborted(calibrationOf(gpu), signal) : undefined;
    const model = assemble(source, gpu, decoder, files, settings, weights, calibration);
    onProgress?.({ phase: 'ready', ...seen });
    return model;
  } catch (error) {
    gpu.close();
    throw error;
  }
}

/** @throws ReckonError `bad-option` for a context that the model was not made for. */
function checkContext(asked: number, { maxContext, slidingWindow }: ModelConfig): void {
  if (asked > maxContext && slidingWindow === maxContext) {
    throw new ReckonError('bad-option', `maxContext is ${asked}; it must be at most ${maxContext}.`, {
      hint: `The model looks back over a sliding window of ${slidingWindow} tokens; attention here is dense, which is the same up to that length only.`,
      details: { name: 'maxContext', value: asked },
    });
  }
  checkNumber('maxContext', asked, { min: 2, max: maxContext, integer: true });
}

/** The promise, or the abort if that comes first: compiling takes seconds, and does not listen. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortedError(WHAT, signal));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** The GPU of the page, or in Node what the optional package `webgpu` offers. */
async function openGpuFor({ gpu, timestamps = false, signal }: LoadOptions): Promise<Gpu> {
  let api = gpu;
  if (!api && inNode() && !(globalThis.navigator as Navigator | undefined)?.gpu) {
    const { openNodeGpu } = await import('../node/gpu.ts');
    api = (await openNodeGpu()).gpu;
  }
  const opening = openGpu({ gpu: api, timestamps });
  return unlessAborted(opening, signal).catch((error: unknown) => {
    // A device that opens after all is not kept.
    opening.then((late) => late.close()).catch(() => {});
    throw error;
  });
}

function createDecoder(
  gpu: Gpu,
  config: ModelConfig,
  weights: Weights,
  { precision, maxContext, maxLanes, kvBytes, summary }: ResolvedLoadOptions,
): Promise<Decoder> {
  const sizes = { maxLanes, maxContext: maxContext ?? Math.min(config.maxContext, DEFAULT_CONTEXT), kvBytes, summary };
  return Decoder.create(gpu, config, weights, precision, sizes);
}

interface Configuration {
  config: ModelConfig;
  tokenizer: Tokenizer;
  chat: ChatTemplate;
  defaults: GenerationDefaults;
  weights: WeightIndex;
}

/** Everything but the weights: what is wrong with a checkpoint shows before the GPU is opened. */
async function readConfiguration(source: CheckpointSource, signal: AbortSignal | undefined): Promise<Configuration> {
  const read = signal ? { signal } : {};
  // Before the tokenizer, whose absence would hide that this is no checkpoint at all.
  const checkpoint = await openCheckpoint(source, read);
  const { model, weights, text } = checkpoint;
  const [tokenizer, chat] = await Promise.all([loadTokenizer(text, read), loadChatTemplate(text, read)]);
  const { vocabSize } = model;
  if (tokenizer.vocabSize > vocabSize) {
    throw new ReckonError(
      'bad-tokenizer',
      `The tokenizer of ${source.name} has ${tokenizer.vocabSize} tokens; the model knows ${vocabSize}.`,
      { hint: 'Use the tokenizer.json that came with these weights.', details: { vocabSize } },
    );
  }
  const defaults = await readGenerationDefaults(text, checkpoint, tokenizer, read);
  return { config: model, tokenizer, chat, defaults, weights };
}

function assemble(
  source: CheckpointSource,
  gpu: Gpu,
  decoder: Decoder,
  { config, tokenizer, chat, defaults }: Configuration,
  settings: ResolvedLoadOptions,
  weights: Weights,
  calibration: DeviceCalibration | undefined,
): LoadedModel {
  const dialect = detectDialect(chat, tokenizer, settings.thinkingMarkers);
  const precision = { weights: precisionOf(weights), kv: settings.precision.kv };
  const engine = new GpuEngine({
    gpu,
    decoder,
    codec: textCodec(tokenizer, dialect),
    stopTokens: defaults.stopTokens,
    identity: {
      model: source.name,
      revision: source.revision ?? '',
      weights: [settings.precision.weights, settings.quantize ?? []].flat().join(', '),
      kv: precision.kv,
      summary: decoder.summary ?? 'none',
    },
  });
  const watch = calibration ? new StepWatch(engine, calibration) : null;
  const { temperature, topK, topP, minP, repetitionPenalty } = defaults;
  const name = shortName(source.name);
  const shape = shapeOf(config, name);
  const reasoner: Reasoner = {
    engine,
    dialect,
    sampling: { temperature, topK, topP, minP, repetitionPenalty },
    accounted: { shape, precision, ...(calibration ? { intensity: calibration.intensity } : {}) },
    ...(watch ? { times: () => watch.times } : {}),
    prompt: (messages, enableThinking) => promptOf(messages, chat, tokenizer, dialect, enableThinking),
  };
  const info: Omit<ModelInfo, 'capacity'> = {
    name,
    architecture: config.architecture,
    parameters: parameterCount(config),
    weightBytes: weights.bytes,
    precision,
    vocabulary: config.vocabSize,
    layers: config.layers,
    maxContext: engine.capacity.maxContext,
    shape,
    device: gpu.profile,
    ...(calibration ? { calibration } : {}),
  };
  const run = (request: ReasonRequest): ReasonRun => reason(reasoner, request);
  return {
    get info() {
      return { ...info, capacity: engine.capacity };
    },
    engine,
    chat: { completions: chatCompletions(info.name, run) },
    reason: run,
    dispose: () => engine.dispose(),
  };
}

/** A conversation as the model reads it; a lone question goes to a model without chat template as it is. */
export function promptOf(
  messages: readonly ChatMessage[],
  chat: ChatTemplate,
  tokenizer: Tokenizer,
  dialect: ThinkingDialect,
  enableThinking: boolean | undefined,
): Prompt {
  const [first] = messages;
  if (!chat.template && messages.length === 1 && first?.role === 'user') {
    return { tokens: tokenizer.encode(first.content, { addSpecialTokens: true }), opensThinking: false };
  }
  const text = renderChat(chat, messages, enableThinking === undefined ? {} : { enableThinking });
  return { tokens: tokenizer.encode(text), opensThinking: dialect.thinks && promptOpensThinking(text, dialect) };
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
