/** Events on their way to the page: many small ones as few messages, in order, and no more than the page can take. */

/** Milliseconds that an event waits for company: a frame. */
const INTERVAL = 16;

export class Batches<T> {
  readonly #send: (items: T[]) => Promise<unknown>;
  #items: T[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #sending: Promise<void> | null = null;

  /** @param send resolves when the receiver has taken the items; the next batch waits for that. */
  constructor(send: (items: T[]) => Promise<unknown>) {
    this.#send = send;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#timer ??= setTimeout(() => void this.#sendDue(), INTERVAL);
  }

  /** Sends what waits. Resolves when all that was pushed has been taken, or the receiver is gone. */
  async flush(): Promise<void> {
    while (this.#items.length > 0 || this.#sending) await (this.#sending ?? this.#sendDue());
  }

  async #sendDue(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#sending || this.#items.length === 0) return;
    const items = this.#items;
    this.#items = [];
    this.#sending = this.#send(items)
      // A receiver that fails is told of the run by its outcome.
      .catch(() => {})
      .then(() => {
        this.#sending = null;
        if (this.#items.length > 0) this.#timer ??= setTimeout(() => void this.#sendDue(), INTERVAL);
      });
    await this.#sending;
  }
}
