/**
 * One request at a time, made safe to build on: a typed error for everything that is not the bytes asked for, a limit on
 * silence, and the token only where it belongs.
 */
import { abortedError, isReckonError, type ReckonError, throwIfAborted } from '../../errors.ts';
import { withoutSecrets } from '../hub/reference.ts';
import { requestError, statusError, unreachable, webPageError } from './status.ts';

export interface HttpOptions {
  /** Used instead of the global `fetch`. */
  fetch?: typeof fetch;
  /** Sent with every request. */
  headers?: Record<string, string>;
  /** Sent as a bearer token to `origin`; on a redirect elsewhere `fetch` itself leaves it behind. */
  authorization?: { token: string; origin: string };
  /** Longest time without an answer or a byte. Default 30. */
  stallSeconds?: number;
}

export interface RequestOptions {
  method?: 'GET' | 'HEAD';
  /** First byte wanted; with `end`, the byte behind the last. */
  start?: number;
  end?: number;
  signal?: AbortSignal | undefined;
}

/** An answer that holds the file or the part asked for. */
export interface Reply {
  readonly response: Response;
  /** First byte of what comes: 0 where the server sends the whole file instead of the part. */
  readonly start: number;
  /** The server answered a range with a range. */
  readonly partial: boolean;
  /** Bytes of the whole file, where the server tells; not of a compressed answer. */
  readonly total: number | null;
  /** Names this state of the file. */
  readonly etag: string | null;
  /** Chunks as they come. Leaving the loop ends the connection. @throws ReckonError `network` (transient), `aborted`. */
  body(): AsyncGenerator<Uint8Array, void, undefined>;
  /** Ends the connection of an answer that is not read. */
  close(): Promise<void>;
}

/** The range lies beyond the file's end, which may have moved. */
export interface BeyondEnd {
  readonly beyondEnd: true;
  readonly total: number | null;
}

const DEFAULT_STALL_SECONDS = 30;
/** Tries of a server that has never answered. */
const MISSES = 3;

/** `etag` where the server has one, else the time of the last change: either names a state of the file. */
function stateOf({ headers }: Response): string | null {
  return headers.get('etag') ?? headers.get('last-modified');
}

function whole(value: string | null | undefined): number | null {
  return value !== null && value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : null;
}

export class HttpClient {
  readonly #fetch: typeof fetch;
  readonly #options: HttpOptions;
  readonly #stall: number;
  /** A server that has never answered is not waited for as long as one that has. */
  #answered = false;
  #misses = 0;

  constructor(options: HttpOptions = {}) {
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#options = options;
    this.#stall = (options.stallSeconds ?? DEFAULT_STALL_SECONDS) * 1000;
  }

  /** One try. @throws ReckonError `network`, `access-denied`, `aborted`; see `isTransient`. */
  async request(url: string, options: RequestOptions = {}): Promise<Reply | BeyondEnd> {
    const { method = 'GET', start = 0, end = Number.POSITIVE_INFINITY, signal } = options;
    throwIfAborted(signal, reading(url));
    const attempt = new AbortController();
    const either = signal ? AbortSignal.any([signal, attempt.signal]) : attempt.signal;
    const ranged = method === 'GET' && (start > 0 || end !== Number.POSITIVE_INFINITY);
    const headers = this.#headers(url);
    if (ranged) headers.range = `bytes=${start}-${end === Number.POSITIVE_INFINITY ? '' : end - 1}`;
    const response = await this.#unlessSilent(
      url,
      this.#fetch(url, { method, headers, signal: either }),
      attempt,
      either,
    );
    this.#answered = true;
    const discard = async () => {
      attempt.abort();
      await response.body?.cancel().catch(() => {});
    };
    if (ranged && response.status === 416) {
      await discard();
      return { beyondEnd: true, total: whole(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]) };
    }
    const failure = failureOf(url, response, ranged ? start : null);
    if (failure) {
      await discard();
      throw failure;
    }
    return this.#reply(url, response, { ranged, start, attempt, either, discard });
  }

  #headers(url: string): Record<string, string> {
    const { headers, authorization } = this.#options;
    const mine = authorization && new URL(url).origin === authorization.origin;
    return { ...headers, ...(mine ? { authorization: `Bearer ${authorization.token}` } : {}) };
  }

  #reply(
    url: string,
    response: Response,
    request: {
      ranged: boolean;
      start: number;
      attempt: AbortController;
      either: AbortSignal;
      discard: () => Promise<void>;
    },
  ): Reply {
    const { attempt, either, discard } = request;
    const partial = request.ranged && response.status === 206;
    const coding = response.headers.get('content-encoding');
    const plain = !coding || coding === 'identity';
    const length = plain ? whole(response.headers.get('content-length')) : null;
    const total = partial ? whole(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]) : length;
    let received = 0;
    const unlessSilent = <T>(work: Promise<T>) =>
      this.#unlessSilent(url, work, attempt, either, (cause) => broken(url, received, cause));
    return {
      response,
      start: partial ? request.start : 0,
      partial,
      total,
      etag: stateOf(response),
      close: discard,
      async *body() {
        const reader = response.body?.getReader();
        try {
          while (reader) {
            const { done, value } = await unlessSilent(reader.read());
            if (done) break;
            received += value.length;
            yield value;
          }
          // An answer that ends early ends like any other where the server closes the connection politely.
          if (length !== null && received < length) throw broken(url, received, undefined);
        } finally {
          attempt.abort();
          await reader?.cancel().catch(() => {});
        }
      },
    };
  }

  #unreachable(url: string, cause: unknown): ReckonError {
    return unreachable(url, cause, this.#answered || ++this.#misses < MISSES);
  }

  /** The promise, an abort, or the end of patience. */
  #unlessSilent<T>(
    url: string,
    work: Promise<T>,
    attempt: AbortController,
    signal: AbortSignal,
    failed: (cause: unknown) => ReckonError = (cause) => this.#unreachable(url, cause),
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const abort = () => settle(() => reject(abortedError(reading(url), signal)));
      const settle = (then: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        then();
      };
      const timer = setTimeout(() => {
        const what = `The server sent nothing for ${this.#stall / 1000} s`;
        settle(() => reject(requestError(url, what, 'Try again.', { transient: true })));
        attempt.abort();
      }, this.#stall);
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
      work.then(
        (value) => settle(() => resolve(value)),
        (error) => settle(() => reject(isReckonError(error) ? error : failed(error))),
      );
    });
  }
}

/** Names the work in the error of an abort. */
export function reading(url: string): string {
  return `Reading ${withoutSecrets(url)}`;
}

function broken(url: string, received: number, cause: unknown): ReckonError {
  return requestError(url, `The connection broke after ${received} bytes`, 'Try again.', {
    transient: true,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What is wrong with an answer, if anything. @param start of the range asked for, null where the file was. */
function failureOf(url: string, response: Response, start: number | null): ReckonError | null {
  if (!response.ok) return statusError(url, response);
  if ((response.headers.get('content-type') ?? '').startsWith('text/html')) return webPageError(url, response.status);
  const given = whole(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1]);
  if (start !== null && response.status === 206 && given !== null && given !== start) {
    return requestError(
      url,
      `Asked for bytes from ${start}, the server sent them from ${given}`,
      'The server mishandles ranges; use another.',
      { status: 206 },
    );
  }
  return null;
}
