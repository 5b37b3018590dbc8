/**
 * Where a checkpoint's files come from. A source knows names and bytes, nothing about what is in them; every reader of
 * checkpoints is written on this interface, so that a URL, picked files, a folder and random weights load alike.
 */
import { isReckonError, ReckonError } from '../errors.ts';

/** A part of a file: bytes `start` (default 0) up to but not including `end` (default: the file's end). */
export interface ReadOptions {
  start?: number;
  end?: number;
  signal?: AbortSignal;
}

/** Files of one checkpoint. Paths are relative, with `/`. */
export interface CheckpointSource {
  /** For people and messages: a URL, a folder's name. */
  readonly name: string;
  /** What pins the content (a commit, a tag), where the source has such a thing. */
  readonly revision?: string;
  /** The whole file as UTF-8 text. A file that is not there: an error for which `isMissingFile` holds. */
  text(path: string, options?: { signal?: AbortSignal }): Promise<string>;
  has(path: string): Promise<boolean>;
  /** Paths of all its files, where the source can tell; those of one folder at least. */
  list?(): Promise<readonly string[]>;
  /** Bytes in the file; `undefined` where the source cannot tell before reading. */
  size(path: string): Promise<number | undefined>;
  /**
   * Opens a part of a file. A range beyond the end gives what there is, possibly nothing.
   * Cancelling the stream releases whatever is behind it.
   */
  open(path: string, options?: ReadOptions): Promise<ReadableStream<Uint8Array>>;
}

/** True for the error of a source that does not have the file. */
export function isMissingFile(error: unknown): boolean {
  return isReckonError(error) && error.details.missing === true;
}

/** The error of a source that does not have the file `path`. */
export function missingFileError(source: string, path: string, cause?: unknown): ReckonError {
  return new ReckonError('bad-checkpoint', `${source} has no file ${JSON.stringify(path)}.`, {
    hint: 'A checkpoint needs config.json, tokenizer.json, tokenizer_config.json and its .safetensors files side by side.',
    details: { source, path, missing: true },
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Checks a path before it reaches a file system or a URL: shard names come from inside the checkpoint, and may be hostile.
 * @throws ReckonError `bad-checkpoint` for absolute paths, `..`, back slashes, schemes, empty parts and control characters.
 */
export function checkPath(path: string): string {
  const parts = path.split('/');
  const bad = parts.some((part) => part === '' || part === '.' || part === '..');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
  if (!bad && path.length <= 512 && !/[\\:?#\u0000-\u001f]/.test(path)) return path;
  throw new ReckonError(
    'bad-checkpoint',
    `${JSON.stringify(path.slice(0, 120))} is not a file name inside a checkpoint.`,
    {
      hint: 'Names are relative, with "/" between folders, and do not leave the checkpoint.',
      details: { path: path.slice(0, 512) },
    },
  );
}

/** Checks a range. @throws ReckonError `bad-option` unless 0 ≤ start ≤ end, whole numbers. */
export function checkRange(options: ReadOptions): { start: number; end: number } {
  const { start = 0, end = Number.POSITIVE_INFINITY } = options;
  const whole = Number.isSafeInteger(start) && (end === Number.POSITIVE_INFINITY || Number.isSafeInteger(end));
  if (whole && start >= 0 && end >= start) return { start, end };
  throw new ReckonError('bad-option', `The byte range ${start} to ${end} is not a range.`, { details: { start, end } });
}

/** A stream that gives nothing. */
export function emptyStream(): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
}
