/** A checkpoint in a folder. For Node entry points only: nothing that a browser loads imports this file. */
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ReckonError, throwIfAborted } from '../errors.ts';
import { type CheckpointSource, checkPath, checkRange, emptyStream, missingFileError } from './source.ts';

const READ_BYTES = 1 << 20;

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/**
 * A checkpoint in the folder `path`, or in the one file `path` that holds a whole model (`….gguf`), with what lies beside it.
 * Its methods throw `bad-checkpoint` naming folder and file.
 */
export function directorySource(path: string): CheckpointSource {
  const single = /\.gguf$/i.test(path) ? basename(path) : null;
  const root = single === null ? resolve(path) : dirname(resolve(path));

  function failed(file: string, cause: unknown): ReckonError {
    if (isMissing(cause)) return missingFileError(root, file, cause);
    return new ReckonError('bad-checkpoint', `${join(root, file)} could not be read: ${(cause as Error).message}.`, {
      details: { source: root, path: file },
      cause,
    });
  }
  /** Size of a regular file. */
  async function sizeOf(file: string): Promise<number> {
    try {
      const info = await stat(join(root, checkPath(file)));
      if (info.isFile()) return info.size;
    } catch (cause) {
      if (cause instanceof ReckonError) throw cause;
      throw failed(file, cause);
    }
    throw missingFileError(root, file);
  }

  return {
    name: single === null ? root : join(root, single),
    async text(file, { signal } = {}) {
      throwIfAborted(signal, `Reading ${file}`);
      await sizeOf(file);
      return readFile(join(root, file), 'utf8').catch((cause) => {
        throw failed(file, cause);
      });
    },
    has: async (file) => {
      const info = await stat(join(root, checkPath(file))).catch((cause) => {
        if (isMissing(cause)) return undefined;
        throw failed(file, cause);
      });
      return info?.isFile() ?? false;
    },
    list: async () => {
      if (single !== null) return [single];
      const entries = await readdir(root, { withFileTypes: true }).catch((cause) => {
        if (isMissing(cause)) return [];
        throw failed('.', cause);
      });
      return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
    },
    size: sizeOf,
    async open(file, options = {}) {
      throwIfAborted(options.signal, `Reading ${file}`);
      const range = checkRange(options);
      const end = Math.min(range.end, await sizeOf(file));
      let position = range.start;
      if (position >= end) return emptyStream();
      const handle = await open(join(root, file), 'r').catch((cause) => {
        throw failed(file, cause);
      });
      return new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            const bytes = new Uint8Array(Math.min(READ_BYTES, end - position));
            try {
              const { bytesRead } = await handle.read(bytes, 0, bytes.length, position);
              position += bytesRead;
              if (bytesRead > 0) controller.enqueue(bytes.subarray(0, bytesRead));
              if (bytesRead > 0 && position < end) return;
              await handle.close();
              controller.close();
            } catch (cause) {
              await handle.close().catch(() => undefined);
              throw failed(file, cause);
            }
          },
          cancel: () => handle.close(),
        },
        { highWaterMark: 0 },
      );
    },
  };
}
