/** The pages of one lane: which physical page holds which of its positions, shared with other lanes until written. */
import { ReckonError } from '../errors.ts';
import { noPages, type PagePool } from './pool.ts';

/**
 * The first `tokens` positions of page `source` must be in `target` before the lane writes there. Copies are to be
 * done in the order they were given: a page that a later one targets may be the source of an earlier one.
 */
export interface PageCopy {
  readonly source: number;
  readonly target: number;
  readonly tokens: number;
}

export class LanePages {
  readonly #pool: PagePool;
  readonly #pages: number[] = [];
  #length = 0;
  #disposed = false;

  constructor(pool: PagePool) {
    this.#pool = pool;
  }

  /** Physical page of each logical one: position p lies in page `pages[⌊p / pageSize⌋]`. Live; may reach past `length`. */
  get pages(): readonly number[] {
    return this.#pages;
  }

  /** Positions whose KV exists. */
  get length(): number {
    return this.#length;
  }

  /** A lane with the same positions. All pages are shared, the open one too: whoever writes into it first copies it. */
  fork(): LanePages {
    this.#checkOpen();
    const copy = new LanePages(this.#pool);
    copy.#length = this.#length;
    for (const page of this.#pages.slice(0, this.#pagesFor(this.#length))) {
      this.#pool.retain(page);
      copy.#pages.push(page);
    }
    return copy;
  }

  /**
   * Makes positions [from, to) the lane's own to write: missing pages are allocated, shared ones replaced. All or nothing.
   * @param from at most `length`: there are no holes.
   * @returns copies that the GPU must do before the write.
   * @throws ReckonError `over-capacity` when too few pages are free; nothing has changed then.
   */
  prepareWrite(from: number, to: number): PageCopy[] {
    this.#checkOpen();
    if (!(from >= 0 && from <= this.#length)) {
      throw new ReckonError('internal', `A lane of ${this.#length} positions cannot be written from ${from} on.`);
    }
    if (to <= from) return [];
    const { pageSize } = this.#pool;
    const first = Math.floor(from / pageSize);
    const end = this.#pagesFor(to);
    const shared: number[] = [];
    for (let i = first; i < Math.min(end, this.#pages.length); i++) {
      if (this.#pool.references(this.#pages[i]!) > 1) shared.push(i);
    }
    const needed = shared.length + Math.max(0, end - this.#pages.length);
    if (needed > this.#pool.free) {
      const what = `Tokens ${from} to ${to - 1} of a lane need ${needed} more KV page${needed === 1 ? '' : 's'} of ${pageSize}`;
      throw noPages(what, needed, this.#pool);
    }
    const copies: PageCopy[] = [];
    for (const i of shared) {
      const [source, target] = [this.#pages[i]!, this.#pool.allocate()];
      const tokens = this.#keptTokens(i, from, to);
      if (tokens > 0) copies.push({ source, target, tokens });
      this.#pages[i] = target;
      this.#pool.release(source);
    }
    while (this.#pages.length < end) this.#pages.push(this.#pool.allocate());
    return copies;
  }

  /** Says that KV up to `length` exists, or is on its way to the GPU before anything else that reads it. */
  commit(length: number): void {
    this.#checkOpen();
    if (length < this.#length || length > this.#pages.length * this.#pool.pageSize) {
      throw new ReckonError('internal', `A lane of ${this.#length} positions cannot grow to ${length}: not prepared.`);
    }
    for (let i = Math.floor(this.#length / this.#pool.pageSize); i < this.#pagesFor(length); i++) {
      if (length > this.#length && this.#pool.references(this.#pages[i]!) > 1) {
        throw new ReckonError('internal', `KV page ${this.#pages[i]} was written while shared.`);
      }
    }
    this.#length = length;
  }

  /** Forgets the positions from `length` on and lets go of whole pages behind it. */
  truncate(length: number): void {
    this.#checkOpen();
    if (!(length >= 0)) throw new ReckonError('internal', `A lane cannot be truncated to ${length} positions.`);
    this.#length = Math.min(this.#length, length);
    this.#shrink(this.#pagesFor(this.#length));
  }

  /** Starts an empty lane with pages that the caller holds (and hands over): `length` positions of them. */
  adopt(pages: readonly number[], length: number): void {
    this.#checkOpen();
    if (this.#length > 0 || this.#pagesFor(length) !== pages.length) {
      throw new ReckonError(
        'internal',
        `A lane of ${this.#length} positions cannot adopt ${pages.length} pages with ${length} positions.`,
      );
    }
    this.#shrink(0);
    this.#pages.push(...pages);
    this.#length = length;
  }

  /** Lets go of all pages, for good. */
  dispose(): void {
    if (this.#disposed) return;
    this.truncate(0);
    this.#disposed = true;
  }

  #pagesFor(length: number): number {
    return Math.ceil(length / this.#pool.pageSize);
  }

  #shrink(count: number): void {
    while (this.#pages.length > count) this.#pool.release(this.#pages.pop()!);
  }

  /** Leading positions of logical page i that outlive a write of [from, to). */
  #keptTokens(i: number, from: number, to: number): number {
    const { pageSize } = this.#pool;
    const start = i * pageSize;
    const existing = Math.max(0, Math.min(pageSize, this.#length - start));
    return to - start < existing ? existing : Math.min(existing, Math.max(0, from - start));
  }

  #checkOpen(): void {
    if (this.#disposed) throw new ReckonError('internal', 'The KV pages of a disposed lane were used.');
  }
}
