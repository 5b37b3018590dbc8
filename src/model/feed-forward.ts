/** The second half of a layer, from the normed residual stream back into it: dense, or of experts that a router chooses. */
import type { ModelConfig } from '../checkpoint/index.ts';
import { ReckonError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';
import { ExpertMatmul, mostTiles } from '../kernels/experts.ts';
import { Matmul, type MatmulTuning } from '../kernels/matmul.ts';
import type { PackedMatrix } from '../kernels/matrix.ts';
import { Router } from '../kernels/router.ts';
import type { StepBuffers, StepLimits, StepRecorder, StepShape } from '../kernels/step.ts';
import type { FeedForwardWeights } from './weights.ts';

/** A kernel with its buffers. */
export interface Op {
  record(step: StepRecorder, shape: StepShape): void;
}

export interface Matmuls {
  /** How they are laid out; undefined: as suits the device. */
  readonly tuning: MatmulTuning | undefined;
  /** The matmul of a matrix of that shape and format; one for all that are alike. */
  of(
    matrix: PackedMatrix,
    epilogue: 'store' | 'add' | 'swiglu',
    options?: { bias?: boolean; rows?: 'rows' | 'logitRows' },
  ): Promise<Matmul>;
}

/** @see Matmuls */
export function matmulsFor(gpu: Gpu, tuning?: MatmulTuning): Matmuls {
  const made = new Map<string, Promise<Matmul>>();
  return {
    tuning,
    of({ inputs, outputs, format, parts }, epilogue, { bias = false, rows = 'rows' } = {}) {
      const ranges = parts.map((part) => ({ first: part.first, outputs: part.outputs }));
      const shape = { inputs, outputs, epilogue, bias, rows, format, parts: ranges, ...(tuning ? { tuning } : {}) };
      const key = JSON.stringify(shape);
      const known = made.get(key) ?? Matmul.create(gpu, shape);
      made.set(key, known);
      return known;
    },
  };
}

/** f32 buffers that all layers share. */
export interface FeedForwardScratch {
  /** [rows][intermediateSize], or of experts [items][their size] */
  mlp: GPUBuffer;
  experts: {
    logits: GPUBuffer;
    choices: GPUBuffer;
    places: GPUBuffer;
    tiles: GPUBuffer;
    sorted: GPUBuffer;
    results: GPUBuffer;
  } | null;
}

/** @param rows As many as buffers of a row each are made for: those of a step, and the padding of a tile. */
export function allocateFeedForward(
  gpu: Gpu,
  config: ModelConfig,
  limits: StepLimits,
  rows: number,
): FeedForwardScratch {
  const { moe, hiddenSize, intermediateSize } = config;
  const floats = (label: string, count: number) => gpu.buffer(label, count * 4);
  const dense = moe === null || moe.denseLayers.length > 0 ? rows * intermediateSize : 0;
  if (!moe) return { mlp: floats('mlp', dense), experts: null };
  const items = limits.maxRows * moe.expertsPerToken;
  const padded = items + 32;
  return {
    mlp: floats('mlp', Math.max(dense, padded * moe.intermediateSize)),
    experts: {
      logits: floats('router logits', rows * moe.experts),
      choices: floats('chosen experts', items * 2),
      places: floats('places of items', items),
      tiles: floats('tiles of experts', mostTiles(items, moe.experts, 1) * 4),
      sorted: floats('rows by expert', padded * hiddenSize),
      results: floats('results of experts', padded * hiddenSize),
    },
  };
}

export interface FeedForward {
  bind(gpu: Gpu, buffers: { h: GPUBuffer; x: GPUBuffer; scratch: FeedForwardScratch; step: StepBuffers }): Op[];
}

/** Compiles what a layer's weights need. @throws ReckonError `bad-option` */
export async function createFeedForward(
  gpu: Gpu,
  config: ModelConfig,
  weights: FeedForwardWeights,
  matmuls: Matmuls,
): Promise<FeedForward> {
  if (weights.kind === 'dense') {
    const [gateUp, down] = await Promise.all([matmuls.of(weights.gateUp, 'swiglu'), matmuls.of(weights.down, 'add')]);
    return {
      bind: (gpu, { h, x, scratch, step }) => [
        gateUp.bind(gpu, { x: h, weights: weights.gateUp, out: scratch.mlp, step }),
        down.bind(gpu, { x: scratch.mlp, weights: weights.down, out: x, step }),
      ],
    };
  }
  const { moe, hiddenSize } = config;
  if (!moe) throw new ReckonError('internal', 'There are experts that the config does not speak of.');
  const { experts, expertsPerToken: perToken, intermediateSize: size, normTopkProb: normalised } = moe;
  const { tuning } = matmuls;
  const own = tuning ? { tuning } : {};
  const each = ({ format, parts }: PackedMatrix) => ({ experts, perToken, format, parts, ...own });
  const [routing, router, gateUp, down] = await Promise.all([
    matmuls.of(weights.router, 'store'),
    Router.create(gpu, { hidden: hiddenSize, experts, perToken, normalised, ...own }),
    ExpertMatmul.create(gpu, {
      ...each(weights.gateUp),
      inputs: hiddenSize,
      outputs: 2 * size,
      epilogue: 'swiglu',
    }),
    ExpertMatmul.create(gpu, { ...each(weights.down), inputs: size, outputs: hiddenSize, epilogue: 'store' }),
  ]);
  return {
    bind(gpu, { h, x, scratch, step }) {
      if (!scratch.experts) throw new ReckonError('internal', 'There is no room for experts.');
      const { logits, choices, places, tiles, sorted, results } = scratch.experts;
      const { before, behind } = router.bind(gpu, { logits, choices, places, tiles, h, sorted, results, x, step });
      return [
        routing.bind(gpu, { x: h, weights: weights.router, out: logits, step }),
        before,
        gateUp.bind(gpu, { x: sorted, weights: weights.gateUp, out: scratch.mlp, tiles, step }),
        down.bind(gpu, { x: scratch.mlp, weights: weights.down, out: results, tiles, step }),
        behind,
      ];
    },
  };
}
