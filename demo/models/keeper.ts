/** The models kept in this browser, as the chooser needs them. */
import { keepOnThisDevice } from '../../src/api/store.ts';
import type { ModelOrigin } from '../../src/checkpoint/hub/reference.ts';
import type { DownloadOptions, StorageSpace, StoredModel } from '../../src/checkpoint/store/types.ts';
import { connectWorker } from '../../src/worker/client.ts';
import { referenceOf } from './choice.ts';

export interface Keeper {
  list(): Promise<StoredModel[]>;
  space(): Promise<StorageSpace>;
  /** Resolves when all of it is here; goes on where it stopped. */
  download(origin: ModelOrigin, options: DownloadOptions): Promise<StoredModel>;
  delete(model: StoredModel): Promise<void>;
  /** Asks the browser to keep models until the person deletes them. True where it will. */
  persist(): Promise<boolean>;
}

/** In a worker of its own: a download goes on whatever becomes of the engine's. */
export function workerKeeper(): Keeper {
  const worker = new Worker(new URL('../worker.ts', import.meta.url), { type: 'module', name: 'reckon models' });
  const { store } = connectWorker(worker);
  return {
    list: () => store.list(),
    space: () => store.space(),
    download: (origin, options) => store.download(referenceOf(origin), options),
    delete: (model) => store.delete(model),
    persist: keepOnThisDevice,
  };
}
