/** From what a caller names to a source of files. */
import {
  type CheckpointSource,
  type DownloadProgress,
  filesSource,
  type ModelOrigin,
  modelOrigin,
  type RepositoryReference,
  repositorySource,
  urlSource,
} from '../checkpoint/index.ts';
import { isReckonError, ReckonError } from '../errors.ts';
import { openModelStore } from './store.ts';
import type { LoadOptions, ModelSource } from './types.ts';

/** True in Node and what behaves like it. */
export function inNode(): boolean {
  return typeof process !== 'undefined' && process.versions?.node !== undefined;
}

export interface SourceOptions extends Pick<LoadOptions, 'keep' | 'token' | 'cache' | 'signal'> {
  onDownload?: (progress: DownloadProgress) => void;
}

/**
 * A repository, a base URL, picked files, or in Node a folder by path or `file:` URL. Relative URLs are the page's. What is
 * on this device already is read from there; what is to be kept is brought here first.
 * @throws ReckonError `bad-option` for anything else; `network`, `access-denied`, `bad-checkpoint`, `corrupt-download`,
 *   `storage`, `aborted` from what is fetched.
 */
export async function sourceOf(source: ModelSource, options: SourceOptions = {}): Promise<CheckpointSource> {
  if (Array.isArray(source)) return filesSource(source as readonly File[]);
  if (isReference(source)) return fetchedSource(source, options);
  if (!(typeof source === 'string' || source instanceof URL) || String(source).trim() === '') {
    throw new ReckonError('bad-option', `${JSON.stringify(source)} does not name a model.`, {
      hint: 'Give a repository, a base URL, the files of a checkpoint, or, in Node, the path of a folder.',
    });
  }
  const text = String(source);
  if (/^https?:/i.test(text)) return fetchedSource(text, options);
  if (inNode()) {
    const [{ directorySource }, { fileURLToPath }] = await Promise.all([
      import('../checkpoint/node.ts'),
      import('node:url'),
    ]);
    return directorySource(/^file:/i.test(text) ? fileURLToPath(text) : text);
  }
  return fetchedSource(new URL(text, globalThis.location?.href).href, options);
}

function isReference(source: unknown): source is RepositoryReference | ModelOrigin {
  return typeof source === 'object' && source !== null && ('repository' in source || 'kind' in source);
}

async function fetchedSource(
  source: string | RepositoryReference | ModelOrigin,
  { keep = false, token, cache, signal, onDownload }: SourceOptions,
): Promise<CheckpointSource> {
  const store = await openModelStore(cache === undefined ? {} : { folder: cache });
  if (keep) {
    await store.download(source, {
      ...(token === undefined ? {} : { token }),
      ...(signal ? { signal } : {}),
      ...(onDownload ? { onProgress: onDownload } : {}),
    });
    return store.source(source);
  }
  // A page without storage still reads from the network.
  const stored = await store.find(source).catch((error: unknown) => {
    if (isReckonError(error, 'storage')) return null;
    throw error;
  });
  if (stored?.complete) return store.source(source);
  const options = { ...(token === undefined ? {} : { token }), ...(signal ? { signal } : {}) };
  const origin = modelOrigin(source);
  if (origin.kind === 'repository') return repositorySource(origin, options);
  const headers = token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } };
  const { file } = origin;
  return { ...urlSource(origin.url, headers), ...(file === null ? {} : { list: async () => [file] }) };
}
