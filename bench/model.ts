/** The model a benchmark runs: a named shape with random weights, or a checkpoint's folder. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type LoadedModel, loadFrom } from '../src/api/load-model.ts';
import { type CheckpointSource, MODEL_SHAPES, modelShape, syntheticSource } from '../src/checkpoint/index.ts';
import { directorySource } from '../src/checkpoint/node.ts';
import type { Options } from '../src/cli/options.ts';
import type { GpuEngine } from '../src/engine/engine.ts';
import { ReckonError } from '../src/errors.ts';
import type { Precision } from '../src/kernels/precision.ts';
import { openNodeGpu } from '../src/node/gpu.ts';
import { driverOf } from './options.ts';

/** Options of every benchmark that runs a model. */
export const MODEL_OPTIONS = {
  model: { type: 'string' },
  layers: { type: 'string' },
  precision: { type: 'string' },
  weights: { type: 'string' },
  fast: { type: 'boolean' },
} as const;

export const MODEL_HELP = `  --model NAME      a shape (${Object.keys(MODEL_SHAPES).join(', ')}: random weights) or a checkpoint's folder (default proto)
  --layers N        fewer layers than the shape has
  --precision P     f16 | f32 for weights and KV (default f16)
  --weights W       8bit | 4bit: quantised while they are loaded (default: as --precision says)
  --fast            without the driver's bounds checks (Dawn only)
`;

/** What was said of the model. @throws ReckonError `bad-option` */
export function modelOptions(options: Options): Omit<BenchModelOptions, 'maxLanes' | 'maxContext'> {
  const layers = options.number('layers', { min: 1, integer: true });
  return {
    model: options.text('model') ?? 'proto',
    ...(layers === undefined ? {} : { layers }),
    precision: options.oneOf('precision', ['f16', 'f32']) ?? 'f16',
    quantize: options.oneOf('weights', ['8bit', '4bit'] as const) ?? null,
    driver: driverOf(options),
    unsafeFast: options.flag('fast'),
  };
}

export interface BenchModelOptions {
  model: string;
  layers?: number;
  precision: Precision;
  /** Of weights, while they are loaded. */
  quantize: '8bit' | '4bit' | null;
  driver: 'auto' | 'system' | 'software';
  unsafeFast: boolean;
  maxLanes: number;
  maxContext: number;
}

export interface BenchModel {
  model: LoadedModel;
  engine: GpuEngine;
  driver: string;
}

export async function openBenchModel(options: BenchModelOptions): Promise<BenchModel> {
  const { gpu, driver } = await openNodeGpu({ driver: options.driver, unsafeFast: options.unsafeFast });
  const model = await loadFrom(sourceOf(options), {
    gpu,
    timestamps: true,
    precision: { weights: options.precision, kv: options.precision },
    quantize: options.quantize,
    maxLanes: options.maxLanes,
    maxContext: options.maxContext,
  });
  return { model, engine: model.engine, driver };
}

/** Where the named model comes from. */
export function sourceOf({ model, layers }: Pick<BenchModelOptions, 'model' | 'layers'>): CheckpointSource {
  // "proto" is both: the trained checkpoint is the better one to measure, unless layers are to be left out.
  if (model === 'proto' && layers === undefined) return directorySource(resolve('models/proto'));
  if (Object.hasOwn(MODEL_SHAPES, model)) {
    return syntheticSource(modelShape(model, layers === undefined ? {} : { layers }), { seed: 1, dtype: 'F16' });
  }
  if (existsSync(model)) return directorySource(model);
  throw new ReckonError('bad-option', `--model ${model} is neither a known shape nor a folder.`, {
    hint: `Shapes: ${Object.keys(MODEL_SHAPES).join(', ')}.`,
  });
}
