/** The worker's side of the model store: only a worker may write to the browser's private file system. */
import { type Remote, releaseProxy } from 'comlink';
import { openModelStore } from '../api/store.ts';
import type { DownloadProgress } from '../checkpoint/index.ts';
import { Batches } from './batches.ts';
import { outcomeOf, type StoreHost } from './protocol.ts';

/** @param abortable runs work such that `abort(id)` ends it. */
export function storeHost(
  abortable: <T>(id: number, work: (signal: AbortSignal) => Promise<T>) => Promise<T>,
): StoreHost {
  return {
    storedModels: () => outcomeOf(async () => (await openModelStore()).list()),
    storageSpace: () => outcomeOf(async () => (await openModelStore()).space()),
    deleteModel: (model) => outcomeOf(async () => (await openModelStore()).delete(model)),
    verifyModel: (id, model) =>
      outcomeOf(() => abortable(id, async (signal) => (await openModelStore()).verify(model, { signal }))),

    downloadModel: (id, model, options, onProgress) =>
      outcomeOf(() =>
        abortable(id, async (signal) => {
          const report = onProgress as unknown as Remote<(progress: DownloadProgress) => void>;
          // Of many reports in a frame only the last is news.
          const progress = new Batches<DownloadProgress>(async (items) => report(items.at(-1)!));
          try {
            const store = await openModelStore();
            return await store.download(model, { ...options, signal, onProgress: (item) => progress.push(item) });
          } finally {
            await progress.flush();
            report[releaseProxy]();
          }
        }),
      ),
  };
}
