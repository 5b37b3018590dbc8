/**
 * Every architecture, in floats and codes: probabilities and scores against float64, the same bits whatever the batch. (Formats,
 * and what mixes encodings: formats.test.ts. Floats of 32 bits: goldens.test.ts.)
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MatrixEncoding, ModelConfig, QuantizedEncoding } from '../../src/checkpoint/index.ts';
import { GpuEngine } from '../../src/engine/engine.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import type { MatmulTuning } from '../../src/kernels/matmul.ts';
import { Decoder } from '../../src/model/decoder.ts';
import { precisionOf, uploadWeights, type WeightOptions } from '../../src/model/weights.ts';
import { codec, randomTokens, readAll, TINY } from '../engine/rig.ts';
import { SLICED } from '../kernels/cases/matmul.ts';
import { ReferenceDecoder } from '../reference/decoder.ts';
import { relativeError } from '../reference/load.ts';
import { testGpu } from '../support/gpu.ts';
import { floatChunks, makeWeights } from './made-weights.ts';

/** Sizes that make many kernels of one shape: they are compiled once. */
const SIZES: ModelConfig = {
  ...TINY,
  architecture: 'LlamaForCausalLM',
  hiddenSize: 64,
  intermediateSize: 64,
  headDim: 32,
  rotaryDim: 32,
  qkNorm: false,
  maxContext: 256,
};

const ARCHITECTURES: Record<string, ModelConfig> = {
  'Llama, llama3 scaling': {
    ...SIZES,
    ropeScaling: { type: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxContext: 32 },
  },
  'Qwen2, biases and YaRN': {
    ...SIZES,
    architecture: 'Qwen2ForCausalLM',
    qkvBias: true,
    ropeScaling: {
      type: 'yarn',
      factor: 4,
      originalMaxContext: 64,
      betaFast: 8,
      betaSlow: 1,
      truncate: true,
      attentionFactor: 1.139,
    },
  },
  'Qwen3-MoE, its first layer dense': {
    ...SIZES,
    architecture: 'Qwen3MoeForCausalLM',
    qkNorm: true,
    layers: 3,
    moe: { experts: 7, expertsPerToken: 3, intermediateSize: 32, normTopkProb: true, denseLayers: [0] },
  },
  'Phi-3, heads rotated in part, LongRoPE': {
    ...SIZES,
    architecture: 'Phi3ForCausalLM',
    rotaryDim: 24,
    tiedEmbeddings: false,
    ropeScaling: {
      type: 'longrope',
      shortFactors: new Array<number>(12).fill(1),
      longFactors: Array.from({ length: 12 }, (_, i) => 1 + i / 3),
      originalMaxContext: 64,
      attentionFactor: 1.19,
    },
  },
};

const FLOAT: MatrixEncoding = { kind: 'float', dtype: 'F16' };
const FOUR: QuantizedEncoding = { kind: 'quantized', bits: 4, group: 32, affine: false, zero: 7, scale: 'f16' };
const EIGHT: QuantizedEncoding = { ...FOUR, bits: 8, zero: 128 };
const ENCODINGS: Record<string, { encodingOf: (name: string) => MatrixEncoding; options: WeightOptions }> = {
  f16: { encodingOf: () => FLOAT, options: { precision: 'f16' } },
  '4 bits': { encodingOf: () => FOUR, options: { precision: 'f16' } },
  '8 bits': { encodingOf: () => EIGHT, options: { precision: 'f16' } },
};

/** Few tiles: a software driver takes longest to compile. */
const AS_ON_CPU: MatmulTuning = {
  ...SLICED,
  rowTiles: [4],
  columns: 4,
  maxSlices: 1,
  tiledFrom: Number.POSITIVE_INFINITY,
};
/** With all that GPUs get: slices of K, and prompts through the tiled variant. */
const AS_ON_GPU: MatmulTuning = { ...SLICED, rowTiles: [4], tiledFrom: 16 };

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

/** An engine on weights in that encoding; `load`: the same, but as floats, or loaded otherwise. */
async function open(config: ModelConfig, encoding: string, load: Partial<WeightOptions> & { floats?: boolean } = {}) {
  const { encodingOf, options: usual } = ENCODINGS[encoding]!;
  const made = makeWeights(config, encoding.length, encodingOf);
  const { floats = false, ...own } = load;
  const options = { ...usual, ...(floats ? {} : { encodings: made.encodings }), ...own };
  const weights = await uploadWeights(gpu, config, options, floats ? floatChunks(made.reference) : made.chunks());
  const precisions = { weights: options.precision, kv: 'f32' } as const;
  const decoder = await Decoder.create(gpu, config, weights, precisions, {
    maxLanes: 4,
    maxContext: config.maxContext,
    kvBytes: 1 << 20,
    prefillRows: 24,
    matmulTuning: encoding === '4 bits' ? AS_ON_GPU : AS_ON_CPU,
    maxBiases: 16,
  });
  const engine = new GpuEngine({
    gpu,
    decoder,
    codec,
    stopTokens: [],
    identity: { model: encoding, revision: '', weights: options.precision, kv: 'f32' },
  });
  return { engine, weights, reference: () => new ReferenceDecoder(config, made.reference) };
}

const softmax = (logits: Float64Array) => {
  const top = Math.max(...logits);
  const parts = logits.map((x) => Math.exp(x - top));
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((w) => w / sum);
};

describe.each(Object.keys(ARCHITECTURES))('%s', (name) => {
  const config = ARCHITECTURES[name]!;

  const encodings = name.startsWith('Llama') || name.includes('MoE') ? Object.keys(ENCODINGS) : ['f16', '4 bits'];

  it.each(encodings)('computes what float64 does, weights %s', async (encoding) => {
    const { engine, reference } = await open(config, encoding);
    const session = reference().session();
    const prompt = randomTokens(70, 3);
    let logits: Float64Array = new Float64Array(0);
    for (const token of prompt) logits = session.push(token);
    const lane = engine.open();
    await lane.append(prompt);
    const all = Array.from({ length: config.vocabSize }, (_, token) => token);
    expect(relativeError(await lane.choose(all), softmax(logits))).toBeLessThan(1e-4);
    const continuation = randomTokens(5, 4);
    const scores = await lane.score(continuation);
    for (const [i, token] of continuation.entries()) {
      expect(scores[i]).toBeCloseTo(Math.log(softmax(logits)[token]!), 4);
      logits = session.push(token);
    }

    // Alone, and among others that are fed and decode beside it.
    const run = async (seed: number, text: readonly number[]) => {
      const own = engine.open();
      await own.append(text);
      const { tokens, logprobs } = await readAll(own.generate({ seed, maxTokens: 6 }));
      own.dispose();
      return { tokens, logprobs };
    };
    const alone = await run(1, prompt.slice(0, 9));
    const [first] = await Promise.all([
      run(1, prompt.slice(0, 9)),
      ...[2, 3, 4].map((seed) => run(seed, randomTokens(10 * seed, seed))),
    ]);
    expect(first).toEqual(alone);
    lane.dispose();
  });
});

describe('weights', () => {
  const scores = async ({ engine }: Awaited<ReturnType<typeof open>>, vocabSize: number) => {
    const lane = engine.open();
    await lane.append(randomTokens(30, 5, vocabSize));
    const result = await lane.score(randomTokens(8, 6, vocabSize));
    lane.dispose();
    return result;
  };
  const llama = ARCHITECTURES['Llama, llama3 scaling']!;

  it.each(['4 bits', '8 bits'])('quantised while they are loaded are those that come so: %s', async (encoding) => {
    const quantize = encoding === '4 bits' ? '4bit' : '8bit';
    const loaded = await open(llama, encoding, { floats: true, quantize });
    const codes = await open(llama, encoding);
    expect(loaded.weights.bytes).toBe(codes.weights.bytes);
    expect(precisionOf(loaded.weights)).toBe(encoding === '4 bits' ? 'int4' : 'int8');
    expect(await scores(loaded, llama.vocabSize)).toEqual(await scores(codes, llama.vocabSize));
  });

  it('in parts, as for a GPU that binds little, give the same bits: embedding, head, projections, experts', async () => {
    const config = {
      ...ARCHITECTURES['Qwen3-MoE, its first layer dense']!,
      vocabSize: 300,
      layers: 2,
      intermediateSize: 96,
    };
    const parted = await open(config, '8 bits', { maxPartBytes: 9000 });
    const { embedding, layers } = parted.weights;
    expect(embedding.parts.length).toBe(3);
    expect(layers[0]!.feedForward.gateUp.parts.length).toBe(2);
    expect(layers[1]!.feedForward.gateUp.parts.length).toBe(4);
    const whole = await open(config, '8 bits');
    expect(whole.weights.embedding.parts.length).toBe(1);
    expect(await scores(parted, 300)).toEqual(await scores(whole, 300));
    const token = randomTokens(1, 7, 300);
    const logits = parted.reference().logits(token)[0]!;
    const lane = parted.engine.open();
    await lane.append(token);
    const all = Array.from({ length: 300 }, (_, id) => id);
    const draws = parted.engine.maxDraws;
    const chosen = [...(await lane.choose(all.slice(0, draws))), ...(await lane.choose(all.slice(draws)))];
    expect(relativeError(chosen, softmax(logits))).toBeLessThan(1e-4);
  });
});
