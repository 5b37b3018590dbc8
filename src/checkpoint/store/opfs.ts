/**
 * Models in the browser's private file system, one per site. Written by sync access handles, which only dedicated workers
 * have; read in any context.
 */
import { ReckonError } from '../../errors.ts';
import { type Disk, type DiskReader, type DiskWriter, type Hasher, storageError } from './disk.ts';

/** Folder of the models in the site's private file system. */
const ROOT = 'reckon-models';

/** Synchronous access to a file, as far as it is used here. TypeScript's DOM library has it for workers only. */
interface SyncAccess {
  read(into: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}
type SyncFileHandle = FileSystemFileHandle & {
  createSyncAccessHandle?: (options?: { mode: 'read-only' | 'readwrite' }) => Promise<SyncAccess>;
};

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

function failed(path: string, cause: unknown): ReckonError {
  if (cause instanceof ReckonError) return cause;
  const full = nameOf(cause) === 'QuotaExceededError';
  const busy = ['NoModificationAllowedError', 'InvalidModificationError'].includes(nameOf(cause));
  const message = cause instanceof Error ? cause.message.replace(/\.$/, '') : String(cause);
  return storageError(
    `The browser's storage failed at ${path}: ${message || nameOf(cause)}`,
    full
      ? 'It is full: delete models, or free some space for this site; what is here so far is kept.'
      : busy
        ? 'Another page has the file open: close it, then try again.'
        : 'Private windows and blocked cookies can forbid it.',
    { path, full, busy },
    cause,
  );
}

async function refused<T>(path: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw failed(path, cause);
  }
}

/** The value, or null where the error says that there is no such file or folder. */
async function ifThere<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (nameOf(error) === 'NotFoundError' || nameOf(error) === 'TypeMismatchError') return null;
    throw error;
  }
}

async function rootFolder(): Promise<FileSystemDirectoryHandle> {
  if (!globalThis.navigator?.storage?.getDirectory) {
    throw storageError(
      'This page has no storage for models',
      'Browsers offer it to pages from https:// or from this computer itself, and not in every private window.',
    );
  }
  const top = await navigator.storage.getDirectory();
  return top.getDirectoryHandle(ROOT, { create: true });
}

/** The folder of a path, and the name in it; null where the folder is not there. */
async function locate(
  path: string,
  create: boolean,
): Promise<{ folder: FileSystemDirectoryHandle; name: string } | null> {
  const names = path.split('/');
  const name = names.pop()!;
  let folder: FileSystemDirectoryHandle | null = await rootFolder();
  for (const step of names) {
    folder = create
      ? await folder.getDirectoryHandle(step, { create: true })
      : await ifThere(folder.getDirectoryHandle(step));
    if (!folder) return null;
  }
  return { folder, name };
}

async function fileHandle(path: string): Promise<SyncFileHandle | null> {
  const place = await locate(path, false);
  return place && ifThere(place.folder.getFileHandle(place.name));
}

/** Reads through a snapshot of the file: any context, any number of readers. */
function snapshotReader(path: string, file: File): DiskReader {
  return {
    size: file.size,
    read: (target, at) =>
      refused(path, async () => {
        const bytes = new Uint8Array(await file.slice(at, at + target.length).arrayBuffer());
        target.set(bytes);
        return bytes.length;
      }),
    close: async () => {},
  };
}

function syncReader(path: string, access: SyncAccess): DiskReader {
  let open = true;
  return {
    // Asked once: a handle that is closed no longer tells.
    size: access.getSize(),
    read: (target, at) =>
      refused(path, () => {
        let filled = 0;
        while (filled < target.length) {
          const length = access.read(target.subarray(filled), { at: at + filled });
          if (length === 0) break;
          filled += length;
        }
        return filled;
      }),
    async close() {
      if (open) access.close();
      open = false;
    },
  };
}

async function openReader(path: string): Promise<DiskReader | null> {
  const handle = await fileHandle(path);
  if (!handle) return null;
  try {
    // Straight into the reader's buffer, where the browser has it and no other page is at it.
    const access = await handle.createSyncAccessHandle?.({ mode: 'read-only' });
    if (access) return syncReader(path, access);
  } catch (error) {
    if (nameOf(error) !== 'NoModificationAllowedError') throw error;
  }
  return snapshotReader(path, await handle.getFile());
}

async function openWriter(path: string): Promise<DiskWriter> {
  const { folder, name } = (await locate(path, true))!;
  const handle: SyncFileHandle = await folder.getFileHandle(name, { create: true });
  if (!handle.createSyncAccessHandle) {
    throw storageError(
      'Models are written to the browser from a worker only',
      'Run the engine in a worker, as connectWorker does, and download there.',
    );
  }
  const access = await handle.createSyncAccessHandle();
  return {
    ...syncReader(path, access),
    get size() {
      return access.getSize();
    },
    write: (bytes, at) =>
      refused(path, () => {
        for (let written = 0; written < bytes.length; ) {
          const length = access.write(bytes.subarray(written), { at: at + written });
          // A disk that takes nothing more and does not say so.
          if (length === 0) throw new DOMException('nothing more can be written', 'QuotaExceededError');
          written += length;
        }
      }),
    resize: (size) => refused(path, () => access.truncate(size)),
    flush: () => refused(path, () => access.flush()),
  };
}

/** Takes a Web Lock, which the browser frees when the page or worker ends. */
async function takeLock(name: string): Promise<(() => Promise<void>) | null> {
  return new Promise((resolve, reject) => {
    const request = navigator.locks.request(`${ROOT}/${name}`, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(null);
      return new Promise<void>((free) => {
        resolve(async () => {
          free();
          await request.catch(() => {});
        });
      });
    });
    request.catch(reject);
  });
}

async function hasher(algorithm: 'sha256' | 'md5' | 'sha1'): Promise<Hasher> {
  const { createMD5, createSHA1, createSHA256 } = await import('hash-wasm');
  const hash = await { sha256: createSHA256, md5: createMD5, sha1: createSHA1 }[algorithm]();
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest('hex') };
}

/** The disk of this site in this browser. */
export function browserDisk(): Disk {
  return {
    name: 'this browser',
    folders: () =>
      refused(ROOT, async () => {
        const names: string[] = [];
        for await (const [name, { kind }] of (await rootFolder()).entries()) if (kind === 'directory') names.push(name);
        return names;
      }),
    text: (path) =>
      refused(path, async () => {
        const handle = await fileHandle(path);
        return handle ? (await handle.getFile()).text() : null;
      }),
    reader: (path) => refused(path, () => openReader(path)),
    writer: (path) => refused(path, () => openWriter(path)),
    remove: (path) =>
      refused(path, async () => {
        const place = await locate(path, false);
        if (place) await ifThere(place.folder.removeEntry(place.name, { recursive: true }));
      }),
    async space() {
      const [{ quota, usage }, persistent] = await Promise.all([
        navigator.storage.estimate(),
        navigator.storage.persisted?.() ?? false,
      ]);
      return { free: quota === undefined ? null : Math.max(0, quota - (usage ?? 0)), persistent };
    },
    lock: (name) => refused(name, () => takeLock(name)),
    hasher,
  };
}
