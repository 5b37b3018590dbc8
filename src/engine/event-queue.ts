/** A queue that is filled from steps and read as an async iterator, whose return value says how it ended. */
export class EventQueue<T, R> {
  readonly #items: T[] = [];
  #end: { reason: R } | { error: Error } | null = null;
  #wake: (() => void) | null = null;

  push(item: T): void {
    if (this.#end) return;
    this.#items.push(item);
    this.#wake?.();
  }

  end(reason: R): void {
    this.#end ??= { reason };
    this.#wake?.();
  }

  /** What was pushed before is still read; then the error is thrown. */
  fail(error: Error): void {
    this.#end ??= { error };
    this.#wake?.();
  }

  async *read(): AsyncGenerator<T, R, undefined> {
    let at = 0;
    while (true) {
      while (at < this.#items.length) {
        const item = this.#items[at++]!;
        // Read items are dropped in bulk, so that a long generation holds no more than what is unread.
        if (at === 1024) {
          this.#items.splice(0, at);
          at = 0;
        }
        yield item;
      }
      if (this.#end) {
        if ('error' in this.#end) throw this.#end.error;
        return this.#end.reason;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }
}
