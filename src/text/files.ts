/** What the text room needs of a checkpoint: its text files. Any checkpoint source is one of these. */
import { isReckonError, ReckonError } from '../errors.ts';

export interface TextFiles {
  /** For messages. */
  readonly name: string;
  /** The file's text. A file that is not there: an error whose `details.missing` is true. */
  text(path: string, options?: { signal?: AbortSignal }): Promise<string>;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export interface ReadOptions {
  signal?: AbortSignal;
}

/** The file's text; `undefined` where the source does not have it. Other failures pass through. */
export async function optionalText(files: TextFiles, path: string, options: ReadOptions): Promise<string | undefined> {
  try {
    return await files.text(path, options);
  } catch (error) {
    if (isReckonError(error) && error.details.missing === true) return undefined;
    throw error;
  }
}

/** The error for a tokenizer file that cannot be used. */
export function badTokenizer(files: TextFiles, path: string, what: string, cause?: unknown): ReckonError {
  return new ReckonError('bad-tokenizer', `${path} of ${files.name} ${what}.`, {
    hint: 'A checkpoint needs tokenizer.json and tokenizer_config.json of the Hugging Face layout; download them again.',
    details: { source: files.name, path },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** @throws ReckonError `bad-tokenizer` when `text` is not a JSON object. */
export function parseObject(files: TextFiles, path: string, text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw badTokenizer(files, path, 'is not JSON', cause);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw badTokenizer(files, path, 'is not a JSON object');
}
