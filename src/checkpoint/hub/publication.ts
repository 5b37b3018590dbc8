/** What a server offers: the files of one model at one revision, with what is known of each before it is fetched. */
import { throwIfAborted } from '../../errors.ts';
import { HttpClient, type HttpOptions } from '../http/client.ts';
import { DEFAULT_RETRY, type RetryNotice, type RetryPolicy, retrying } from '../http/retry.ts';
import { requestError } from '../http/status.ts';
import { checkPath } from '../source.ts';
import type { FileDigest } from '../store/types.ts';
import { type ModelOrigin, withoutSecrets } from './reference.ts';

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

/** Everything that goes over the network for one model goes through one of these. */
export interface Connection {
  readonly client: HttpClient;
  readonly policy: RetryPolicy;
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
}

export interface ConnectionOptions extends HttpOptions {
  token?: string | undefined;
  signal?: AbortSignal | undefined;
  retry?: Partial<RetryPolicy> | undefined;
  onRetry?: ((notice: RetryNotice) => void) | undefined;
}

export function connect(origin: ModelOrigin, options: ConnectionOptions = {}): Connection {
  const { token, signal, retry, onRetry, ...http } = options;
  const server = new URL(origin.kind === 'url' ? origin.url : origin.from).origin;
  const client = new HttpClient({ ...http, ...(token ? { authorization: { token, origin: server } } : {}) });
  return { client, policy: { ...DEFAULT_RETRY, ...retry }, signal, onRetry };
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

/** Most bytes of a file that is read as text: configurations, indices, tokenizers. */
const MAX_TEXT = 256 * 2 ** 20;

/** A whole file as text, tried again where that helps. @throws ReckonError `network`, `access-denied`, `aborted`. */
export function getText(connection: Connection, url: string): Promise<{ text: string; response: Response }> {
  const { client, policy, signal, onRetry } = connection;
  const work = async () => {
    const reply = await client.request(url, { signal });
    if ('beyondEnd' in reply) throw requestError(url, 'The server answered 416', 'Check the model address.');
    const decoder = new TextDecoder();
    let text = '';
    let bytes = 0;
    for await (const chunk of reply.body()) {
      bytes += chunk.length;
      if (bytes > MAX_TEXT) throw requestError(url, 'The file is no text: it goes on and on', 'Check the address.');
      text += decoder.decode(chunk, { stream: true });
    }
    return { text: text + decoder.decode(), response: reply.response };
  };
  throwIfAborted(signal, withoutSecrets(url));
  return retrying(work, { policy, what: `Reading ${withoutSecrets(url)}`, signal, onRetry });
}
