/** The page's side: the same `Model` as in-process, with the engine in a worker. */
import { proxy, type Remote, releaseProxy, wrap } from 'comlink';
import { chatCompletions } from '../api/chat.ts';
import { Run } from '../api/run.ts';
import type { LoadOptions, LoadProgress, Model, ModelInfo, ModelSource, ReasonRequest } from '../api/types.ts';
import type {
  DownloadOptions,
  DownloadProgress,
  ModelOrigin,
  RepositoryReference,
  StorageSpace,
  StoredModel,
} from '../checkpoint/index.ts';
import { abortedError, isReckonError, ReckonError, throwIfAborted } from '../errors.ts';
import type { Answer, ReasoningEvent } from '../strategies/types.ts';
import { type Outcome, unwrap, type WorkerHost } from './protocol.ts';

export interface WorkerConnection {
  /** As the API's `loadModel`, `gpu` aside; errors and their codes arrive unchanged. */
  loadModel(source: ModelSource, options?: LoadOptions): Promise<Model>;
  /** The models on this device. What a person picked as repository here, `loadModel` with `keep` brings just so. */
  readonly store: WorkerStore;
  /** Ends the worker; loads and runs under way reject with `device-lost`. */
  terminate(): void;
}

/** As the API's `ModelStore`, whose work is done in the worker. */
export interface WorkerStore {
  /** All models, whole or in part. */
  list(): Promise<StoredModel[]>;
  /** Brings a model here, or the rest of one. An abort keeps what is here. */
  download(model: StoreName, options?: DownloadOptions): Promise<StoredModel>;
  /** @throws ReckonError `storage` while it is being downloaded or read. */
  delete(model: StoreName | StoredModel): Promise<void>;
  /** Holds every byte against the publisher's checksums. @returns the files that are damaged. */
  verify(model: StoreName, options?: { signal?: AbortSignal }): Promise<string[]>;
  space(): Promise<StorageSpace>;
}

/** "owner/name", an address, or a reference. */
export type StoreName = string | URL | RepositoryReference | ModelOrigin;

/** Connects to a worker that runs `reckon/worker`. */
export function connectWorker(worker: Worker): WorkerConnection {
  const connection = new Connection(worker);
  return {
    loadModel: (source, options = {}) => connection.load(source, options),
    store: connection.store,
    terminate: () => connection.terminate(),
  };
}

class Connection {
  readonly #worker: Worker;
  readonly #host: Remote<WorkerHost>;
  /** Rejects once the worker does not start, dies or is ended: it answers no call then, so every call races this. */
  readonly #failed: Promise<never>;
  #fail: (error: ReckonError) => void = () => {};
  #failure: ReckonError | null = null;
  #ended = false;
  #nextId = 1;

  constructor(worker: Worker) {
    this.#worker = worker;
    this.#host = wrap<WorkerHost>(worker);
    this.#failed = new Promise<never>((_, reject) => {
      this.#fail = (error) => {
        this.#failure ??= error;
        reject(this.#failure);
      };
    });
    this.#failed.catch(() => {});
    worker.addEventListener('error', (event) => this.#fail(workerFailed(event)));
  }

  async load(source: ModelSource, options: LoadOptions): Promise<Model> {
    const { onProgress, signal, gpu, ...sent } = options;
    if (gpu) {
      throw new ReckonError('bad-option', 'A GPU object cannot be sent to a worker.', { hint: 'Leave `gpu` out.' });
    }
    // Another backend's models go by names of its own.
    const from = (options.backend ?? 'reckon') === 'reckon' ? sendable(source) : String(source);
    const info = await this.#call<ModelInfo>('Loading the model', signal, (id) =>
      this.#host.load(id, from, sent, proxy(quiet<LoadProgress>(onProgress))),
    );
    const model = this.#model(info.id, info.value);
    if (!signal?.aborted) return model;
    // The abort and the finished model have crossed on their way.
    model.dispose();
    throw abortedError('Loading the model', signal);
  }

  readonly store: WorkerStore = {
    list: () => this.#plain('Listing the models', () => this.#host.storedModels()),
    space: () => this.#plain('Asking for room', () => this.#host.storageSpace()),
    delete: (model) => this.#plain('Deleting a model', () => this.#host.deleteModel(sentName(model))),
    verify: async (model, { signal } = {}) => {
      const name = sentName(model);
      return (await this.#call<string[]>('Checking a model', signal, (id) => this.#host.verifyModel(id, name))).value;
    },
    download: async (model, { signal, onProgress, ...sent } = {}) => {
      const name = sentName(model);
      const { value } = await this.#call<StoredModel>('The download', signal, (id) =>
        this.#host.downloadModel(id, name, sent, proxy(quiet<DownloadProgress>(onProgress))),
      );
      return value;
    },
  };

  async #plain<T>(what: string, send: () => Promise<unknown>): Promise<T> {
    return (await this.#call<T>(what, undefined, send)).value;
  }

  terminate(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#fail(
      new ReckonError('device-lost', 'The worker was ended.', { hint: 'Start a new one and load the model again.' }),
    );
    this.#host[releaseProxy]();
    this.#worker.terminate();
  }

  #model(id: number, info: ModelInfo): Model {
    let disposed = false;
    const run = (request: ReasonRequest) =>
      new Run(async (emit, signal) => {
        if (disposed) {
          throw new ReckonError('device-lost', `${info.name} was disposed.`, { hint: 'Load it again.' });
        }
        const { signal: _mine, ...plain } = request ?? {};
        const answer = await this.#call<Answer>('The run', signal, (runId) =>
          this.#host.reason(
            runId,
            id,
            plain,
            proxy((events: ReasoningEvent[]) => {
              for (const event of events) emit(event);
            }),
          ),
        );
        return answer.value;
      }, request?.signal);
    return {
      info,
      chat: { completions: chatCompletions(info.name, run) },
      reason: run,
      dispose: () => {
        if (disposed) return;
        disposed = true;
        if (!this.#failure) this.#host.dispose(id).catch(() => {});
      },
    };
  }

  /** One call of the worker under an id of its own, by which `signal` ends it. */
  async #call<T>(
    what: string,
    signal: AbortSignal | undefined,
    send: (id: number) => Promise<unknown>,
  ): Promise<{ id: number; value: T }> {
    throwIfAborted(signal, what);
    if (this.#failure) throw this.#failure;
    const id = this.#nextId++;
    const abort = () => {
      if (!this.#failure) this.#host.abort(id).catch(() => {});
    };
    signal?.addEventListener('abort', abort, { once: true });
    try {
      // Comlink types a call that returns a union as a union of promises.
      const outcome = (await Promise.race([send(id).catch(asUnsendable), this.#failed])) as Outcome<T>;
      return { id, value: unwrap(outcome) };
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }
}

/** What the browser says of a script that does not load is nothing at all. */
function workerFailed({ message }: ErrorEvent): ReckonError {
  return new ReckonError('internal', `The worker failed: ${message || 'it could not be started'}.`, {
    hint: 'Check that its script is there and runs "reckon/worker"; then start a new one.',
  });
}

/** A value that cannot be cloned fails before it leaves. */
function asUnsendable(error: unknown): never {
  if (isReckonError(error)) throw error;
  throw new ReckonError('bad-option', `The request cannot be sent to the worker: ${(error as Error).message}.`, {
    hint: 'Requests are plain data: no functions, no class instances.',
    cause: error,
  });
}

/** A callback whose own errors stay on this side, where they are reported like those of any event listener. */
function quiet<T>(callback: ((value: T) => void) | undefined): (value: T) => void {
  return (value) => {
    try {
      callback?.(value);
    } catch (error) {
      reportError(error);
    }
  };
}

/** A URL object cannot be cloned, and nothing else of a reference needs a thought. */
function sentName<T extends object>(model: string | URL | T): string | T {
  if (typeof model === 'string') return model;
  if (model instanceof URL) return model.href;
  return 'from' in model && model.from !== undefined ? { ...model, from: String(model.from) } : model;
}

/** URLs are resolved here: the worker's own address is another. */
function sendable(source: ModelSource): string | File[] | RepositoryReference | ModelOrigin {
  if (Array.isArray(source)) return [...source];
  if (typeof source === 'object' && ('repository' in source || 'kind' in source)) return sentName(source);
  try {
    return new URL(String(source), globalThis.location?.href).href;
  } catch (cause) {
    throw new ReckonError('bad-option', `${JSON.stringify(String(source))} is not a URL.`, { cause });
  }
}
