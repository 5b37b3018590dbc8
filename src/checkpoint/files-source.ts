/** A checkpoint in files that a person picked or dropped. */
import { ReckonError, throwIfAborted } from '../errors.ts';
import { type CheckpointSource, checkPath, checkRange, emptyStream, missingFileError } from './source.ts';

function pathOf(file: File): string {
  return file.webkitRelativePath || file.name;
}

/** The folder that holds the checkpoint: the shallowest one with a config.json, "" for loose files. */
function rootOf(paths: readonly string[]): string {
  const folders = paths
    .filter((path) => path === 'config.json' || path.endsWith('/config.json'))
    .map((path) => path.slice(0, -'config.json'.length))
    .sort((a, b) => a.split('/').length - b.split('/').length);
  return folders[0] ?? '';
}

/**
 * A checkpoint in files from `<input type="file" webkitdirectory>`, a drop, or several picked files.
 * Of files in folders, those beside the shallowest config.json are the checkpoint.
 * @throws ReckonError `bad-option` when there is no file at all.
 */
export function filesSource(files: Iterable<File>): CheckpointSource {
  const all = [...files];
  if (all.length === 0) {
    throw new ReckonError('bad-option', 'No files were given.', {
      hint: "Pick the checkpoint's folder or all its files.",
    });
  }
  const root = rootOf(all.map(pathOf));
  const byPath = new Map<string, File>();
  for (const file of all) {
    const path = pathOf(file);
    if (path.startsWith(root)) byPath.set(path.slice(root.length), file);
  }
  const name = root === '' ? 'The picked files' : root.slice(0, -1);

  function find(path: string): File {
    const file = byPath.get(checkPath(path));
    if (!file) throw missingFileError(name, path);
    return file;
  }

  return {
    name,
    async text(path, { signal } = {}) {
      throwIfAborted(signal, `Reading ${path}`);
      const file = find(path);
      try {
        return await file.text();
      } catch (cause) {
        throw unreadable(path, cause);
      }
    },
    has: async (path) => byPath.has(checkPath(path)),
    list: async () => [...byPath.keys()],
    size: async (path) => find(path).size,
    async open(path, options = {}) {
      throwIfAborted(options.signal, `Reading ${path}`);
      const { start, end } = checkRange(options);
      const file = find(path);
      if (start >= Math.min(end, file.size)) return emptyStream();
      return file.slice(start, Math.min(end, file.size)).stream();
    },
  };
}

function unreadable(path: string, cause: unknown): ReckonError {
  return new ReckonError('bad-checkpoint', `The file ${JSON.stringify(path)} could not be read.`, {
    hint: 'It may have changed or moved since it was picked: pick it again.',
    details: { path },
    cause,
  });
}
