/** A checkpoint behind a URL: plain fetch, and `Range` where only a part is asked for. */
import { abortedError, ReckonError, throwIfAborted } from '../errors.ts';
import {
  type CheckpointSource,
  checkPath,
  checkRange,
  emptyStream,
  isMissingFile,
  type ReadOptions,
} from './source.ts';

export interface UrlSourceOptions {
  /** Used instead of the global `fetch`. */
  fetch?: typeof fetch;
  /** Sent with every request (an access token, say). */
  headers?: Record<string, string>;
  revision?: string;
}

const OFFLINE_HINT =
  'Check the connection and the address; a page may only read other sites that allow it (CORS headers).';

function networkError(url: string, what: string, hint: string, extra: { status?: number; cause?: unknown } = {}) {
  const { status, cause } = extra;
  return new ReckonError('network', `${what} (${url}).`, {
    hint,
    details: { url, ...(status === undefined ? {} : { status, missing: status === 404 || status === 410 }) },
    ...(cause === undefined ? {} : { cause }),
  });
}

function statusError(url: string, response: Response): ReckonError {
  const { status, statusText } = response;
  const line = `${status}${statusText ? ` ${statusText}` : ''}`;
  if (status === 404 || status === 410) {
    return networkError(
      url,
      `The server has no such file: it answered ${line}`,
      'Check the model address and revision.',
      { status },
    );
  }
  if (status === 401 || status === 403) {
    return networkError(
      url,
      `The server refused access: it answered ${line}`,
      'Gated models need an access token in `headers`.',
      { status },
    );
  }
  const hint =
    status === 429 || status >= 500 ? 'The server is busy or broken; try again later.' : 'Check the model address.';
  return networkError(url, `The server answered ${line}`, hint, { status });
}

/** Absolute form of `base`, ending in a slash. */
function resolveBase(base: string): string {
  const page = typeof location === 'undefined' ? undefined : location.href;
  let url: URL;
  try {
    url = new URL(base, page);
  } catch (cause) {
    throw new ReckonError('bad-option', `${JSON.stringify(base)} is not a URL.`, {
      hint: 'Give the folder of the checkpoint, such as https://example.org/models/proto/.',
      details: { base },
      cause,
    });
  }
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url.href;
}

/** Cuts `skip` leading bytes, ends after `length` bytes, and turns a broken connection into a typed error. */
function cut(
  body: ReadableStream<Uint8Array>,
  url: string,
  { skip, length, signal }: { skip: number; length: number; signal: AbortSignal | undefined },
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let toSkip = skip;
  let left = length;
  let received = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          received += value.length;
          const from = Math.min(toSkip, value.length);
          toSkip -= from;
          const part = value.subarray(from, Math.min(value.length, from + left));
          left -= part.length;
          if (part.length > 0) controller.enqueue(part);
          if (left === 0) {
            await reader.cancel();
            return controller.close();
          }
          if (part.length > 0) return;
        }
      } catch (cause) {
        if (signal?.aborted) throw abortedError(`Reading ${url}`, signal);
        throw networkError(url, `The connection broke after ${received} bytes`, 'Try again.', { cause });
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/**
 * A checkpoint whose files lie under one URL, e.g. `https://huggingface.co/<owner>/<name>/resolve/<revision>/`.
 * @param base Absolute, or relative to the page where there is one.
 * @throws ReckonError `bad-option` when `base` is no URL. Its methods throw `network` with `details {url, status?}`.
 */
export function urlSource(base: string, options: UrlSourceOptions = {}): CheckpointSource {
  const root = resolveBase(base);
  const request = options.fetch ?? ((input: RequestInfo | URL, init?: RequestInit) => fetch(input, init));

  function urlOf(path: string): string {
    const url = new URL(root);
    url.pathname += checkPath(path).split('/').map(encodeURIComponent).join('/');
    return url.href;
  }

  async function send(url: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
    throwIfAborted(signal, `Reading ${url}`);
    const headers = { ...options.headers, ...(init.headers as Record<string, string> | undefined) };
    try {
      return await request(url, { ...init, headers, ...(signal ? { signal } : {}) });
    } catch (cause) {
      if (signal?.aborted) throw abortedError(`Reading ${url}`, signal);
      throw networkError(url, 'The file could not be fetched', OFFLINE_HINT, { cause });
    }
  }

  async function checked(url: string, response: Response): Promise<Response> {
    const failed = !response.ok;
    // Servers of single-page sites answer any path with their page: no checkpoint file is HTML.
    const page = !failed && (response.headers.get('content-type') ?? '').startsWith('text/html');
    if (!failed && !page) return response;
    await response.body?.cancel();
    if (failed) throw statusError(url, response);
    throw new ReckonError('network', `The server answered with a web page instead of the file (${url}).`, {
      hint: 'The file is probably not there: check the model address.',
      details: { url, status: response.status, missing: true },
    });
  }

  /** Headers of the file; a GET of its first byte where the server does not answer HEAD. */
  async function head(path: string): Promise<Response> {
    const url = urlOf(path);
    const response = await send(url, { method: 'HEAD' });
    if (response.status !== 405 && response.status !== 501) return checked(url, response);
    const probe = await checked(url, await send(url, { headers: { range: 'bytes=0-0' } }));
    await probe.body?.cancel();
    return probe;
  }

  return {
    name: root,
    ...(options.revision === undefined ? {} : { revision: options.revision }),

    async text(path, { signal } = {}) {
      const url = urlOf(path);
      const response = await checked(url, await send(url, {}, signal));
      try {
        return await response.text();
      } catch (cause) {
        if (signal?.aborted) throw abortedError(`Reading ${url}`, signal);
        throw networkError(url, 'The connection broke', 'Try again.', { cause });
      }
    },

    async has(path) {
      try {
        await head(path);
        return true;
      } catch (error) {
        if (isMissingFile(error)) return false;
        throw error;
      }
    },

    async size(path) {
      const { headers } = await head(path);
      const total = /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1];
      if (total !== undefined) return Number(total);
      // A compressed answer's length is not the file's.
      const coding = headers.get('content-encoding');
      if (coding && coding !== 'identity') return undefined;
      const length = headers.get('content-length');
      return length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
    },

    async open(path, readOptions: ReadOptions = {}) {
      const { signal } = readOptions;
      const { start, end } = checkRange(readOptions);
      const url = urlOf(path);
      if (start === end) return emptyStream();
      const ranged = start > 0 || end !== Number.POSITIVE_INFINITY;
      const range = `bytes=${start}-${end === Number.POSITIVE_INFINITY ? '' : end - 1}`;
      const response = await send(url, ranged ? { headers: { range } } : {}, signal);
      if (ranged && response.status === 416) {
        await response.body?.cancel();
        return emptyStream();
      }
      await checked(url, response);
      if (!response.body) return emptyStream();
      const partial = response.status === 206;
      const given = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
      if (partial && given !== undefined && Number(given) !== start) {
        await response.body.cancel();
        throw networkError(
          url,
          `Asked for bytes from ${start}, the server sent them from ${given}`,
          'The server mishandles ranges; use another.',
          { status: 206 },
        );
      }
      // 200 to a range request: the server sends the whole file, and the part is cut out here.
      return cut(response.body, url, { skip: partial ? 0 : start, length: end - start, signal });
    },
  };
}
