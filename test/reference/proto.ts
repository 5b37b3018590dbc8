/** Reference engines over the embedded `proto` checkpoint, and over random tiny weights with its vocabulary. */
import { readFileSync } from 'node:fs';
import type { ThinkingDialect } from '../../src/strategies/types.ts';
import { type Codec, wordLevelCodec } from './codec.ts';
import { type ReferenceConfig, ReferenceDecoder, type ReferenceWeights, referenceShapes } from './decoder.ts';
import { ReferenceEngine, type ReferenceEngineOptions } from './engine.ts';

const folder = new URL('../../models/proto/', import.meta.url);
const text = (name: string) => readFileSync(new URL(name, folder), 'utf8');

function halfToNumber(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** All tensors of an F16 safetensors file, by the format's definition. */
function readWeights(): ReferenceWeights {
  const file = readFileSync(new URL('model.safetensors', folder));
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerLength)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const weights: ReferenceWeights = new Map();
  for (const [name, { dtype, shape, data_offsets: [start, end] = [0, 0] }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    if (dtype !== 'F16') throw new Error(`${name} is ${dtype}`);
    const data = new Float64Array((end - start) / 2);
    for (let i = 0; i < data.length; i++) data[i] = halfToNumber(file.readUInt16LE(8 + headerLength + start + 2 * i));
    weights.set(name, { shape, data });
  }
  return weights;
}

export const protoDialect: ThinkingDialect = {
  thinks: true,
  opened: true,
  open: '<think>',
  marker: '</think>',
  close: '\n</think>\n',
};

export const protoCodec: Codec = wordLevelCodec(text('tokenizer.json'));

const PROTO_CONFIG: ReferenceConfig = (() => {
  const json = JSON.parse(text('config.json')) as Record<string, number>;
  return {
    layers: json.num_hidden_layers!,
    hiddenSize: json.hidden_size!,
    intermediateSize: json.intermediate_size!,
    heads: json.num_attention_heads!,
    kvHeads: json.num_key_value_heads!,
    headDim: json.head_dim!,
    vocabSize: json.vocab_size!,
    normEps: json.rms_norm_eps!,
    ropeTheta: json.rope_theta!,
    qkNorm: true,
    tiedEmbeddings: true,
  };
})();

export const STOP_TOKENS = [2, 0];

/** A question as a prompt, in the checkpoint's chat format. */
export function protoPrompt(question: string): number[] {
  return protoCodec.encode(`<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n<think>\n`);
}

let proto: ReferenceDecoder | undefined;

/** The checkpoint itself, in float64. */
export function protoDecoder(): ReferenceDecoder {
  proto ??= new ReferenceDecoder(PROTO_CONFIG, readWeights());
  return proto;
}

export function protoEngine(options: Partial<ReferenceEngineOptions> = {}): ReferenceEngine {
  return new ReferenceEngine({
    decoder: protoDecoder(),
    codec: protoCodec,
    stopTokens: STOP_TOKENS,
    maxContext: 1024,
    ...options,
  });
}

/** One tiny layer of random weights: says anything, but says it at once. */
export function tinyEngine(seed: number, options: Partial<ReferenceEngineOptions> = {}): ReferenceEngine {
  const config: ReferenceConfig = {
    ...PROTO_CONFIG,
    layers: 1,
    hiddenSize: 8,
    intermediateSize: 8,
    heads: 1,
    kvHeads: 1,
    headDim: 8,
  };
  let state = seed >>> 0;
  const draw = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  const weights: ReferenceWeights = new Map();
  for (const [name, shape] of referenceShapes(config)) {
    const size = shape.reduce((product, n) => product * n, 1);
    weights.set(name, { shape, data: Float64Array.from({ length: size }, () => (shape.length === 1 ? 1 : draw())) });
  }
  return new ReferenceEngine({
    decoder: new ReferenceDecoder(config, weights),
    codec: protoCodec,
    stopTokens: STOP_TOKENS,
    maxContext: 256,
    ...options,
  });
}
