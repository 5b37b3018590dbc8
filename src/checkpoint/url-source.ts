/** A checkpoint behind a URL: plain fetch, `Range` where only a part is asked for, and again where a connection breaks. */
import { ReckonError } from '../errors.ts';
import {
  type Connection,
  type ConnectionOptions,
  connectionOf,
  getText,
  head,
  openRange,
  withSignal,
} from './http/connection.ts';
import { publicationOf } from './hub/list.ts';
import { connect, fileUrl, folderUrl } from './hub/publication.ts';
import {
  type ModelOrigin,
  modelOrigin,
  originName,
  type RepositoryReference,
  withoutSecrets,
} from './hub/reference.ts';
import {
  type CheckpointSource,
  checkPath,
  checkRange,
  emptyStream,
  isMissingFile,
  missingFileError,
} from './source.ts';

export interface UrlSourceOptions extends Pick<ConnectionOptions, 'fetch' | 'headers' | 'stallSeconds' | 'retry'> {
  revision?: string;
}

/** Absolute form of `base`, ending in a slash. */
function resolveBase(base: string): string {
  const page = typeof location === 'undefined' ? undefined : location.href;
  let url: URL;
  try {
    url = new URL(base, page);
  } catch (cause) {
    throw new ReckonError('bad-option', `${JSON.stringify(base)} is not a URL.`, {
      hint: 'Give the folder of the checkpoint, such as https://example.org/models/proto/.',
      details: { base },
      cause,
    });
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url.href;
}

/**
 * A checkpoint whose files lie under one URL, e.g. `https://huggingface.co/<owner>/<name>/resolve/<revision>/`.
 * @param base Absolute, or relative to the page where there is one.
 * @throws ReckonError `bad-option` when `base` is no URL. Its methods throw `network` and `access-denied` with
 *   `details {url, status?}`.
 */
export function urlSource(base: string, options: UrlSourceOptions = {}): CheckpointSource {
  const root = resolveBase(base);
  const { revision, ...http } = options;
  return {
    name: withoutSecrets(root),
    ...(revision === undefined ? {} : { revision }),
    ...filesBelow(root, connectionOf(http)),
  };
}

function filesBelow(root: string, connection: Connection): Pick<CheckpointSource, 'text' | 'has' | 'size' | 'open'> {
  return {
    text: async (path, { signal } = {}) => (await getText(withSignal(connection, signal), fileUrl(root, path))).text,

    async has(path) {
      try {
        await head(connection, fileUrl(root, path));
        return true;
      } catch (error) {
        if (isMissingFile(error)) return false;
        throw error;
      }
    },

    size: async (path) => (await head(connection, fileUrl(root, path))).total ?? undefined,

    async open(path, readOptions = {}) {
      const range = checkRange(readOptions);
      const url = fileUrl(root, path);
      return range.start === range.end
        ? emptyStream()
        : openRange(withSignal(connection, readOptions.signal), url, range);
    },
  };
}

/**
 * A repository on a hub, read from there without keeping it: pinned to the commit that the revision is now, its files known
 * from the hub's list.
 * @throws ReckonError `bad-option`, `bad-checkpoint`, `access-denied`, `network`, `aborted`.
 */
export async function repositorySource(
  reference: string | RepositoryReference | ModelOrigin,
  options: UrlSourceOptions & { token?: string; signal?: AbortSignal } = {},
): Promise<CheckpointSource> {
  const origin = modelOrigin(reference);
  const { revision: _, signal, ...http } = options;
  const connection = connect(origin, http);
  const { files, revision } = await publicationOf(withSignal(connection, signal), origin);
  const name = originName(origin);
  const sizes = new Map(files.map(({ path, size }) => [path, size]));
  const known = (path: string): string => {
    if (sizes.has(checkPath(path))) return path;
    throw missingFileError(name, path);
  };
  const remote = filesBelow(folderUrl(origin, revision), connection);
  return {
    name,
    ...(revision === null ? {} : { revision }),
    list: async () => [...sizes.keys()],
    has: async (path) => sizes.has(checkPath(path)),
    size: async (path) => sizes.get(known(path)) ?? remote.size(path),
    text: async (path, textOptions) => remote.text(known(path), textOptions),
    open: async (path, readOptions) => remote.open(known(path), readOptions),
  };
}
