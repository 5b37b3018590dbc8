/** What a server offers: the files of one model at one revision, with what is known of each before it is fetched. */
import { type Connection, type ConnectionOptions, connectionOf } from '../http/connection.ts';
import { checkPath } from '../source.ts';
import type { FileDigest } from '../store/types.ts';
import type { ModelOrigin } from './reference.ts';

export interface PublishedFile {
  readonly path: string;
  readonly size: number | null;
  /** Null where the publisher gives none. */
  readonly digest: FileDigest | null;
  /** What its server calls this state of it, where it was asked. */
  readonly etag: string | null;
}

export interface Publication {
  /** The commit; null where the server knows no such thing. */
  readonly revision: string | null;
  readonly files: readonly PublishedFile[];
}

/** A connection to the server of `origin`, with the token if there is one: it goes to that server and nowhere else. */
export function connect(origin: ModelOrigin, options: ConnectionOptions & { token?: string | undefined }): Connection {
  const { token, ...rest } = options;
  const server = new URL(origin.kind === 'url' ? origin.url : origin.from).origin;
  return connectionOf({ ...rest, ...(token ? { authorization: { token, origin: server } } : {}) });
}

/** Address of `path` below the folder `base`, whose query is kept. */
export function fileUrl(base: string, path: string): string {
  const url = new URL(base);
  url.pathname += checkPath(path).split('/').map(encodeURIComponent).join('/');
  return url.href;
}

/** The folder of a model's files. @param revision The commit where it is known. */
export function folderUrl(origin: ModelOrigin, revision: string | null): string {
  if (origin.kind === 'url') return origin.url;
  const pinned = encodeURIComponent(revision ?? origin.revision);
  return `${origin.from}${origin.repository}/resolve/${pinned}/`;
}
