/** One model on a disk: a folder with its journal, and beside it the files as their publisher has laid them out. */
import { type ModelOrigin, originName } from '../hub/reference.ts';
import type { Disk } from './disk.ts';
import { JOURNAL, readJournal, storedModel } from './journal.ts';
import type { StoredModel } from './types.ts';

/** Folder of the files, in the folder of the model. */
export const FILES = 'files';

/**
 * Name of a model's folder: what it is, readable, and a checksum of exactly that. The server is no part of a repository's
 * identity: a mirror has the same files.
 */
export async function entryKey(disk: Disk, origin: ModelOrigin): Promise<string> {
  const identity =
    origin.kind === 'url'
      ? ['url', origin.url, origin.file]
      : ['repository', origin.repository, origin.revision, origin.file];
  const hasher = await disk.hasher('sha256');
  hasher.update(new TextEncoder().encode(JSON.stringify(identity)));
  const readable = originName(origin)
    .replace(/^https?:\/\//, '')
    .replace(/[^\w.-]+/g, '--')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 80);
  return `${readable}-${hasher.hex().slice(0, 12)}`;
}

/** What is stored by that name; null where there is nothing, or nothing that can be told. */
export async function readEntry(disk: Disk, key: string): Promise<StoredModel | null> {
  const text = await disk.text(`${key}/${JOURNAL}`);
  const found = text === null ? null : readJournal(text);
  return found && !found.state.deleted ? storedModel(key, found.state) : null;
}
