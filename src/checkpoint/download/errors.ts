/** What ends the download of a file, beyond what ends a request. */
import { ReckonError } from '../../errors.ts';
import type { FileDigest } from '../store/types.ts';

/** The server has another file there now than the one that was begun. */
export class ChangedFile extends Error {
  readonly now: { size: number | null; etag: string | null };

  constructor(now: { size: number | null; etag: string | null }) {
    super('The file has changed on its server.');
    this.now = now;
  }
}

/** The server sends whole files only. */
export class NoRanges extends Error {
  constructor() {
    super('The server answers ranges with the whole file.');
  }
}

export function changesAgain(path: string): ReckonError {
  return new ReckonError('corrupt-download', `${JSON.stringify(path)} changes on its server while it is fetched.`, {
    hint: 'Servers behind one address may differ: try again later, or another mirror.',
    details: { path },
  });
}

export function corrupt(path: string, digest: FileDigest, found: string): ReckonError {
  return new ReckonError(
    'corrupt-download',
    `${JSON.stringify(path)} is not what its publisher says: its ${digest.algorithm} is ${found}, not ${digest.hex}, and was so when it was fetched again.`,
    {
      hint: 'Something on the way changes it, or the server holds a damaged copy: try another network or mirror.',
      details: { path, algorithm: digest.algorithm, expected: digest.hex, found },
    },
  );
}
