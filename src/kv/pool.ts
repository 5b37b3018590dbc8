/** The physical pages of a KV cache and who counts on them. Numbers only: the memory itself lies on the GPU. */
import { checkNumber, ReckonError } from '../errors.ts';

/** Fixed number of pages, each with a reference count. Every operation is O(1). */
export class PagePool {
  readonly total: number;
  /** Tokens a page holds. */
  readonly pageSize: number;
  /** References per page; 0 is free. */
  readonly #references: Uint32Array;
  /** Free pages, as a stack: its first `#free` entries. */
  readonly #stack: Uint32Array;
  #free: number;

  constructor(totalPages: number, pageSize: number) {
    this.total = checkNumber('totalPages', totalPages, { min: 1, max: 2 ** 31, integer: true });
    this.pageSize = checkNumber('pageSize', pageSize, { min: 1, integer: true });
    this.#references = new Uint32Array(totalPages);
    // Page 0 on top: a young cache uses the start of its buffers.
    this.#stack = Uint32Array.from({ length: totalPages }, (_, i) => totalPages - 1 - i);
    this.#free = totalPages;
  }

  /** Pages nobody holds. */
  get free(): number {
    return this.#free;
  }

  /** How many hold this page. */
  references(page: number): number {
    return this.#references[this.#checked(page)]!;
  }

  /**
   * A free page, held once by the caller. Its content is whatever was there.
   * @throws ReckonError `over-capacity` when there is none.
   */
  allocate(): number {
    if (this.#free === 0) throw noPages('One more KV page is needed', 1, this);
    const page = this.#stack[--this.#free]!;
    this.#references[page] = 1;
    return page;
  }

  /** Another holder of a page in use. */
  retain(page: number): void {
    if (this.references(page) === 0) throw new ReckonError('internal', `KV page ${page} is free and cannot be shared.`);
    this.#references[page]!++;
  }

  /** One holder less. Returns whether the page is free now. */
  release(page: number): boolean {
    if (this.references(page) === 0) throw new ReckonError('internal', `KV page ${page} was released twice.`);
    if (--this.#references[page]! > 0) return false;
    this.#stack[this.#free++] = page;
    return true;
  }

  #checked(page: number): number {
    if (Number.isInteger(page) && page >= 0 && page < this.total) return page;
    throw new ReckonError('internal', `There is no KV page ${page}: ${this.total} exist.`);
  }
}

/** The error for more pages than are free. `what` begins the sentence. */
export function noPages(what: string, needed: number, pool: PagePool): ReckonError {
  const { free, total, pageSize } = pool;
  return new ReckonError('over-capacity', `${what}; ${free} of ${total} are free.`, {
    hint: 'Dispose or truncate lanes, run fewer or shorter ones at once, or give the KV cache more memory.',
    details: { needed, free, total, pageSize },
  });
}
