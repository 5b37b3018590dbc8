/** A run as its caller sees it: events to iterate, a result to await, in any combination. */
import { abortedError } from '../errors.ts';
import type { Answer, ReasoningEvent } from '../strategies/types.ts';
import type { ReasonRun } from './types.ts';

/** Runs whether or not it is iterated; events wait for whoever iterates, once. */
export class Run implements ReasonRun {
  readonly result: Promise<Answer>;
  readonly #abandon: () => void;
  #events: ReasoningEvent[] = [];
  #over = false;
  #abandoned = false;
  #error: unknown = null;
  #wake: (() => void) | null = null;

  /**
   * @param work starts in the next microtask; hands events to `emit` and returns the answer.
   * @param abandon called when whoever iterates leaves before the end: the run is to stop, and its result rejects.
   */
  constructor(work: (emit: (event: ReasoningEvent) => void) => Promise<Answer>, abandon: () => void) {
    this.#abandon = abandon;
    this.result = this.#drive(work);
    // A caller that only iterates meets the error there; the promise's own rejection is then no surprise.
    this.result.catch(() => {});
  }

  async #drive(work: (emit: (event: ReasoningEvent) => void) => Promise<Answer>): Promise<Answer> {
    await Promise.resolve();
    try {
      const answer = await work((event) => {
        if (this.#abandoned) return;
        this.#events.push(event);
        this.#wake?.();
      });
      if (this.#abandoned) throw abortedError('The run');
      return answer;
    } catch (error) {
      this.#error = error;
      throw error;
    } finally {
      this.#over = true;
      this.#wake?.();
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ReasoningEvent, void, undefined> {
    try {
      while (true) {
        const events = this.#events;
        this.#events = [];
        yield* events;
        if (this.#events.length > 0) continue;
        if (this.#over) {
          if (this.#error) throw this.#error;
          return;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = null;
      }
    } finally {
      if (!this.#over) {
        this.#abandoned = true;
        this.#abandon();
      }
    }
  }
}
