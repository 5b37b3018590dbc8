/** Models in a folder of this computer. For Node entry points only: nothing that a browser loads imports this file. */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type Disk, type DiskReader, type DiskWriter, storageError } from './disk.ts';

/** `$RECKON_CACHE`, or `reckon/models` in the user's folder for caches. */
export function defaultModelFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.RECKON_CACHE) return resolve(env.RECKON_CACHE);
  const caches =
    env.XDG_CACHE_HOME ||
    (process.platform === 'win32' && env.LOCALAPPDATA) ||
    (process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache'));
  return join(caches, 'reckon', 'models');
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
}

/** A disk in the folder `path`, which is made when something is first written. */
export function folderDisk(path: string): Disk {
  const root = resolve(path);
  const at = (name: string) => join(root, name);

  function failed(name: string, cause: unknown) {
    const full = ['ENOSPC', 'EDQUOT'].includes(codeOf(cause) ?? '');
    const hint = full
      ? 'The disk is full: delete models or choose another folder; what is here so far is kept.'
      : 'Check the permissions of that folder, or choose another one.';
    const what = (cause as Error).message.split(',')[0];
    return storageError(`${at(name)}: ${what}`, hint, { path: at(name), full }, cause);
  }
  async function refused<T>(name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw failed(name, cause);
    }
  }

  function readerOf(name: string, handle: FileHandle, size: () => number): DiskReader {
    return {
      get size() {
        return size();
      },
      read: (target, from) =>
        refused(name, async () => {
          let filled = 0;
          while (filled < target.length) {
            const { bytesRead } = await handle.read(target, filled, target.length - filled, from + filled);
            if (bytesRead === 0) break;
            filled += bytesRead;
          }
          return filled;
        }),
      close: () => refused(name, () => handle.close()),
    };
  }

  return {
    name: root,
    folders: () =>
      refused('', async () => {
        const entries = await readdir(root, { withFileTypes: true }).catch((error) => {
          if (isMissing(error)) return [];
          throw error;
        });
        return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
      }),
    text: (name) =>
      refused(name, () =>
        readFile(at(name), 'utf8').catch((error) => {
          if (isMissing(error)) return null;
          throw error;
        }),
      ),
    reader: (name) =>
      refused(name, async () => {
        const handle = await open(at(name), 'r').catch((error) => {
          if (isMissing(error)) return null;
          throw error;
        });
        if (!handle) return null;
        const { size } = await handle.stat();
        return readerOf(name, handle, () => size);
      }),
    writer: (name) =>
      refused(name, async () => {
        await mkdir(dirname(at(name)), { recursive: true });
        const handle = await open(at(name), 'r+').catch((error) => {
          if (!isMissing(error)) throw error;
          return open(at(name), 'wx+');
        });
        let { size } = await handle.stat();
        const reader = readerOf(name, handle, () => size);
        const writer: DiskWriter = {
          get size() {
            return size;
          },
          read: reader.read,
          close: reader.close,
          write: (bytes, to) =>
            refused(name, async () => {
              let written = 0;
              while (written < bytes.length) {
                written += (await handle.write(bytes, written, bytes.length - written, to + written)).bytesWritten;
              }
              size = Math.max(size, to + bytes.length);
            }),
          resize: (length) =>
            refused(name, async () => {
              await handle.truncate(length);
              size = length;
            }),
          flush: () => refused(name, () => handle.datasync()),
        };
        return writer;
      }),
    remove: (name) => refused(name, () => rm(at(name), { recursive: true, force: true, maxRetries: 3 })),
    async space() {
      // The folder may not be there yet: the nearest one above it lies on the same disk.
      for (let folder = root; ; folder = dirname(folder)) {
        try {
          const { bavail, bsize } = await statfs(folder);
          return { free: bavail * bsize, persistent: true };
        } catch {
          if (dirname(folder) === folder) return { free: null, persistent: true };
        }
      }
    },
    lock: (name) =>
      refused(`${name}.lock`, async () => {
        await mkdir(root, { recursive: true });
        return takeLock(at(`${name}.lock`));
      }),
    hasher: async (algorithm) => {
      const hash = createHash(algorithm);
      return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest('hex') };
    },
  };
}

/** Locks that this process holds: its own id in a file says nothing about which of its parts has it. */
const held = new Set<string>();

/** A file with the id of the process that holds it; one whose process has ended does not count. */
async function takeLock(path: string): Promise<(() => Promise<void>) | null> {
  if (held.has(path)) return null;
  held.add(path);
  const mine = `${process.pid}\n`;
  try {
    for (;;) {
      try {
        await writeFile(path, mine, { flag: 'wx' });
        return async () => {
          held.delete(path);
          await rm(path, { force: true });
        };
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
      const holder = await readFile(path, 'utf8').catch(() => '');
      // Just made, its process not yet written in it.
      const made = holder === '' ? ((await stat(path).catch(() => null))?.mtimeMs ?? 0) : 0;
      if (made > Date.now() - 10_000 || isRunning(Number(holder))) break;
      // Moved before it is removed: of several that find it only one gets it, and sees whether it is still the same.
      const moved = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
      await rename(path, moved).catch(() => {});
      const taken = await readFile(moved, 'utf8').catch(() => holder);
      if (taken !== holder && isRunning(Number(taken))) {
        await rename(moved, path).catch(() => {});
        break;
      }
      await rm(moved, { force: true });
    }
  } catch (error) {
    held.delete(path);
    throw error;
  }
  held.delete(path);
  return null;
}

function isRunning(id: number): boolean {
  if (!Number.isInteger(id) || id <= 0) return false;
  // A process that died with this id, and this one has been given it since.
  if (id === process.pid) return false;
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    // There, but not ours to signal.
    return codeOf(error) === 'EPERM';
  }
}
