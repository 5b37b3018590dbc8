/**
 * One sequence for many lanes: whoever works has it to itself. The lane that had the last turn comes first if it wants another,
 * since for all others the sequence is computed anew.
 */

interface Waiting {
  readonly who: object;
  readonly start: () => Promise<void>;
}

/** Behind whatever the last turn's own promise sets off. */
const breath = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

export class Turns {
  readonly #waiting: Waiting[] = [];
  #last: object | null = null;
  #busy = false;

  /** Runs `work` when it is the turn of `who`. */
  take<T>(who: object, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ who, start: () => work().then(resolve, reject) });
      if (!this.#busy) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const at = Math.max(
        0,
        this.#waiting.findIndex(({ who }) => who === this.#last),
      );
      const [next] = this.#waiting.splice(at, 1);
      this.#last = next!.who;
      await next!.start();
      if (this.#waiting.length > 0) await breath();
    }
    this.#busy = false;
  }
}
