/** Models in the browser's private file system: every call starts workers of its own, as a page that was reloaded would. */
import type { DownloadProgress } from '../../../src/checkpoint/index.ts';
import type { ReckonError } from '../../../src/errors.ts';
import { openModelStore, taskById } from '../../../src/index.ts';
import { connectWorker } from '../../../src/worker/client.ts';

export interface Reference {
  repository: string;
  from: string;
}

function connect() {
  return connectWorker(
    new Worker(new URL('../../../src/worker/index.ts', import.meta.url), { type: 'module', name: 'reckon' }),
  );
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: ReckonError) => error.code,
  );
}

/**
 * Downloads.
 * @param stop How it ends when `bytes` are here: by an abort, or by the death of the worker.
 */
export async function download(reference: Reference, stop?: { bytes: number; by: 'abort' | 'death' }) {
  const connection = connect();
  const controller = new AbortController();
  let last: DownloadProgress | undefined;
  const running = connection.store.download(reference, {
    signal: controller.signal,
    onProgress(progress) {
      last = progress;
      if (!stop || progress.loaded < stop.bytes) return;
      if (stop.by === 'abort') controller.abort();
      else connection.terminate();
    },
  });
  const error = await codeOf(running);
  const model = error === 'none' ? await running : null;
  connection.terminate();
  return { error, model, received: last?.received ?? 0 };
}

/** Two pages want the same at the same time. */
export async function twice(reference: Reference) {
  const pages = [connect(), connect()];
  const models = await Promise.all(pages.map(({ store }) => store.download(reference)));
  const checked = await pages[0]!.store.verify(reference);
  for (const page of pages) page.terminate();
  return { complete: models.map(({ complete }) => complete), damaged: checked };
}

/** What is here: by the worker, and by the page itself, which may read but not write. */
export async function list() {
  const connection = connect();
  const [models, space] = [await connection.store.list(), await connection.store.space()];
  connection.terminate();
  const own = await openModelStore();
  const writing = await codeOf(own.download({ repository: 'maker/none', from: location.origin }));
  return { models, space, same: JSON.stringify(await own.list()) === JSON.stringify(models), writing };
}

/** Loads what is kept and solves a puzzle with it. */
export async function reason(reference: Reference) {
  const connection = connect();
  const phases: string[] = [];
  const model = await connection.loadModel(reference, {
    keep: true,
    maxLanes: 2,
    onProgress: ({ phase }) => phases.push(phase),
  });
  const problem = taskById('countdown').generate(7);
  const answer = await model.reason({ problem, strategy: { name: 'best-of-n', n: 2 }, sampling: { seed: 7 } }).result;
  connection.terminate();
  return { parameters: model.info.parameters, phases: [...new Set(phases)], chosen: answer.chosen };
}

export async function remove(reference: Reference) {
  const connection = connect();
  await connection.store.delete(reference);
  const left = await connection.store.list();
  connection.terminate();
  return left.length;
}
