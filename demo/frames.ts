/** Collects what arrives and hands it on once a frame, so that a thousand tokens a second cost one rendering each. */

/** Calls back at the next frame; returns what cancels it. */
export type FrameClock = (callback: () => void) => () => void;

/** Hidden pages get no frames; they are served this often, in milliseconds, so that nothing piles up. */
const HIDDEN_INTERVAL = 500;

/** The page's own frames, or a slow timer while it is hidden. */
export const pageFrames: FrameClock = (callback) => {
  let over = false;
  const once = () => {
    if (over) return;
    cancel();
    callback();
  };
  const frame = requestAnimationFrame(once);
  const timer = setTimeout(once, HIDDEN_INTERVAL);
  const cancel = () => {
    over = true;
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
  return cancel;
};

export class FrameBatch<T> {
  readonly #take: (items: T[]) => void;
  readonly #clock: FrameClock;
  #items: T[] = [];
  #cancel: (() => void) | null = null;

  constructor(take: (items: T[]) => void, clock: FrameClock = pageFrames) {
    this.#take = take;
    this.#clock = clock;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#cancel ??= this.#clock(() => this.flush());
  }

  /** Hands on at once what is there. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = null;
    if (this.#items.length === 0) return;
    const items = this.#items;
    this.#items = [];
    this.#take(items);
  }
}
