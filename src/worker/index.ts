/** The worker's side: import this module in a worker, and the engine lives there. */
import { expose } from 'comlink';
import { loadModel } from '../api/load-model.ts';
import type { Model } from '../api/types.ts';
import { ReckonError } from '../errors.ts';
import type { ReasoningEvent } from '../strategies/types.ts';
import { outcomeOf, plainError, type WorkerHost } from './protocol.ts';

/** Events are sent at most this often, ms: a frame. */
const BATCH_INTERVAL = 16;

const models = new Map<number, Model>();
const controllers = new Map<number, AbortController>();

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

const host: WorkerHost = {
  load: (id, source, options, onProgress) =>
    outcomeOf(() =>
      abortable(id, async (signal) => {
        const model = await loadModel(source, { ...options, signal, onProgress });
        models.set(id, model);
        return model.info;
      }),
    ),

  reason: (id, model, request, onEvents) =>
    outcomeOf(() =>
      abortable(id, async (signal) => {
        const run = modelOf(model).reason({ ...request, signal });
        let batch: ReasoningEvent[] = [];
        let sent = performance.now();
        let arrived: unknown;
        const send = () => {
          if (batch.length > 0) arrived = onEvents(batch);
          batch = [];
          sent = performance.now();
        };
        try {
          for await (const event of run) {
            batch.push(event);
            if (performance.now() - sent >= BATCH_INTERVAL) send();
          }
        } finally {
          send();
          // Events have a port of their own, and ports do not wait for each other: the outcome would overtake the last.
          await arrived;
        }
        return run.result;
      }),
    ),

  abort: (id) => controllers.get(id)?.abort(),

  info(model) {
    try {
      return { ok: true, value: modelOf(model).info };
    } catch (error) {
      return { ok: false, error: plainError(error) };
    }
  },

  dispose(model) {
    models.get(model)?.dispose();
    models.delete(model);
  },
};

expose(host);
