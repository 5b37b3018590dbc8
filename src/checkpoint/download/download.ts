/** A model on its way to this device: finds out what there is, fetches what is missing, checks it, and can stop anywhere. */
import { abortedError, ReckonError, throwIfAborted } from '../../errors.ts';
import type { Connection, ConnectionOptions } from '../http/connection.ts';
import { sleep } from '../http/retry.ts';
import { publicationOf } from '../hub/list.ts';
import { connect, fileUrl, folderUrl } from '../hub/publication.ts';
import { type ModelOrigin, originName } from '../hub/reference.ts';
import { type Disk, type Release, storageError } from '../store/disk.ts';
import { FILES, readEntry } from '../store/entry.ts';
import { JOURNAL, Journal, storedModel } from '../store/journal.ts';
import type { DownloadOptions, StoredModel } from '../store/types.ts';
import { FileDownload } from './file.ts';
import { Meter } from './meter.ts';
import { allOrNone, Slots } from './slots.ts';

/** How a download is done; the defaults suit a person's connection. */
export interface DownloadSettings extends DownloadOptions, Pick<ConnectionOptions, 'fetch' | 'stallSeconds' | 'retry'> {
  /** Most bytes that one request asks for. */
  partBytes?: number;
  /** Most bytes and seconds that a killed program loses. */
  noteBytes?: number;
  noteSeconds?: number;
}

const DEFAULT_CONNECTIONS = 4;
/** Large enough that asking costs little, small enough that the checksum is never far behind. */
const PART_BYTES = 32 * 2 ** 20;
const NOTE_BYTES = 16 * 2 ** 20;
const NOTE_SECONDS = 2;
/** Seconds between two looks whether another program is done. */
const LOCK_SECONDS = 0.5;
/** Bytes that a disk needs beside the files themselves. */
const MARGIN = 2 ** 20;

async function lockWhenFree(disk: Disk, key: string, signal: AbortSignal | undefined, meter: Meter): Promise<Release> {
  for (;;) {
    const release = await disk.lock(key);
    if (release) return release;
    meter.phase('waiting');
    await sleep(LOCK_SECONDS, signal, 'The download');
  }
}

/** Refuses what does not fit before the first byte is fetched. */
async function checkSpace(disk: Disk, model: StoredModel, others: readonly StoredModel[]): Promise<void> {
  const needed = model.files.reduce((sum, { size, bytes }) => sum + Math.max(0, (size ?? 0) - bytes), 0);
  const { free } = await disk.space();
  if (free === null || needed === 0 || needed + MARGIN <= free) return;
  const lacking = needed + MARGIN - free;
  // The smallest one that is enough, or all, largest first.
  const sorted = [...others].filter(({ bytes }) => bytes > 0).sort((a, b) => a.bytes - b.bytes);
  const enough = sorted.find(({ bytes }) => bytes >= lacking);
  const shown = (enough ? [enough] : sorted.reverse()).map(({ name, bytes }) => `${name} (${megabytes(bytes)})`);
  throw storageError(
    `${model.name} needs ${megabytes(needed)} more, and ${disk.name} has room for ${megabytes(free)}`,
    shown.length > 0
      ? `Choose a smaller model or one quantised to fewer bits, or delete ${shown.join(', ')}.`
      : 'Choose a smaller model or one quantised to fewer bits, or free some space.',
    { needed, free, lacking, stored: others.map(({ key, bytes }) => ({ key, bytes })) },
  );
}

function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${Math.ceil(bytes / 1e5) / 10} MB`;
}

/**
 * Brings a model to the disk. What is here already is not fetched again, whether from an earlier session that ended in the
 * middle or from another revision with the same files; a model that is complete needs no network.
 * @param others What else is stored, for the message where there is no room.
 * @throws ReckonError `network`, `access-denied`, `corrupt-download`, `storage`, `bad-checkpoint`, `bad-option`, `aborted`.
 *   What is here by then is kept.
 */
export async function downloadModel(
  disk: Disk,
  key: string,
  origin: ModelOrigin,
  settings: DownloadSettings = {},
  others: () => Promise<readonly StoredModel[]> = async () => [],
): Promise<StoredModel> {
  const { signal, onProgress, update = false } = settings;
  const meter = new Meter(onProgress);
  const done = (model: StoredModel) => {
    const files = { done: model.files.length, total: model.files.length };
    meter.phase('done', { loaded: model.bytes, total: model.bytes, files });
    return model;
  };
  throwIfAborted(signal, 'The download');
  const before = await readEntry(disk, key);
  if (before?.complete && !update) return done(before);
  const release = await lockWhenFree(disk, key, signal, meter);
  try {
    const found = await readEntry(disk, key);
    if (found?.complete && !update) return done(found);
    const stop = new AbortController();
    const abort = () => stop.abort(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    const journal = await Journal.open(await disk.writer(`${key}/${JOURNAL}`), { origin, name: originName(origin) });
    try {
      const { token, fetch, stallSeconds, retry } = settings;
      const connection = connect(origin, {
        token,
        retry,
        signal: stop.signal,
        onRetry: ({ error, wait }) => meter.trouble(`${error.message} Next try in ${Math.ceil(wait)} s.`),
        ...(fetch ? { fetch } : {}),
        ...(stallSeconds === undefined ? {} : { stallSeconds }),
      });
      const gone = await list(journal, connection, meter, update);
      for (const path of gone) await disk.remove(`${key}/${FILES}/${path}`);
      await checkSpace(disk, storedModel(key, journal.state), await others());
      await transfer(disk, key, journal, connection, settings, meter, stop);
      return done(storedModel(key, journal.state));
    } catch (error) {
      if (signal?.aborted) throw abortedError('The download', signal);
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
      await journal.close();
    }
  } finally {
    await release();
  }
}

/**
 * Asks what there is, unless that is known and pinned: then the files of that commit are what is still wanted.
 * @returns paths of files that are no longer a part of it.
 */
async function list(journal: Journal, connection: Connection, meter: Meter, update: boolean): Promise<string[]> {
  const { state } = journal;
  if (state.files.size > 0 && state.revision !== null && !update) return [];
  const before = [...state.files.keys()];
  meter.phase('listing');
  const { files, revision } = await publicationOf(connection, state.origin);
  if (files.length === 0) throw new ReckonError('bad-checkpoint', `${state.name} has no files.`);
  await journal.add({ files: [...files], revision });
  return before.filter((path) => !state.files.has(path));
}

async function transfer(
  disk: Disk,
  key: string,
  journal: Journal,
  connection: Connection,
  settings: DownloadSettings,
  meter: Meter,
  stop: AbortController,
): Promise<void> {
  const { connections = DEFAULT_CONNECTIONS, partBytes = PART_BYTES } = settings;
  const { noteBytes = NOTE_BYTES, noteSeconds = NOTE_SECONDS } = settings;
  const slots = new Slots(connections);
  const states = [...journal.state.files.values()];
  const base = folderUrl(journal.state.origin, journal.state.revision);
  const downloads: FileDownload[] = [];
  const counts = () => ({
    loaded: downloads.reduce((sum, { bytes }) => sum + bytes, 0),
    total: states.reduce((sum, { size }) => sum + (size ?? 0), 0),
    files: { done: states.filter(({ verified }) => verified).length, total: states.length },
  });
  for (const state of states) {
    downloads.push(
      new FileDownload({
        ...{ disk, journal, state, connection, slots, partBytes, noteBytes, noteSeconds, signal: stop.signal },
        path: `${key}/${FILES}/${state.path}`,
        url: fileUrl(base, state.path),
        onBytes(received) {
          if (received > 0) meter.receive(received);
          meter.tick(() => ({ ...counts(), phase: arrived() ? 'verifying' : 'downloading' }));
        },
      }),
    );
  }
  const arrived = () => states.every(({ size, verified }, i) => verified || downloads[i]!.bytes === size);
  meter.phase('downloading', counts());
  await allOrNone(
    downloads.map((download) => download.run()),
    (error) => stop.abort(error),
  );
}
