/** Folders of files that outlive the program: the browser's private file system, or a directory in Node. */
import { ReckonError } from '../../errors.ts';
import type { FileDigest } from './types.ts';

/** A checksum under way. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Lower-case hexadecimal; nothing more can be added then. */
  hex(): string;
}

export interface DiskReader {
  readonly size: number;
  /** Reads from byte `at` on into all of `target`. @returns bytes read: fewer only at the file's end. */
  read(target: Uint8Array, at: number): Promise<number>;
  close(): Promise<void>;
}

/** A file that is written by this program alone. */
export interface DiskWriter extends DiskReader {
  /** Writes at byte `at`; beyond the end, what lies between is zero. */
  write(bytes: Uint8Array, at: number): Promise<void>;
  resize(size: number): Promise<void>;
  /** Resolves when what was written survives the end of the program. */
  flush(): Promise<void>;
}

/** Gives a lock back. */
export type Release = () => Promise<void>;

/** Paths are relative, with "/" between names. Every method throws `storage` for what the disk refuses. */
export interface Disk {
  /** For people: "this browser", or the folder's path. */
  readonly name: string;
  /** Names of the folders on top. */
  folders(): Promise<string[]>;
  /** A small file; null where there is none. */
  text(path: string): Promise<string | null>;
  /** Null where there is no such file. */
  reader(path: string): Promise<DiskReader | null>;
  /** Creates file and folders. */
  writer(path: string): Promise<DiskWriter>;
  /** Removes a folder with all that is in it, or a file; nothing there is fine. */
  remove(path: string): Promise<void>;
  /** Bytes that may still be written, null where nobody knows; and whether what is here stays until it is deleted. */
  space(): Promise<{ free: number | null; persistent: boolean }>;
  /** Takes the lock `name`, which the end of a program frees. Null where another has it. */
  lock(name: string): Promise<Release | null>;
  hasher(algorithm: 'sha256' | 'md5' | 'sha1'): Promise<Hasher>;
}

/** The error of a disk that refuses. */
export function storageError(what: string, hint: string, details: Record<string, unknown> = {}, cause?: unknown) {
  return new ReckonError('storage', `${what}.`, {
    hint,
    details,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Starts the checksum of a file of `size` bytes. */
export async function startDigest(disk: Disk, digest: FileDigest, size: number): Promise<Hasher> {
  if (digest.algorithm !== 'git-blob') return disk.hasher(digest.algorithm);
  const hasher = await disk.hasher('sha1');
  hasher.update(new TextEncoder().encode(`blob ${size}\0`));
  return hasher;
}
