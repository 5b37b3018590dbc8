/** A fixed number of slots, given in the order they are asked for. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Runs `work` when a slot is free, and frees it after. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/**
 * Waits for all, and stops the others as soon as one fails.
 * @param stop called once, with the error of the first to fail.
 * @throws that error, when all have ended.
 */
export async function allOrNone(work: readonly Promise<unknown>[], stop: (error: unknown) => void): Promise<void> {
  let first: { error: unknown } | null = null;
  await Promise.all(
    work.map((item) =>
      item.catch((error: unknown) => {
        if (first) return;
        first = { error };
        stop(error);
      }),
    ),
  );
  // Assigned in a callback, which the type checker does not follow.
  const failed = first as { error: unknown } | null;
  if (failed) throw failed.error;
}
