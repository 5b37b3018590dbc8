/** Model shapes by name, for synthetic checkpoints. Those of Qwen3 are from the models' published `config.json`. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { ModelConfig } from './config.ts';

const QWEN3 = {
  architecture: 'Qwen3ForCausalLM',
  normEps: 1e-6,
  qkNorm: true,
  qkvBias: false,
  tiedEmbeddings: true,
  ropeScaling: null,
  moe: null,
  slidingWindow: null,
  activation: 'silu',
} as const;

/** Qwen3-0.6B, https://huggingface.co/Qwen/Qwen3-0.6B/blob/main/config.json */
const QWEN3_06B: ModelConfig = {
  ...QWEN3,
  layers: 28,
  hiddenSize: 1024,
  intermediateSize: 3072,
  heads: 16,
  kvHeads: 8,
  headDim: 128,
  rotaryDim: 128,
  vocabSize: 151936,
  ropeTheta: 1e6,
  maxContext: 40960,
};

export type ShapeName = 'tiny' | 'proto' | 'qwen3-0.6b' | 'qwen3-1.7b';

export const MODEL_SHAPES: Readonly<Record<ShapeName, ModelConfig>> = {
  /** For tests: small, with grouped queries and a byte-level vocabulary. */
  tiny: {
    ...QWEN3,
    layers: 2,
    hiddenSize: 64,
    intermediateSize: 160,
    heads: 4,
    kvHeads: 2,
    headDim: 32,
    rotaryDim: 32,
    vocabSize: 288,
    ropeTheta: 1e4,
    maxContext: 512,
  },
  /** The embedded model. */
  proto: {
    ...QWEN3,
    layers: 4,
    hiddenSize: 128,
    intermediateSize: 384,
    heads: 2,
    kvHeads: 1,
    headDim: 64,
    rotaryDim: 64,
    vocabSize: 80,
    ropeTheta: 1e4,
    maxContext: 1024,
  },
  'qwen3-0.6b': QWEN3_06B,
  'qwen3-1.7b': { ...QWEN3_06B, hiddenSize: 2048, intermediateSize: 6144 },
};

/**
 * A named shape, optionally with another number of layers.
 * @throws ReckonError `bad-option` listing the names there are.
 */
export function modelShape(name: string, overrides: { layers?: number } = {}): ModelConfig {
  if (!Object.hasOwn(MODEL_SHAPES, name)) {
    throw new ReckonError('bad-option', `There is no model shape ${JSON.stringify(name)}.`, {
      hint: `Shapes: ${Object.keys(MODEL_SHAPES).join(', ')}.`,
      details: { name },
    });
  }
  const shape: ModelConfig = MODEL_SHAPES[name as ShapeName];
  if (overrides.layers === undefined) return shape;
  return { ...shape, layers: checkNumber('layers', overrides.layers, { min: 1, max: 1024, integer: true }) };
}
