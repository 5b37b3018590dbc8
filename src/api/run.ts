/** A run as its caller sees it: events to iterate, a result to await, in any combination. */
import { ReckonError } from '../errors.ts';
import type { Answer, ReasoningEvent } from '../strategies/types.ts';
import type { ReasonRun } from './types.ts';

/** Does the work of a run. `signal` fires when the caller aborts, or leaves the iteration. */
export type RunWork = (emit: (event: ReasoningEvent) => void, signal: AbortSignal) => Promise<Answer>;

/**
 * Runs whether or not it is iterated; events wait for whoever iterates, once. Leaving the iteration early is an abort:
 * the run stops, and `result` is what there is by then, or rejects with `aborted` where there is nothing.
 */
export class Run implements ReasonRun {
  readonly result: Promise<Answer>;
  readonly #controller = new AbortController();
  #events: ReasoningEvent[] = [];
  #iterated = false;
  #left = false;
  #over = false;
  #failure: { error: unknown } | null = null;
  #wake: (() => void) | null = null;

  /**
   * @param work starts in the next microtask.
   * @param signal the caller's.
   */
  constructor(work: RunWork, signal?: AbortSignal) {
    this.result = this.#drive(work, signal);
    // A caller that only iterates meets the error there; the promise's own rejection is then no surprise.
    this.result.catch(() => {});
  }

  async #drive(work: RunWork, signal: AbortSignal | undefined): Promise<Answer> {
    const abort = () => this.#controller.abort(signal?.reason);
    try {
      await Promise.resolve();
      if (signal?.aborted) abort();
      signal?.addEventListener('abort', abort, { once: true });
      return await work((event) => {
        if (this.#left) return;
        this.#events.push(event);
        this.#wake?.();
      }, this.#controller.signal);
    } catch (error) {
      this.#failure = { error };
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#over = true;
      this.#wake?.();
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<ReasoningEvent, void, undefined> {
    if (this.#iterated) {
      throw new ReckonError('bad-option', 'This run has been iterated already; its events come once.', {
        hint: 'Keep the events where more than one reader wants them, or await `result`.',
      });
    }
    this.#iterated = true;
    return this.#read();
  }

  async *#read(): AsyncGenerator<ReasoningEvent, void, undefined> {
    try {
      for (;;) {
        const events = this.#events;
        this.#events = [];
        yield* events;
        if (this.#events.length > 0) continue;
        if (this.#over) {
          if (this.#failure) throw this.#failure.error;
          return;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = null;
      }
    } finally {
      this.#left = true;
      this.#events = [];
      if (!this.#over) this.#controller.abort();
    }
  }
}
