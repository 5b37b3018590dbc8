/** The worker's side: import this module in a worker, and the engine lives there. */
import { expose, type Remote, releaseProxy } from 'comlink';
import { loadModel } from '../api/load-model.ts';
import type { LoadProgress, Model } from '../api/types.ts';
import { abortedError, ReckonError } from '../errors.ts';
import type { ReasoningEvent } from '../strategies/types.ts';
import { Batches } from './batches.ts';
import { outcomeOf, type WorkerHost } from './protocol.ts';
import { storeHost } from './store-host.ts';

const models = new Map<number, Model>();
const controllers = new Map<number, AbortController>();

/** Runs `work` such that `abort(id)` ends it. */
async function abortable<T>(id: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  controllers.set(id, controller);
  try {
    return await work(controller.signal);
  } finally {
    controllers.delete(id);
  }
}

function modelOf(id: number): Model {
  const model = models.get(id);
  if (!model) throw new ReckonError('device-lost', 'This model was disposed.', { hint: 'Load it again.' });
  return model;
}

/** A function of the page: what arrives here is comlink's proxy of it, which holds a message port until released. */
function remote<T>(callback: (value: T) => void): Remote<(value: T) => void> {
  return callback as unknown as Remote<(value: T) => void>;
}

const host: WorkerHost = {
  ...storeHost(abortable),

  load: (id, source, options, onProgress) =>
    outcomeOf(() =>
      abortable(id, async (signal) => {
        const report = remote<LoadProgress>(onProgress);
        const progress = new Batches<LoadProgress>(async (items) => {
          // Of many reports in a frame only the last of each phase is news.
          const news = items.filter((item, i) => items[i + 1]?.phase !== item.phase);
          for (const item of news) await report(item);
        });
        try {
          const model = await loadModel(source, { ...options, signal, onProgress: (item) => progress.push(item) });
          if (signal.aborted) {
            model.dispose();
            throw abortedError('Loading the model', signal);
          }
          models.set(id, model);
          return model.info;
        } finally {
          await progress.flush();
          report[releaseProxy]();
        }
      }),
    ),

  reason: (id, model, request, onEvents) =>
    outcomeOf(() =>
      abortable(id, async (signal) => {
        const take = remote<ReasoningEvent[]>(onEvents);
        const batches = new Batches<ReasoningEvent>((events) => take(events));
        try {
          const run = modelOf(model).reason({ ...request, signal });
          for await (const event of run) batches.push(event);
          return await run.result;
        } finally {
          await batches.flush();
          take[releaseProxy]();
        }
      }),
    ),

  abort: (id) => controllers.get(id)?.abort(),

  dispose(model) {
    models.get(model)?.dispose();
    models.delete(model);
  },
};

expose(host);
