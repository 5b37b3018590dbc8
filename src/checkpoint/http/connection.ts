/** A client with its policy: what everything that is fetched for one model has in common. */
import { throwIfAborted } from '../../errors.ts';
import { type BeyondEnd, HttpClient, type HttpOptions, type Reply, type RequestOptions, reading } from './client.ts';
import { DEFAULT_RETRY, type RetryNotice, type RetryPolicy, retrying } from './retry.ts';
import { isTransient, requestError } from './status.ts';

export interface Connection {
  readonly client: HttpClient;
  readonly policy: RetryPolicy;
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
}

export interface ConnectionOptions extends HttpOptions {
  signal?: AbortSignal | undefined;
  retry?: Partial<RetryPolicy> | undefined;
  onRetry?: ((notice: RetryNotice) => void) | undefined;
}

export function connectionOf(options: ConnectionOptions): Connection {
  const { signal, retry, onRetry, ...http } = options;
  return { client: new HttpClient(http), policy: { ...DEFAULT_RETRY, ...retry }, signal, onRetry };
}

/** The connection, ended by `signal` instead of its own. */
export function withSignal(connection: Connection, signal: AbortSignal | undefined): Connection {
  return signal ? { ...connection, signal } : connection;
}

/** One request, tried again where that helps. */
export function request(connection: Connection, url: string, options: RequestOptions = {}): Promise<Reply | BeyondEnd> {
  const { client, policy, signal, onRetry } = connection;
  return retrying(() => client.request(url, { ...options, signal }), { policy, what: reading(url), signal, onRetry });
}

/** Headers of a file; by a GET of its first byte where the server does not answer HEAD. */
export async function head(connection: Connection, url: string): Promise<Reply | BeyondEnd> {
  try {
    const reply = await request(connection, url, { method: 'HEAD' });
    if (!('beyondEnd' in reply)) await reply.close();
    return reply;
  } catch (error) {
    const { status } = (error as { details?: { status?: unknown } }).details ?? {};
    if (status !== 405 && status !== 501) throw error;
  }
  const reply = await request(connection, url, { start: 0, end: 1 });
  if (!('beyondEnd' in reply)) await reply.close();
  return reply;
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
  throwIfAborted(signal, reading(url));
  return retrying(work, { policy, what: reading(url), signal, onRetry });
}

/**
 * Bytes `start` to `end` as a stream that survives broken connections: it asks again from where it was.
 * @throws ReckonError `network`, also from the stream, when tries are used up or the file changes meanwhile; `aborted`.
 */
export async function openRange(
  connection: Connection,
  url: string,
  { start, end }: { start: number; end: number },
): Promise<ReadableStream<Uint8Array>> {
  const first = await request(connection, url, { start, end });
  const bytes = following(connection, url, { start, end }, first);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await bytes.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: async () => void (await bytes.return()),
    },
    { highWaterMark: 0 },
  );
}

async function* following(
  connection: Connection,
  url: string,
  { start, end }: { start: number; end: number },
  first: Reply | BeyondEnd,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { policy, signal, onRetry } = connection;
  let reply: Reply | BeyondEnd | null = first;
  let position = start;
  for (let failures = 0; position < end; ) {
    if (reply === null || 'beyondEnd' in reply) return;
    // 200 to a range request: the server sends the whole file, and the part is cut out here.
    let at = reply.start;
    const { etag } = reply;
    try {
      for await (const chunk of reply.body()) {
        const part = chunk.subarray(Math.max(0, position - at), Math.max(0, Math.min(chunk.length, end - at)));
        at += chunk.length;
        position += part.length;
        if (part.length > 0) {
          failures = 0;
          yield part;
        }
        if (position >= end) return;
      }
      return;
    } catch (error) {
      if (!isTransient(error) || ++failures >= policy.attempts) throw error;
      // The failed try stands for the first of these.
      let known: unknown = error;
      const again = async () => {
        if (known) {
          const cause = known;
          known = null;
          throw cause;
        }
        return connection.client.request(url, { start: position, end, signal });
      };
      reply = await retrying(again, { policy, what: reading(url), signal, onRetry });
      if (!('beyondEnd' in reply) && etag !== null && reply.etag !== null && reply.etag !== etag) {
        await reply.close();
        throw requestError(url, 'The file has changed on its server while it was read', 'Load the model again.');
      }
    }
  }
}
