/** What goes wrong between here and a server, as typed errors; which of it is worth another try. */
import { isReckonError, ReckonError, type ReckonErrorCode } from '../../errors.ts';
import { withoutSecrets } from '../hub/reference.ts';

export interface FailureFacts {
  code?: ReckonErrorCode;
  status?: number;
  /** Worth another try as it is. */
  transient?: boolean;
  /** Seconds that the server asked to wait. */
  retryAfter?: number;
  missing?: boolean;
  cause?: unknown;
}

/** An error of a request for `url`, whose query is not shown. */
export function requestError(url: string, what: string, hint: string, facts: FailureFacts = {}): ReckonError {
  const { code = 'network', cause, ...rest } = facts;
  const shown = withoutSecrets(url);
  return new ReckonError(code, `${what} (${shown}).`, {
    hint,
    details: { url: shown, ...rest },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** True where the same request may succeed later. */
export function isTransient(error: unknown): error is ReckonError {
  return isReckonError(error) && error.details.transient === true;
}

const OFFLINE_HINT =
  'Check the connection and the address; a page may only read other sites that allow it (CORS headers).';

/** No answer at all. */
export function unreachable(url: string, cause: unknown, transient: boolean): ReckonError {
  return requestError(url, 'The file could not be fetched', OFFLINE_HINT, { transient, cause });
}

/** Statuses that pass by themselves: timeouts, too early, too many, and a server that is broken or busy. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524]);

/** Seconds of a `Retry-After` header, which is a count or a date; undefined where there is none to read. */
export function retryAfterSeconds(value: string | null, now = Date.now()): number | undefined {
  if (value === null || value.trim() === '') return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000);
}

/** The error of an answer that is not the file. */
export function statusError(url: string, response: Response): ReckonError {
  const { status, statusText, headers } = response;
  const line = `${status}${statusText ? ` ${statusText}` : ''}`;
  if (status === 404 || status === 410) {
    return requestError(
      url,
      `The server has no such file: it answered ${line}`,
      'Check the model address and revision.',
      { status, missing: true },
    );
  }
  if (status === 401 || status === 403) {
    return requestError(
      url,
      `The server refused access: it answered ${line}`,
      'Gated and private models need an access token of someone who has accepted their terms; others may not exist.',
      { code: 'access-denied', status, missing: false },
    );
  }
  if (PASSING.has(status)) {
    const retryAfter = retryAfterSeconds(headers.get('retry-after'));
    return requestError(url, `The server answered ${line}`, 'The server is busy or broken; try again later.', {
      status,
      transient: true,
      missing: false,
      ...(retryAfter === undefined ? {} : { retryAfter }),
    });
  }
  return requestError(url, `The server answered ${line}`, 'Check the model address.', { status, missing: false });
}

/** Servers of single-page sites answer any path with their page: no checkpoint file is HTML. */
export function webPageError(url: string, status: number): ReckonError {
  return requestError(
    url,
    'The server answered with a web page instead of the file',
    'The file is probably not there: check the model address.',
    { status, missing: true },
  );
}
