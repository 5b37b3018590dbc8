/** The last logits of a prompt, computed by kernels of one tiling: a software driver takes longest to compile. */
import type { ModelConfig, WeightChunk } from '../../src/checkpoint/index.ts';
import { GpuEngine } from '../../src/engine/engine.ts';
import type { Gpu } from '../../src/gpu/index.ts';
import type { MatmulTuning } from '../../src/kernels/matmul.ts';
import { Decoder } from '../../src/model/decoder.ts';
import { uploadWeights, type WeightOptions } from '../../src/model/weights.ts';
import { codec, readAll } from '../engine/rig.ts';
import { downloadFloats } from '../kernels/cases/linear-support.ts';
import { SLICED } from '../kernels/cases/matmul.ts';

const TUNING: MatmulTuning = {
  ...SLICED,
  rowTiles: [8],
  columns: 4,
  maxSlices: 1,
  tiledFrom: Number.POSITIVE_INFINITY,
};
/** Longest lane. */
export const LONGEST = 64;

export async function lastLogits(
  gpu: Gpu,
  model: ModelConfig,
  options: WeightOptions,
  chunks: AsyncIterable<WeightChunk>,
  prompt: readonly number[],
): Promise<Float32Array> {
  const weights = await uploadWeights(gpu, model, options, chunks);
  const decoder = await Decoder.create(
    gpu,
    model,
    weights,
    { weights: options.precision, kv: 'f32' },
    {
      maxLanes: 2,
      maxContext: LONGEST,
      kvBytes: 1 << 20,
      prefillRows: 16,
      maxBiases: 16,
      matmulTuning: TUNING,
    },
  );
  const engine = new GpuEngine({ gpu, decoder, codec, stopTokens: [], identity: {} });
  const lane = engine.open();
  await lane.append(prompt);
  await readAll(lane.generate({ temperature: 0, maxTokens: 1 }));
  const logits = await downloadFloats(gpu, decoder.logits, model.vocabSize);
  lane.dispose();
  return logits;
}
