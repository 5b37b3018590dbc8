/** The files of a repository, as the API of Hugging Face's hub lists them; its mirrors and copies answer alike. */
import { isReckonError, ReckonError } from '../../errors.ts';
import { type Connection, getText } from '../http/connection.ts';
import { requestError } from '../http/status.ts';
import { checkPath, isMissingFile } from '../source.ts';
import type { FileDigest } from '../store/types.ts';
import type { Publication, PublishedFile } from './publication.ts';
import { type ModelOrigin, originName } from './reference.ts';

type Repository = Extract<ModelOrigin, { kind: 'repository' }>;

const COMMIT = /^[0-9a-f]{40}$/;
/** Pages of a listing: a thousand files each. */
const MAX_PAGES = 50;

function parsed(url: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw requestError(url, 'The server answered with something that is not JSON', 'Is it a model hub?', { cause });
  }
}

function digestOf(blob: unknown, lfs: unknown): FileDigest | null {
  const hex = (value: unknown, length: number) =>
    typeof value === 'string' && new RegExp(`^[0-9a-f]{${length}}$`).test(value) ? value : null;
  const { sha256, oid } = (lfs ?? {}) as { sha256?: unknown; oid?: unknown };
  const large = hex(sha256, 64) ?? hex(typeof oid === 'string' ? oid.replace(/^sha256:/, '') : null, 64);
  if (large !== null) return { algorithm: 'sha256', hex: large };
  // A large file's own blob is only a pointer to it.
  const small = lfs ? null : hex(blob, 40);
  return small === null ? null : { algorithm: 'git-blob', hex: small };
}

function fileOf(path: unknown, size: unknown, blob: unknown, lfs: unknown): PublishedFile | null {
  if (typeof path !== 'string') return null;
  try {
    checkPath(path);
  } catch {
    // Names that no file system takes are no files of a checkpoint.
    return null;
  }
  const own = (lfs as { size?: unknown } | undefined)?.size ?? size;
  return {
    path,
    size: Number.isSafeInteger(own) && (own as number) >= 0 ? (own as number) : null,
    digest: digestOf(blob, lfs),
    etag: null,
  };
}

/** The address behind `rel="next"`, if it is on the same server. */
function nextPage(url: string, link: string | null): string | null {
  const found = /<([^>]+)>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
  if (found === undefined) return null;
  const next = new URL(found, url);
  return next.origin === new URL(url).origin ? next.href : null;
}

async function listTree(connection: Connection, base: string): Promise<PublishedFile[]> {
  const files: PublishedFile[] = [];
  let url: string | null = `${base}?recursive=true`;
  for (let page = 0; url !== null && page < MAX_PAGES; page++) {
    const { text, response } = await getText(connection, url);
    const entries = parsed(url, text);
    if (!Array.isArray(entries)) throw requestError(url, 'The listing is not a list', 'Is it a model hub?');
    for (const { type, path, size, oid, lfs } of entries as Record<string, unknown>[]) {
      const file = type === 'file' ? fileOf(path, size, oid, lfs) : null;
      if (file) files.push(file);
    }
    url = nextPage(url, response.headers.get('link'));
  }
  return files;
}

/**
 * Asks the hub for the commit behind the revision, and for the files with their sizes and checksums.
 * @returns null where the server has no such API: it may still hold the files.
 * @throws ReckonError `access-denied`, `network`, `aborted`.
 */
export async function listRepository(connection: Connection, origin: Repository): Promise<Publication | null> {
  const { from, repository } = origin;
  const url = new URL(`${from}api/models/${repository}/revision/${encodeURIComponent(origin.revision)}`);
  url.searchParams.set('blobs', 'true');
  let info: { sha?: unknown; siblings?: unknown };
  try {
    info = (parsed(url.href, (await getText(connection, url.href)).text) ?? {}) as typeof info;
  } catch (error) {
    if (isMissingFile(error)) return null;
    throw refusal(error, origin);
  }
  const revision = typeof info.sha === 'string' && COMMIT.test(info.sha) ? info.sha : null;
  const siblings = Array.isArray(info.siblings) ? (info.siblings as Record<string, unknown>[]) : [];
  const files = siblings
    .map(({ rfilename, size, blobId, lfs }) => fileOf(rfilename, size, blobId, lfs))
    .filter((file) => file !== null);
  if (files.length > 0 && files.every(({ size }) => size !== null)) return { revision, files };
  // Older hubs tell sizes in the tree only.
  const tree = `${from}api/models/${repository}/tree/${encodeURIComponent(revision ?? origin.revision)}`;
  return { revision, files: await listTree(connection, tree) };
}

/** The hub says of what does not exist, too, that access is refused: nobody shall learn of private repositories. */
function refusal(error: unknown, origin: Repository): unknown {
  if (!isReckonError(error, 'access-denied')) return error;
  return new ReckonError(
    'access-denied',
    `${originName(origin)} is not open to everyone, or does not exist: the server answered ${error.details.status}.`,
    {
      hint: 'Check its name. For a gated model, accept its terms on its page, and give an access token of your account.',
      details: error.details,
      cause: error,
    },
  );
}
