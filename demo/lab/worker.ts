/** The lab's own thread: the model, the experiment under way, its store. */
import { loadModel } from '../../src/api/load-model.ts';
import { sourceOf } from '../../src/api/source.ts';
import type { Model } from '../../src/api/types.ts';
import { readModelConfig } from '../../src/checkpoint/index.ts';
import { type ModelShape, shapeOf } from '../../src/cost/shapes.ts';
import { isReckonError } from '../../src/errors.ts';
import {
  compareModels,
  type Experiment,
  filesOf,
  IndexedDbStore,
  type LabReport,
  MemoryStore,
  type ResultStore,
  reportOf,
  runExperiment,
  type StoredResults,
} from '../../src/lab/index.ts';
import { plainError } from '../../src/worker/protocol.ts';
import type { LabCommand, LabEvent } from './protocol.ts';
import { WatchedStore, wholeProblems } from './watched-store.ts';

/** Room for more than one run of an experiment at once. */
const MAX_LANES = 64;
/** Milliseconds between looks at the results: working out intervals takes time that the GPU waits. */
const LOOK_INTERVAL = 1500;

let loaded: { source: string; model: Model; shape: ModelShape } | null = null;
let running: AbortController | null = null;
/** Where the browser forbids storage, by name; as long as this worker lives. */
const unkept = new Map<string, ResultStore>();

function tell(event: LabEvent): void {
  postMessage(event);
}

async function load(source: string, signal: AbortSignal) {
  if (loaded?.source === source) return loaded;
  loaded?.model.dispose();
  loaded = null;
  const { model: config } = await readModelConfig(await sourceOf(source), { signal });
  const model = await loadModel(source, {
    maxLanes: MAX_LANES,
    calibrate: true,
    signal,
    onProgress: (progress) => tell({ type: 'loading', progress }),
  });
  loaded = { source, model, shape: shapeOf(config, model.info.name) };
  return loaded;
}

async function storeOf(name: string): Promise<ResultStore> {
  const known = unkept.get(name);
  if (known) return known;
  const store = new IndexedDbStore(name);
  try {
    await store.load();
    return store;
  } catch (error) {
    const memory = new MemoryStore();
    unkept.set(name, memory);
    tell({ type: 'unkept', why: error instanceof Error ? error.message : String(error) });
    return memory;
  }
}

/** Tells what came out so far; false while there is nothing. */
function show(results: StoredResults | null): boolean {
  const whole = results && wholeProblems(results);
  if (whole) tell({ type: 'results', files: filesOf(whole) });
  return whole !== null;
}

async function run({ name, experiment, model: source }: Extract<LabCommand, { type: 'run' }>): Promise<void> {
  const stop = new AbortController();
  running = stop;
  let looked = Number.NEGATIVE_INFINITY;
  const store = new WatchedStore(await storeOf(name), experiment, () => {
    if (performance.now() - looked >= LOOK_INTERVAL && show(store.results)) looked = performance.now();
  });
  try {
    const { model, shape } = await load(source, stop.signal);
    const { name: called, device, calibration } = model.info;
    tell({ type: 'ready', model: { name: called, device: device.name, software: device.software } });
    const results = await runExperiment(experiment, model, {
      store,
      shape,
      ...(calibration ? { intensity: calibration.intensity } : {}),
      signal: stop.signal,
      onProgress: (progress) => tell({ type: 'progress', progress }),
    });
    show(results);
    tell({ type: 'end', how: 'finished' });
  } catch (error) {
    show(store.results);
    if (!stop.signal.aborted || !isReckonError(error, 'aborted')) throw error;
    tell({ type: 'end', how: 'paused' });
  } finally {
    running = null;
  }
}

async function look(name: string, experiment: Experiment): Promise<void> {
  const store = new WatchedStore(await storeOf(name), experiment, () => {});
  await store.load();
  show(store.results);
  tell({ type: 'end', how: 'shown' });
}

async function compare(stores: Extract<LabCommand, { type: 'compare' }>['stores']): Promise<void> {
  const reports: LabReport[] = [];
  for (const { name, experiment } of stores) {
    const store = new WatchedStore(await storeOf(name), experiment, () => {});
    await store.load();
    const whole = store.results && wholeProblems(store.results);
    if (whole) reports.push(reportOf(whole));
  }
  tell({ type: 'compared', files: compareModels(reports) });
  tell({ type: 'end', how: 'compared' });
}

async function forget(name: string): Promise<void> {
  if (!unkept.delete(name)) await new IndexedDbStore(name).clear();
  tell({ type: 'end', how: 'forgotten' });
}

async function obey(command: LabCommand): Promise<void> {
  switch (command.type) {
    case 'run':
      return run(command);
    case 'pause':
      return running?.abort();
    case 'show':
      return look(command.name, command.experiment);
    case 'compare':
      return compare(command.stores);
    case 'forget':
      return forget(command.name);
  }
}

addEventListener('message', ({ data }: MessageEvent<LabCommand>) => {
  obey(data).catch((error: unknown) => tell({ type: 'error', error: plainError(error) }));
});
