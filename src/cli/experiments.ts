/** Experiments from the command line: a GPU, a model, a store, and a line that tells how far it is. */
import { loadModel } from '../api/load-model.ts';
import { sourceOf as checkpointOf } from '../api/source.ts';
import type { Model } from '../api/types.ts';
import { readModelConfig } from '../checkpoint/index.ts';
import { calibrate } from '../cost/calibrate.ts';
import { type ModelShape, shapeOf } from '../cost/shapes.ts';
import { isReckonError, ReckonError } from '../errors.ts';
import { openGpu } from '../gpu/index.ts';
import {
  type Experiment,
  type LabProgress,
  type ResultStore,
  type RunOptions,
  runExperiment,
  type StoredResults,
} from '../lab/index.ts';
import { type NodeGpu, openNodeGpu } from '../node/gpu.ts';
import { keptModelPath } from '../node/models.ts';
import { type Options, precisionOptions } from './options.ts';
import { formatBytes, formatCount, formatSeconds, Progress } from './terminal.ts';

/** Seconds between lines where nobody looks at a terminal. */
const LINE_SECONDS = 15;

/** Options of every command that runs experiments. */
export const MACHINE_OPTIONS = {
  precision: { type: 'string' },
  weights: { type: 'string' },
  kv: { type: 'string' },
  'max-lanes': { type: 'string' },
  driver: { type: 'string' },
} as const;

export const MACHINE_HELP = `  --precision P        f16 | f32 for weights and KV
  --weights W          4bit | 8bit: quantised while they are loaded
  --kv P               f16 | f32 | int8 for the KV alone
  --max-lanes N        most lanes in one step (default 64)
  --driver D           auto | system | software
`;

export interface Session {
  readonly results: StoredResults;
  /** What computed. */
  readonly device: { readonly name: string; readonly driver: string; readonly software: boolean };
  /** Of the run, without loading; runs that were done already take none. */
  readonly seconds: number;
  /** Runs that an earlier session had done. */
  readonly resumed: number;
}

export interface SessionOptions {
  readonly options: Options;
  readonly source: string;
  readonly store: ResultStore;
  /** Whether the device is measured, for accounts in its own eFLOPs. */
  readonly calibrated: boolean;
}

/** Opens a GPU and loads the model that `source` names. Whoever asked disposes of it. */
export async function loadHere(source: string, options: Options, prepare?: (gpu: NodeGpu) => Promise<void>) {
  const precision = precisionOptions(options);
  const maxLanes = options.number('max-lanes', { min: 1, max: 256, integer: true });
  const driver = options.oneOf('driver', ['auto', 'system', 'software']);
  const progress = new Progress(process.stderr);
  const gpu = await openNodeGpu({ driver: driver ?? 'auto' });
  progress.line(`GPU: ${gpu.driver}${gpu.software ? ' — the CPU computes: right, but slow' : ''}`);
  await prepare?.(gpu);
  const model = await loadModel(await keptModelPath(source), {
    gpu: gpu.gpu,
    ...precision,
    ...(maxLanes === undefined ? {} : { maxLanes }),
    onProgress: ({ phase, loaded, total }) =>
      progress.update(`loading: ${phase}${total > 0 ? ` ${formatBytes(loaded)} of ${formatBytes(total)}` : ''}`),
  });
  progress.line(`Model: ${model.info.name}, ${formatCount(model.info.parameters)}parameters`);
  const device = { name: model.info.device.name, driver: gpu.driver, software: gpu.software };
  return { model, device, progress };
}

/** Loads the model that `source` names, and runs what `plan` makes of it. */
export async function runHere(
  plan: (model: Model) => Experiment,
  { options, source, store, calibrated }: SessionOptions,
): Promise<Session> {
  const stored = await store.load();
  let intensity = stored?.header.setting.intensity ?? undefined;
  const { model, device, progress } = await loadHere(source, options, async (gpu) => {
    if (calibrated) intensity ??= await measureIntensity(gpu);
  });
  try {
    const shape = await readShape(await keptModelPath(source));
    const settings = { store, shape, ...(intensity === undefined ? {} : { intensity }) };
    return { device, ...(await follow(plan(model), model, settings, progress)) };
  } finally {
    model.dispose();
  }
}

/** The model's sizes. */
async function readShape(source: string): Promise<ModelShape> {
  const { model } = await readModelConfig(await checkpointOf(source));
  return shapeOf(
    model,
    source
      .replace(/[/\\]+$/, '')
      .split(/[/\\]/)
      .at(-1),
  );
}

async function measureIntensity({ gpu: api }: NodeGpu): Promise<number> {
  const gpu = await openGpu({ gpu: api });
  try {
    return (await calibrate(gpu)).intensity;
  } finally {
    gpu.close();
  }
}

/** Runs to the end, telling how far it is; an interrupt keeps what is done. */
async function follow(
  experiment: Experiment,
  model: Model,
  settings: Pick<RunOptions, 'intensity' | 'shape' | 'store'>,
  progress: Progress,
): Promise<Omit<Session, 'device'>> {
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  let last: LabProgress | undefined;
  let told = Number.NEGATIVE_INFINITY;
  try {
    const results = await runExperiment(experiment, model, {
      ...settings,
      signal: interrupt.signal,
      onProgress: (report) => {
        if (!last && report.resumed > 0)
          progress.line(`${report.resumed} of ${report.unitsTotal} runs are done already.`);
        last = report;
        if (process.stderr.isTTY) progress.update(progressLine(report));
        else if (report.seconds - told >= LINE_SECONDS) {
          told = report.seconds;
          progress.line(progressLine(report));
        }
      },
    });
    progress.clear();
    return { results, seconds: last?.seconds ?? 0, resumed: last?.resumed ?? 0 };
  } catch (error) {
    progress.clear();
    if (!isReckonError(error, 'aborted') || !last) throw error;
    throw new ReckonError('aborted', `Stopped with ${last.unitsDone} of ${last.unitsTotal} runs done.`, {
      hint: 'The same command goes on from there.',
      cause: error,
    });
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

function progressLine(report: LabProgress): string {
  const { unitsDone, unitsTotal, samplesDone, samplesRight, tokens, seconds, secondsLeft } = report;
  const left = secondsLeft === null ? '' : `, ${formatSeconds(secondsLeft)} left`;
  const right = samplesDone > 0 ? `, ${Math.round((100 * samplesRight) / samplesDone)} % of chains right` : '';
  const speed = seconds > 0 ? `, ${Math.round(tokens / seconds)} tokens/s` : '';
  return `${unitsDone} of ${unitsTotal} runs${left}${right}${speed}`;
}
