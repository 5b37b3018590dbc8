/** An engine of any shape and size on the test GPU, with what tests need to look inside: GPU, decoder, and the reference. */
import { type ModelConfig, streamTensors, syntheticSource } from '../../src/checkpoint/index.ts';
import { GpuEngine, type TextCodec } from '../../src/engine/engine.ts';
import type { FinishReason, GenerateOptions, Generation, Lane, TokenEvent } from '../../src/engine/types.ts';
import { Gpu, type OpenGpuOptions, openGpu } from '../../src/gpu/index.ts';
import type { Precisions } from '../../src/kernels/precision.ts';
import { Decoder, type DecoderSizes } from '../../src/model/decoder.ts';
import { uploadWeights } from '../../src/model/weights.ts';
import { StopMatcher } from '../../src/text/index.ts';
import type { ReferenceConfig, ReferenceDecoder } from '../reference/decoder.ts';
import { loadReference } from '../reference/load.ts';
import { testGpu } from '../support/gpu.ts';

export interface Rig {
  readonly gpu: Gpu;
  readonly decoder: Decoder;
  readonly engine: GpuEngine;
  /** The same weights in float64; `stored`: what the cache makes of a head, default nothing. */
  reference(stored?: ReferenceConfig['stored']): Promise<ReferenceDecoder>;
  dispose(): void;
}

export interface RigOptions extends Partial<DecoderSizes> {
  seed?: number;
  precisions?: Precisions;
  stopTokens?: readonly number[];
  open?: OpenGpuOptions;
  /** Most bytes in a binding, once weights are there: less than any real device has. Larger buffers are refused as it would. */
  bindingBytes?: number;
}

/** Small enough that a step takes milliseconds on a software driver, with everything a decoder has. */
export const TINY: ModelConfig = {
  architecture: 'Qwen3ForCausalLM',
  layers: 2,
  hiddenSize: 32,
  intermediateSize: 48,
  heads: 2,
  kvHeads: 1,
  headDim: 16,
  rotaryDim: 16,
  ropeScaling: null,
  moe: null,
  slidingWindow: null,
  vocabSize: 101,
  normEps: 1e-6,
  ropeTheta: 10000,
  qkNorm: true,
  qkvBias: false,
  tiedEmbeddings: true,
  maxContext: 512,
  activation: 'silu',
};

export const F32: Precisions = { weights: 'f32', kv: 'f32' };

/** One letter a token, from U+4E00 on: every token has text, and no text spans tokens. */
export const codec: TextCodec = {
  encode: (text) => Array.from(text, (letter) => letter.codePointAt(0)! - 0x4e00),
  decode: (tokens) => tokens.map((token) => String.fromCodePoint(0x4e00 + token)).join(''),
  sink: (stopStrings) => {
    const stops = stopStrings.length > 0 ? new StopMatcher(stopStrings) : null;
    return {
      push(token) {
        const text = String.fromCodePoint(0x4e00 + token);
        if (!stops) return { text, stopped: false };
        const { emit, stopped } = stops.push(text);
        return { text: emit, stopped: stopped !== null };
      },
      flush: () => stops?.flush() ?? '',
    };
  },
};

/** Random weights of `config`. Stop tokens: none unless given. */
export async function openRig(config: ModelConfig = TINY, options: RigOptions = {}): Promise<Rig> {
  const { seed = 1, precisions = F32, stopTokens = [], open = {}, bindingBytes, ...sizes } = options;
  const source = syntheticSource(config, { seed, dtype: 'F32' });
  const opened = await openGpu({ gpu: await testGpu(), ...open });
  const gpu = bindingBytes === undefined ? opened : withBinding(opened, bindingBytes);
  try {
    const weights = await uploadWeights(
      opened,
      config,
      { precision: precisions.weights },
      streamTensors(source, config),
    );
    const decoder = await Decoder.create(gpu, config, weights, precisions, {
      maxLanes: 8,
      maxContext: config.maxContext,
      kvBytes: 64 * 2 ** 20,
      ...sizes,
    });
    const identity = { model: `rig ${seed}`, ...precisions };
    const engine = new GpuEngine({ gpu, decoder, codec, stopTokens, identity });
    return {
      gpu,
      decoder,
      engine,
      reference: (stored) => loadReference(source, stored),
      dispose: () => engine.dispose(),
    };
  } catch (error) {
    gpu.close();
    throw error;
  }
}

/** The same device with a smaller limit. */
function withBinding({ device, profile }: Gpu, maxStorageBufferBindingSize: number): Gpu {
  return new Gpu(device, { ...profile, limits: { ...profile.limits, maxStorageBufferBindingSize } });
}

/** `count` tokens below `vocabulary` that look random; the same for the same seed. */
export function randomTokens(count: number, seed: number, vocabulary = TINY.vocabSize): number[] {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * vocabulary);
  });
}

export interface Run {
  tokens: number[];
  logprobs: number[];
  text: string;
  finish: FinishReason;
}

/** Reads a generation to its end. */
export async function readAll(generation: Generation): Promise<Run> {
  const iterator = generation[Symbol.asyncIterator]() as AsyncIterator<TokenEvent, FinishReason>;
  const run: Run = { tokens: [], logprobs: [], text: '', finish: 'abort' };
  while (true) {
    const { value, done } = await iterator.next();
    if (done) return { ...run, finish: value };
    run.tokens.push(value.token);
    run.logprobs.push(value.logprob);
    run.text += value.text;
  }
}

/** A fresh lane with `prompt` that generates to its end and is disposed. */
export async function runAlone(engine: GpuEngine, prompt: readonly number[], options: GenerateOptions): Promise<Run> {
  const lane = engine.open();
  try {
    await lane.append(prompt);
    return await readAll(lane.generate(options));
  } finally {
    lane.dispose();
  }
}

/** The code of the typed error that `work` ends with; 'none' where it succeeds. */
export async function errorCode(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'none';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** Disposes lanes. */
export function disposeAll(lanes: Iterable<Lane>): void {
  for (const lane of lanes) lane.dispose();
}
