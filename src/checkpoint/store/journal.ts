/**
 * What is known of a model's files on this device, as lines of JSON that are only ever added: a program that is killed
 * in the middle of one leaves a line that does not count, and all before it. The journal says that bytes are here only
 * after they are.
 */
import type { PublishedFile } from '../hub/publication.ts';
import type { ModelOrigin } from '../hub/reference.ts';
import { checkPath } from '../source.ts';
import type { DiskWriter } from './disk.ts';
import { Intervals } from './intervals.ts';
import type { FileDigest, StoredModel } from './types.ts';

export const JOURNAL = 'journal.jsonl';
const FORMAT = 'reckon-model';
const VERSION = 1;

/** One file, as the lines so far leave it. */
export interface FileState {
  readonly path: string;
  size: number | null;
  readonly digest: FileDigest | null;
  etag: string | null;
  readonly here: Intervals;
  verified: boolean;
}

/** A model, as the lines so far leave it. */
export interface JournalState {
  readonly origin: ModelOrigin;
  readonly name: string;
  readonly created: number;
  revision: string | null;
  files: Map<string, FileState>;
  /** Its deletion has begun. */
  deleted: boolean;
}

type Head = { format: string; version: number; origin: ModelOrigin; name: string; created: number };
type Line =
  | Head
  /** The files there are from now on; of those that stay as they were, what is here stays, too. */
  | { files: PublishedFile[]; revision: string | null }
  | { state: string; size: number | null; etag: string | null }
  | { here: string; start: number; end: number }
  | { reset: string }
  | { verified: string }
  | { deleted: true };

function isHead(line: unknown): line is Head {
  const head = line as Partial<Head> | null;
  return head?.format === FORMAT && head.version === VERSION && typeof head.origin === 'object';
}

/** Whether what is here of a file is a part of what is published now. */
function stillGood(old: FileState | undefined, now: PublishedFile): old is FileState {
  if (!old || (old.size !== null && now.size !== null && old.size !== now.size)) return false;
  if (old.digest && now.digest) {
    return old.digest.algorithm === now.digest.algorithm && old.digest.hex === now.digest.hex;
  }
  // Neither checksum nor state: the sizes agree, and nothing more can be known.
  return old.etag === null || now.etag === null || old.etag === now.etag;
}

function fileState(file: PublishedFile, old: FileState | undefined): FileState {
  const { path, size, digest, etag } = file;
  if (!stillGood(old, file)) return { path, size, digest, etag, here: new Intervals(), verified: false };
  const verified = old.verified && (digest === null || old.digest !== null);
  return { path, size: size ?? old.size, digest, etag: etag ?? old.etag, here: old.here, verified };
}

/** Takes one line into account. @returns false for a line that is none. */
function apply(state: JournalState, line: Exclude<Line, Head>): boolean {
  if ('files' in line) {
    const files = line.files.map(
      (file) => [checkPath(file.path), fileState(file, state.files.get(file.path))] as const,
    );
    state.files = new Map(files);
    state.revision = line.revision;
    return true;
  }
  if ('deleted' in line) return (state.deleted = true);
  const file = state.files.get(
    'state' in line ? line.state : 'here' in line ? line.here : 'reset' in line ? line.reset : line.verified,
  );
  if (!file) return false;
  if ('state' in line) Object.assign(file, { size: line.size, etag: line.etag });
  else if ('here' in line) file.here.add(line.start, line.end);
  else if ('verified' in line) file.verified = true;
  else {
    file.here.clear();
    file.verified = false;
  }
  return true;
}

/**
 * Reads a journal up to the first line that is cut off or damaged.
 * @returns the state, and the bytes of the text that count; null where it is no journal.
 */
export function readJournal(text: string): { state: JournalState; bytes: number } | null {
  const lines = text.split('\n');
  // Behind the last line end there is nothing, or a line that was cut off.
  lines.pop();
  let state: JournalState | null = null;
  let length = 0;
  for (const line of lines) {
    try {
      const value = JSON.parse(line) as Line;
      if (!state) {
        if (!isHead(value)) return null;
        const { origin, name, created } = value;
        state = { origin, name, created, revision: null, files: new Map(), deleted: false };
      } else if (!apply(state, value as Exclude<Line, Head>)) break;
    } catch {
      break;
    }
    length += line.length + 1;
  }
  return state && { state, bytes: new TextEncoder().encode(text.slice(0, length)).length };
}

/** The journal of a model that is being written: state and file, kept alike. */
export class Journal {
  readonly state: JournalState;
  readonly #file: DiskWriter;
  #position: number;

  private constructor(file: DiskWriter, state: JournalState, position: number) {
    this.#file = file;
    this.state = state;
    this.#position = position;
  }

  /** Goes on with a journal, or begins one where there is none to be read. */
  static async open(file: DiskWriter, about: { origin: ModelOrigin; name: string }): Promise<Journal> {
    const bytes = new Uint8Array(file.size);
    await file.read(bytes, 0);
    const found = readJournal(new TextDecoder().decode(bytes));
    if (found && !found.state.deleted) {
      await file.resize(found.bytes);
      return new Journal(file, found.state, found.bytes);
    }
    await file.resize(0);
    const created = Date.now();
    const state = { ...about, created, revision: null, files: new Map(), deleted: false };
    const journal = new Journal(file, state, 0);
    await journal.#append({ format: FORMAT, version: VERSION, ...about, created });
    return journal;
  }

  /** Takes note, here and on the disk. The order of lines is the order of calls. */
  async add(...lines: Exclude<Line, Head>[]): Promise<void> {
    for (const line of lines) apply(this.state, line);
    await this.#append(...lines);
  }

  async close(): Promise<void> {
    await this.#file.flush();
    await this.#file.close();
  }

  async #append(...lines: Line[]): Promise<void> {
    const bytes = new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    // The place is taken before the write is awaited: two writers do not meet.
    const at = this.#position;
    this.#position += bytes.length;
    await this.#file.write(bytes, at);
  }
}

/** A model for people and programs. */
export function storedModel(key: string, { origin, name, created, revision, files }: JournalState): StoredModel {
  const all = [...files.values()].map(({ path, size, digest, here, verified }) => ({
    path,
    size,
    bytes: here.size,
    verified,
    digest,
  }));
  const total = all.reduce<number | null>((sum, { size }) => (sum === null || size === null ? null : sum + size), 0);
  return {
    key,
    name,
    origin,
    revision,
    complete: all.length > 0 && all.every(({ verified }) => verified),
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    total: all.length === 0 ? null : total,
    files: all,
    created,
  };
}
