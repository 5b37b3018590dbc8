/** The models on this device, as a page or program reaches them. */
import { browserDisk, ModelStore } from '../checkpoint/index.ts';
import { inNode } from './source.ts';

/**
 * Opens the store of models: in a browser the site's private file system (writing needs a worker: see `connectWorker`), in
 * Node a folder.
 * @param options.folder Node only. Default `$RECKON_CACHE`, or `reckon/models` in the user's folder for caches.
 */
export async function openModelStore(options: { folder?: string } = {}): Promise<ModelStore> {
  if (!inNode()) return new ModelStore(browserDisk());
  const { defaultModelFolder, folderDisk } = await import('../checkpoint/store/node.ts');
  return new ModelStore(folderDisk(options.folder ?? defaultModelFolder()));
}

/**
 * Asks the browser to keep what is stored until the person deletes it; it may ask the person. Pages only: workers cannot.
 * @returns whether it will.
 */
export async function keepOnThisDevice(): Promise<boolean> {
  if (inNode()) return true;
  return (await navigator.storage?.persist?.()) ?? false;
}
