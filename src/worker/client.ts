/** The page's side: the same `Model` as in-process, with the engine in a worker. */
import { proxy, releaseProxy, wrap } from 'comlink';
import { type ChatCompletions, chatCompletions } from '../api/chat.ts';
import { Run } from '../api/run.ts';
import type { LoadOptions, Model, ModelInfo, ModelSource, ReasonRequest, ReasonRun } from '../api/types.ts';
import { ReckonError, throwIfAborted } from '../errors.ts';
import type { Answer } from '../strategies/types.ts';
import { type Outcome, type SentLoadOptions, valueOf, type WorkerHost } from './protocol.ts';

export interface WorkerConnection {
  /** As the API's `loadModel`; errors and their codes arrive unchanged. */
  loadModel(source: ModelSource, options?: LoadOptions): Promise<Model>;
  /** Ends the worker; runs under way reject. */
  terminate(): void;
}

/** Connects to a worker that runs `reckon/worker`. */
export function connectWorker(worker: Worker): WorkerConnection {
  const host = wrap<WorkerHost>(worker);
  let nextId = 1;
  let failWorker: (error: ReckonError) => void = () => {};
  // A worker that does not start, or dies, answers no call: every call races against this.
  const failed = new Promise<never>((_, reject) => {
    failWorker = reject;
  });
  failed.catch(() => {});
  worker.addEventListener('error', (event) => {
    failWorker(
      new ReckonError('internal', `The worker failed: ${event.message || 'it could not be started'}.`, {
        hint: 'Reload the page.',
      }),
    );
  });
  // Comlink types a call that returns a union as a union of promises.
  const alive = <T>(call: Promise<unknown>): Promise<Outcome<T>> => Promise.race([call as Promise<Outcome<T>>, failed]);

  return {
    async loadModel(source, options = {}) {
      const { onProgress, signal, gpu, ...rest } = options;
      if (gpu)
        throw new ReckonError('bad-option', 'A GPU object cannot be sent to a worker.', { hint: 'Leave `gpu` out.' });
      throwIfAborted(signal, 'Loading the model');
      const id = nextId++;
      const abort = () => void host.abort(id);
      signal?.addEventListener('abort', abort, { once: true });
      try {
        const sent: SentLoadOptions = rest;
        const info = valueOf(
          await alive<ModelInfo>(host.load(id, sendable(source), sent, proxy(onProgress ?? (() => {})))),
        );
        return new WorkerModel(
          info,
          (request) => {
            const run = nextId++;
            return new Run(
              async (emit) => {
                const { signal: ending, ...plain } = request;
                const stop = () => void host.abort(run);
                throwIfAborted(ending, 'The run');
                ending?.addEventListener('abort', stop, { once: true });
                try {
                  const events = proxy((batch: Parameters<typeof emit>[0][]) => {
                    for (const event of batch) emit(event);
                  });
                  return valueOf(await alive<Answer>(host.reason(run, id, plain, events)));
                } finally {
                  ending?.removeEventListener('abort', stop);
                }
              },
              () => void host.abort(run),
            );
          },
          () => void host.dispose(id),
        );
      } finally {
        signal?.removeEventListener('abort', abort);
      }
    },
    terminate() {
      failWorker(
        new ReckonError('device-lost', 'The worker was ended.', { hint: 'Start a new one and load the model again.' }),
      );
      host[releaseProxy]();
      worker.terminate();
    },
  };
}

/** URLs are resolved here: the worker's own address is another. */
function sendable(source: ModelSource): string | File[] {
  if (Array.isArray(source)) return [...source];
  return new URL(String(source), globalThis.location?.href).href;
}

class WorkerModel implements Model {
  readonly info: ModelInfo;
  readonly chat: { readonly completions: ChatCompletions };
  readonly #run: (request: ReasonRequest) => ReasonRun;
  readonly #dispose: () => void;
  #disposed = false;

  constructor(info: ModelInfo, run: (request: ReasonRequest) => ReasonRun, dispose: () => void) {
    this.info = info;
    this.#run = run;
    this.#dispose = dispose;
    this.chat = { completions: chatCompletions(info.name, run) };
  }

  reason(request: ReasonRequest): ReasonRun {
    if (this.#disposed)
      throw new ReckonError('device-lost', `${this.info.name} was disposed.`, { hint: 'Load it again.' });
    return this.#run(request);
  }

  dispose(): void {
    this.#disposed = true;
    this.#dispose();
  }
}
