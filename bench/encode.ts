/**
 * What recording a decode step costs the host, with the GPU idle: on a software driver the kernels of earlier steps would
 * compete for the same cores. And how much of it is Reckon's own bookkeeping, the ledger included: the same without WebGPU.
 */
import { type CheckpointSource, readModelConfig, streamTensors } from '../src/checkpoint/index.ts';
import { openGpu } from '../src/gpu/index.ts';
import type { Precision } from '../src/kernels/precision.ts';
import { SparseWork } from '../src/kernels/row-lists.ts';
import { StepRecorder } from '../src/kernels/step.ts';
import { Decoder } from '../src/model/decoder.ts';
import { uploadWeights } from '../src/model/weights.ts';
import { openNodeGpu } from '../src/node/gpu.ts';
import { MODEL_HELP, MODEL_OPTIONS, modelOptions, sourceOf } from './model.ts';
import type { Bench } from './options.ts';
import { median } from './statistics.ts';

export const encode: Bench = {
  summary: 'what recording a step costs the host, the GPU idle',
  help: MODEL_HELP,
  options: MODEL_OPTIONS,
  async run(options) {
    const { driver, precision, ...model } = modelOptions(options);
    const { gpu } = await openNodeGpu({ driver });
    const data = await encodeBench(sourceOf(model), gpu, precision);
    const { layers, dispatches, encodeMs, ownMs, device } = data;
    return {
      data,
      text: `${layers} layers, ${dispatches} dispatches: recorded in ${encodeMs.toFixed(3)} ms, of which ${ownMs.toFixed(3)} ms are Reckon's own (costs included). ${device}`,
    };
  },
};

interface EncodeReport {
  device: string;
  layers: number;
  dispatches: number;
  /** Recording and finishing the command buffer. */
  encodeMs: number;
  /** Of it, what is not WebGPU. */
  ownMs: number;
}

const RUNS = 300;
const LANES = 8;

/** Medians over 300 recorded, never submitted steps of eight lanes at 64 tokens, with a GPU's kernels. */
async function encodeBench(source: CheckpointSource, api: GPU, precision: Precision): Promise<EncodeReport> {
  const gpu = await openGpu({ gpu: api, tuning: 'gpu' });
  const precisions = { weights: precision, kv: precision };
  const { model: config } = await readModelConfig(source);
  const weights = await uploadWeights(gpu, config, { precision }, streamTensors(source, config));
  const sizes = { maxLanes: LANES, maxContext: 128, kvBytes: 64 * 2 ** 20 };
  const decoder = await Decoder.create(gpu, config, weights, precisions, sizes);
  const step = new StepRecorder(gpu);
  const shape = {
    rows: LANES,
    decodeRows: LANES,
    decodeItems: LANES,
    decodeTokens: LANES * 64,
    soloItems: LANES,
    sharedTiles: 0,
    sharedItems: 0,
    sharedRows: 0,
    sparse: new SparseWork(),
    filledPages: 0,
    prefillTiles: 0,
    prefillPairs: 0,
    prefillTokens: 0,
    logitRows: LANES,
    samples: 0,
  };
  const samples = new Uint32Array(4);
  const timed = async (record: () => void): Promise<number> => {
    const times: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      const started = performance.now();
      record();
      times.push(performance.now() - started);
      // Dawn frees what is not submitted in between.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return median(times);
  };
  const encodeMs = await timed(() => {
    step.begin('bench');
    decoder.record(step, shape, samples);
    step.recorder.finish();
  });
  const { dispatches } = step.recorder;
  const own = new StepRecorder(gpu);
  own.recorder.dispatch = () => {};
  const ownMs = await timed(() => decoder.record(own, shape, samples));
  gpu.close();
  return { device: gpu.profile.name, layers: config.layers, dispatches, encodeMs, ownMs };
}
