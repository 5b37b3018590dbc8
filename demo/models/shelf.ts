/** What is kept on this device and what is on its way: the chooser's state, without its looks. */
import { type ModelOrigin, originName } from '../../src/checkpoint/hub/reference.ts';
import type { DownloadProgress, StorageSpace, StoredModel } from '../../src/checkpoint/store/types.ts';
import { isReckonError } from '../../src/errors.ts';
import { explain, type Trouble } from '../trouble.ts';
import type { Keeper } from './keeper.ts';

export interface Download {
  readonly name: string;
  readonly progress: DownloadProgress | null;
  /** It was cancelled and is ending. */
  readonly ending: boolean;
}

export interface ShelfState {
  /** The store has answered once: before, `stored` says nothing. */
  readonly looked: boolean;
  readonly stored: readonly StoredModel[];
  readonly space: StorageSpace | null;
  readonly download: Download | null;
  readonly trouble: Trouble | null;
}

export const EMPTY_SHELF: ShelfState = { looked: false, stored: [], space: null, download: null, trouble: null };

export class Shelf {
  readonly #keeper: Keeper;
  readonly #changed: (state: ShelfState) => void;
  #state = EMPTY_SHELF;
  #stop: AbortController | null = null;

  /** @param changed called with each new state. */
  constructor(keeper: Keeper, changed: (state: ShelfState) => void) {
    this.#keeper = keeper;
    this.#changed = changed;
  }

  get state(): ShelfState {
    return this.#state;
  }

  /** Looks again at what is here. Never rejects: what went wrong is the state. */
  async refresh(): Promise<void> {
    this.#set(await this.#look());
  }

  /** What is here, as a change of the state. Never rejects either. */
  async #look(): Promise<Partial<ShelfState>> {
    try {
      const [stored, space] = await Promise.all([this.#keeper.list(), this.#keeper.space()]);
      return { looked: true, stored, space };
    } catch (error) {
      return { looked: true, trouble: explain(error, 'load') };
    }
  }

  /**
   * Brings a model here, one at a time.
   * @param token for gated repositories; it goes to their server and is not kept.
   * @returns whether all of it is here; false when it was cancelled or failed.
   */
  async download(
    origin: ModelOrigin,
    { token, keep }: { token?: string | undefined; keep: boolean },
  ): Promise<boolean> {
    if (this.#stop) return false;
    const stop = new AbortController();
    const name = originName(origin);
    this.#stop = stop;
    this.#set({ download: { name, progress: null, ending: false }, trouble: null });
    let trouble: Trouble | null = null;
    try {
      // Browsers ask the person, or decide by themselves; either answer is an answer.
      if (keep) await this.#keeper.persist().catch(() => false);
      await this.#keeper.download(origin, {
        signal: stop.signal,
        ...(token ? { token } : {}),
        onProgress: (progress) => {
          if (this.#stop === stop) this.#set({ download: { name, progress, ending: stop.signal.aborted } });
        },
      });
      return !stop.signal.aborted;
    } catch (error) {
      if (!(stop.signal.aborted && isReckonError(error, 'aborted'))) trouble = explain(error, 'load');
      return false;
    } finally {
      // In one change: what is said, the rows in their places, and the buttons back to life.
      const here = await this.#look();
      this.#stop = null;
      this.#set({ ...here, download: null, ...(trouble ? { trouble } : {}) });
    }
  }

  /** Ends the download; what has come stays, and the next one goes on from there. */
  cancel(): void {
    const { download } = this.#state;
    if (!this.#stop || !download) return;
    this.#stop.abort();
    this.#set({ download: { ...download, ending: true } });
  }

  async delete(model: StoredModel): Promise<void> {
    this.#set({ trouble: null });
    try {
      await this.#keeper.delete(model);
    } catch (error) {
      this.#set({ trouble: explain(error, 'load') });
    }
    await this.refresh();
  }

  #set(patch: Partial<ShelfState>): void {
    this.#state = { ...this.#state, ...patch };
    this.#changed(this.#state);
  }
}
