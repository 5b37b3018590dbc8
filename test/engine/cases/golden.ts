/** The embedded checkpoint against an independent PyTorch run, on any GPU: a test in Node and a page both call this. */
import { type CheckpointSource, parseModelConfig, streamTensors } from '../../../src/checkpoint/index.ts';
import { GpuEngine } from '../../../src/engine/engine.ts';
import type { Lane } from '../../../src/engine/types.ts';
import { isReckonError } from '../../../src/errors.ts';
import { type Gpu, ReadbackRing, Recorder } from '../../../src/gpu/index.ts';
import type { Precisions } from '../../../src/kernels/precision.ts';
import { Decoder } from '../../../src/model/decoder.ts';
import { uploadWeights } from '../../../src/model/weights.ts';

/** A case of golden.json. */
export interface GoldenCase {
  promptIds: number[];
  lastLogits: number[];
  logitsAtPosition10: number[];
  greedyIds: number[];
}

export interface GoldenReport {
  device: string;
  f16: boolean;
  /** ‖a − b‖ / ‖b‖ of the logits, two for each case. */
  errors: number[];
  /** How many tokens of each greedy continuation agree before the first that does not, of how many. */
  agreeing: [number, number][];
}

interface Loaded {
  decoder: Decoder;
  engine: GpuEngine;
}

async function load(
  gpu: Gpu,
  source: CheckpointSource,
  precisions: Precisions,
  serial: { serialAttention?: boolean } = {},
): Promise<Loaded> {
  const config = parseModelConfig(await source.text('config.json'));
  const weights = await uploadWeights(gpu, config, { precision: precisions.weights }, streamTensors(source, config));
  const sizes = { maxLanes: 8, maxContext: 512, kvBytes: 32 * 2 ** 20, ...serial };
  const decoder = await Decoder.create(gpu, config, weights, precisions, sizes);
  const codec = { encode: () => [], decode: () => '', sink: () => silent };
  return { decoder, engine: new GpuEngine({ gpu, decoder, codec, stopTokens: [0, 2], identity: {} }) };
}

/** Loads the model on `gpu` (which is closed at the end) and runs the cases: logits alone, continuations as one batch. */
export async function runGolden(
  gpu: Gpu,
  source: CheckpointSource,
  precisions: Precisions,
  cases: readonly GoldenCase[],
  options: { longest?: number; serialAttention?: boolean } = {},
): Promise<GoldenReport> {
  const { longest = Number.POSITIVE_INFINITY, ...serial } = options;
  const { decoder, engine } = await load(gpu, source, precisions, serial);
  try {
    const errors: number[] = [];
    for (const { promptIds, lastLogits, logitsAtPosition10 } of cases) {
      for (const [prompt, golden] of [
        [promptIds, lastLogits],
        [promptIds.slice(0, 11), logitsAtPosition10],
      ] as const) {
        const lane = engine.open();
        await lane.append(prompt);
        await greedy(lane, 1);
        errors.push(relativeError(await firstLogits(gpu, decoder), golden));
        lane.dispose();
      }
    }
    const agreeing = await Promise.all(
      cases.map(async ({ promptIds, greedyIds }): Promise<[number, number]> => {
        const lane = engine.open();
        await lane.append(promptIds);
        const count = Math.min(longest, greedyIds.length);
        const ids = await greedy(lane, count);
        lane.dispose();
        const differs = ids.findIndex((token, i) => token !== greedyIds[i]);
        return [differs < 0 ? ids.length : differs, count];
      }),
    );
    return { device: gpu.profile.name, f16: gpu.profile.features.f16, errors, agreeing };
  } finally {
    engine.dispose();
  }
}

/**
 * Greedy continuations of all cases, in which the GPU is harmed after `steps` steps: lost, or given commands it refuses.
 * @returns the code of the error each lane ended with, and the tokens it holds.
 */
export async function runHarmed(
  gpu: Gpu,
  source: CheckpointSource,
  precisions: Precisions,
  cases: readonly GoldenCase[],
  harm: 'lose' | 'refuse',
  steps: number,
): Promise<{ code: string; tokens: number[] }[]> {
  const { decoder, engine } = await load(gpu, source, precisions);
  let left = steps;
  engine.onStep(({ decodeRows }) => {
    if (decodeRows === 0 || --left !== 0) return;
    if (harm === 'lose') gpu.device.destroy();
    else decoder.step.rows.destroy();
  });
  try {
    return await Promise.all(
      cases.map(async ({ promptIds }) => {
        const lane = engine.open();
        let code = 'none';
        try {
          await lane.append(promptIds);
          await greedy(lane, 400);
        } catch (error) {
          code = isReckonError(error) ? error.code : `not typed: ${error}`;
        }
        return { code, tokens: Array.from(lane.tokens).slice(promptIds.length) };
      }),
    );
  } finally {
    engine.dispose();
  }
}

async function greedy(lane: Lane, maxTokens: number): Promise<number[]> {
  const ids: number[] = [];
  for await (const { token } of lane.generate({ temperature: 0, maxTokens })) ids.push(token);
  return ids;
}

const silent = { push: () => ({ text: '', stopped: false }), flush: () => '' };

/** The logits of the only row of the last step that wanted any. */
async function firstLogits(gpu: Gpu, decoder: Decoder): Promise<Float32Array> {
  const bytes = decoder.config.vocabSize * 4;
  const ring = new ReadbackRing(gpu, 'logits', 1, bytes);
  const recorder = new Recorder(gpu);
  recorder.begin('logits');
  const slot = ring.claim();
  slot.copy(recorder, decoder.logits, 0, bytes);
  gpu.device.queue.submit([recorder.finish()]);
  return new Float32Array(await slot.read());
}

function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    norm += b[i]! ** 2;
  }
  return Math.sqrt(difference / norm);
}
