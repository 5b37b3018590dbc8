/** `reckon lab`: an experiment from a file, its results into a folder. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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
  filesOf,
  type LabProgress,
  parseExperiment,
  type RunOptions,
  reportOf,
  runExperiment,
  type StoredResults,
} from '../lab/index.ts';
import { FileStore } from '../lab/node.ts';
import { type NodeGpu, openNodeGpu } from '../node/gpu.ts';
import { modelPath } from '../node/models.ts';
import { type Options, precisionOptions, readOptions } from './options.ts';
import { formatBytes, formatCount, Progress } from './terminal.ts';

const HELP = `usage: reckon lab run EXPERIMENT.json --out FOLDER [options]

Draws the chains of thought that the experiment asks for and writes results.json, results.csv and plots into the folder.
Stopped, the same command goes on where it was.

  --out FOLDER         where the results go; made where it is missing
  --model PATH         embedded model, folder or URL, instead of the experiment's
  --precision P        f16 | f32 for weights and KV
  --kv P               f16 | f32 | int8 for the KV alone
  --max-lanes N        most lanes in one step (default 64)
  --driver D           auto | system | software
`;

/** The samples, in the folder of the results. */
const SAMPLES = 'samples.jsonl';
/** Seconds between lines where nobody looks at a terminal. */
const LINE_SECONDS = 15;

export async function lab([verb, ...rest]: string[]): Promise<void> {
  if (verb === undefined || verb === '--help' || verb === '-h') {
    process.stdout.write(HELP);
    return;
  }
  if (verb !== 'run') {
    throw new ReckonError('bad-option', `There is no lab command ${JSON.stringify(verb)}.`, { hint: 'Use: lab run.' });
  }
  const named = rest[0] !== undefined && !rest[0].startsWith('-');
  const options = readOptions(named ? rest.slice(1) : rest, {
    out: { type: 'string' },
    model: { type: 'string' },
    precision: { type: 'string' },
    kv: { type: 'string' },
    'max-lanes': { type: 'string' },
    driver: { type: 'string' },
    help: { type: 'boolean' },
  });
  if (options.flag('help')) {
    process.stdout.write(HELP);
    return;
  }
  const folder = options.text('out');
  if (!named || folder === undefined || folder === '') {
    throw new ReckonError('bad-option', named ? 'There is no --out.' : 'There is no experiment.', {
      hint: 'Use: reckon lab run experiment.json --out results/.',
    });
  }
  const experiment = await readExperiment(rest[0] as string);
  const results = await run(experiment, folder, options);
  const files = filesOf(results);
  await mkdir(folder, { recursive: true });
  for (const [name, text] of files) await writeFile(join(folder, name), text);
  process.stdout.write(describe(results, folder, [...files.keys()]));
}

async function readExperiment(path: string): Promise<Experiment> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new ReckonError('bad-option', `${path} cannot be read: ${error.message}.`, { cause: error });
  });
  return parseExperiment(text);
}

async function run(experiment: Experiment, folder: string, options: Options): Promise<StoredResults> {
  const store = new FileStore(join(folder, SAMPLES));
  try {
    return await runIn(store, experiment, options);
  } finally {
    await store.close();
  }
}

async function runIn(store: FileStore, experiment: Experiment, options: Options): Promise<StoredResults> {
  const precision = precisionOptions(options);
  const maxLanes = options.number('max-lanes', { min: 1, max: 256, integer: true });
  const driver = options.oneOf('driver', ['auto', 'system', 'software']);
  const stored = await store.load();
  const progress = new Progress(process.stderr);
  const gpu = await openNodeGpu({ driver: driver ?? 'auto' });
  progress.line(`GPU: ${gpu.driver}${gpu.software ? ' — the CPU computes: right, but slow' : ''}`);
  const intensity = stored?.header.setting.intensity ?? (await measureIntensity(gpu));
  const source = modelPath(options.text('model') ?? experiment.model);
  const shape = await readShape(source);
  const model = await loadModel(source, {
    gpu: gpu.gpu,
    ...precision,
    ...(maxLanes === undefined ? {} : { maxLanes }),
    onProgress: ({ phase, loaded, total }) =>
      progress.update(`loading: ${phase}${total > 0 ? ` ${formatBytes(loaded)} of ${formatBytes(total)}` : ''}`),
  });
  try {
    progress.line(`Model: ${model.info.name}, ${formatCount(model.info.parameters)}parameters`);
    return await follow(experiment, model, store, { intensity, shape }, progress);
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
  store: FileStore,
  known: Pick<RunOptions, 'intensity' | 'shape'>,
  progress: Progress,
): Promise<StoredResults> {
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  let last: LabProgress | undefined;
  let told = Number.NEGATIVE_INFINITY;
  try {
    const results = await runExperiment(experiment, model, {
      ...known,
      store,
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
    return results;
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

/** 75 → "1 min 15 s". */
function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function describe(results: StoredResults, folder: string, files: readonly string[]): string {
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`.padStart(7);
  const lines = reportOf(results).points.map(({ group, thinking, kv, n, accuracy, tokens }) => {
    const { coverage, majority, logprob } = accuracy;
    const range = `${percent(coverage.low)} –${percent(coverage.high)}`;
    const name = `${group.padEnd(14)} ${String(thinking).padStart(8)} ${kv.padEnd(8)} ${String(n).padStart(4)}`;
    return `${name}  ${percent(coverage.mean)} (${range})  ${percent(majority.mean)}  ${percent(logprob.mean)}  ${formatCount(tokens.mean).padStart(8)}`;
  });
  const head = `${'problems'.padEnd(14)} thinking ${'kv'.padEnd(8)}    N  coverage (95 % interval)    majority  log-prob.   tokens`;
  return [head, ...lines, '', `In ${folder}: ${[SAMPLES, ...files].join(', ')}.`, ''].join('\n');
}
