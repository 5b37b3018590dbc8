/** Trying again: exponential back-off with jitter, at most as often as the policy says, never before the server asks. */
import { abortedError, type ReckonError, throwIfAborted } from '../../errors.ts';
import { isTransient } from './status.ts';

export interface RetryPolicy {
  /** Tries in a row without a byte of progress before it is given up. */
  readonly attempts: number;
  /** The first wait is up to this, each further one up to twice the one before. */
  readonly baseSeconds: number;
  readonly maxSeconds: number;
  /** A server that asks for a longer wait is not waited for. */
  readonly maxRetryAfterSeconds: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export const DEFAULT_RETRY: RetryPolicy = {
  attempts: 6,
  baseSeconds: 0.5,
  maxSeconds: 30,
  maxRetryAfterSeconds: 300,
  random: Math.random,
};

/**
 * Seconds before try `failures + 1`: between half and the whole of an exponentially growing step, so that many clients
 * of a server that comes back do not come at once, and none comes immediately.
 */
export function backOff(policy: RetryPolicy, failures: number): number {
  const step = Math.min(policy.maxSeconds, policy.baseSeconds * 2 ** (failures - 1));
  return step * (0.5 + policy.random() / 2);
}

/** Waits. @throws ReckonError `aborted` as soon as `signal` fires. */
export function sleep(seconds: number, signal: AbortSignal | undefined, what: string): Promise<void> {
  throwIfAborted(signal, what);
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(abortedError(what, signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** A failure that will be tried again. */
export interface RetryNotice {
  readonly error: ReckonError;
  /** Seconds until then. */
  readonly wait: number;
}

/**
 * Runs `work` until it succeeds, fails for good, or has failed `attempts` times in a row.
 * @param work told by `progressed` that a try got further than those before: the count starts anew.
 * @throws whatever `work` fails with for good; the last transient error; `aborted`.
 */
export async function retrying<T>(
  work: (progressed: () => void) => Promise<T>,
  options: {
    policy: RetryPolicy;
    what: string;
    signal?: AbortSignal | undefined;
    onRetry?: ((notice: RetryNotice) => void) | undefined;
  },
): Promise<T> {
  const { policy, what, signal, onRetry } = options;
  // A signal of its own: many works may wait at a time, and Node warns of many listeners on one signal.
  const own = signal && AbortSignal.any([signal]);
  let failures = 0;
  for (;;) {
    throwIfAborted(signal, what);
    try {
      return await work(() => {
        failures = 0;
      });
    } catch (error) {
      if (signal?.aborted) throw abortedError(what, signal);
      if (!isTransient(error) || ++failures >= policy.attempts) throw error;
      const asked = typeof error.details.retryAfter === 'number' ? error.details.retryAfter : 0;
      if (asked > policy.maxRetryAfterSeconds) throw error;
      const wait = Math.max(asked, backOff(policy, failures));
      onRetry?.({ error, wait });
      await sleep(wait, own, what);
    }
  }
}
