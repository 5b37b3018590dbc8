/**
 * A KV cache in miniature: physical memory whose cells hold, for each position, the whole text up to there (as real KV
 * depends on it), and lanes that are naive token lists. Whatever a lane reads must be its own text.
 */
import { expect } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { LanePages, PagePool, PrefixCache } from '../../src/kv/index.ts';

export interface SimulatedLane {
  tokens: number[];
  pages: LanePages;
}

export class Simulation {
  readonly pool: PagePool;
  readonly cache: PrefixCache;
  readonly lanes: SimulatedLane[] = [];
  readonly #memory: (string | undefined)[][];
  /** Every chain of full pages ever inserted, by its tokens. */
  readonly #inserted = new Set<string>();
  #evicted = false;

  constructor(totalPages: number, pageSize: number) {
    this.pool = new PagePool(totalPages, pageSize);
    this.cache = new PrefixCache(this.pool, 'simulated');
    this.#memory = Array.from({ length: totalPages }, () => []);
  }

  open(): SimulatedLane {
    const lane = { tokens: [], pages: new LanePages(this.pool) };
    this.lanes.push(lane);
    return lane;
  }

  fork(lane: SimulatedLane): SimulatedLane {
    const copy = { tokens: [...lane.tokens], pages: lane.pages.fork() };
    this.lanes.push(copy);
    return copy;
  }

  /** Writes tokens at the end. @returns whether there was room; where not, nothing has changed. */
  append(lane: SimulatedLane, tokens: readonly number[]): boolean {
    const { pageSize } = this.pool;
    const from = lane.tokens.length;
    const to = from + tokens.length;
    const before = [...lane.pages.pages];
    const references = this.references();
    try {
      for (const { source, target, tokens: count } of lane.pages.prepareWrite(from, to)) {
        // What is not copied is garbage.
        this.#memory[target] = this.#memory[source]!.slice(0, count);
      }
    } catch (error) {
      expect(isReckonError(error, 'over-capacity')).toBe(true);
      expect(lane.pages.pages).toEqual(before);
      expect(this.references()).toEqual(references);
      return false;
    }
    lane.tokens.push(...tokens);
    for (let p = from; p < to; p++) {
      const page = lane.pages.pages[Math.floor(p / pageSize)]!;
      if (this.pool.references(page) !== 1) throw new Error(`page ${page} is written while shared`);
      this.#memory[page]![p % pageSize] = lane.tokens.slice(0, p + 1).join();
    }
    lane.pages.commit(to);
    return true;
  }

  truncate(lane: SimulatedLane, length: number): void {
    lane.tokens.length = Math.min(lane.tokens.length, length);
    lane.pages.truncate(length);
  }

  dispose(lane: SimulatedLane): void {
    lane.pages.dispose();
    this.lanes.splice(this.lanes.indexOf(lane), 1);
  }

  /** Takes a lane's KV away, as when it is preempted or saved; its text comes back. */
  drop(lane: SimulatedLane): number[] {
    this.dispose(lane);
    return lane.tokens;
  }

  /** A lane with this text again: from what is cached of it, the rest computed anew. Null, and nothing left, without room. */
  restore(tokens: readonly number[]): SimulatedLane | null {
    const lane = this.match(tokens);
    if (this.append(lane, tokens.slice(lane.tokens.length))) return lane;
    this.dispose(lane);
    return null;
  }

  /** Keeps a lane's full pages. */
  insert(lane: SimulatedLane): void {
    const { pageSize } = this.pool;
    for (let end = pageSize; end <= lane.tokens.length; end += pageSize) {
      this.#inserted.add(lane.tokens.slice(0, end).join());
    }
    this.cache.insert(lane.tokens, lane.pages.pages);
  }

  /** A lane that starts from what is cached of `tokens`. */
  match(tokens: readonly number[]): SimulatedLane {
    const { pageSize } = this.pool;
    const { pages, length } = this.cache.match(tokens);
    let longest = 0;
    for (let end = pageSize; end < tokens.length && this.#inserted.has(tokens.slice(0, end).join()); end += pageSize) {
      longest = end;
    }
    if (this.#evicted) expect(length).toBeLessThanOrEqual(longest);
    else expect(length).toBe(longest);
    const lane = this.open();
    if (length > 0) lane.pages.adopt(pages, length);
    lane.tokens.push(...tokens.slice(0, length));
    return lane;
  }

  evict(pagesNeeded: number): void {
    const free = this.pool.free;
    const size = this.cache.size;
    const freed = this.cache.evict(pagesNeeded);
    expect(freed).toBeLessThanOrEqual(pagesNeeded);
    expect(this.pool.free).toBe(free + freed);
    expect(this.cache.size).toBe(size - freed);
    if (freed > 0) this.#evicted = true;
  }

  references(): number[] {
    return this.#memory.map((_, page) => this.pool.references(page));
  }

  /** Every lane reads its own text, and every reference has a holder. */
  check(): void {
    const { pageSize } = this.pool;
    const held = this.#memory.map(() => 0);
    for (const { tokens, pages } of this.lanes) {
      // Plain conditions: a million calls of `expect` would take most of the time.
      const count = Math.ceil(tokens.length / pageSize);
      if (pages.length !== tokens.length || pages.pages.length !== count || new Set(pages.pages).size !== count) {
        throw new Error(`${tokens.length} tokens lie in pages ${pages.pages} as ${pages.length}`);
      }
      for (const page of pages.pages) held[page]!++;
      for (let p = 0; p < tokens.length; p++) {
        const read = this.#memory[pages.pages[Math.floor(p / pageSize)]!]![p % pageSize];
        if (read !== tokens.slice(0, p + 1).join()) throw new Error(`position ${p} of ${tokens} reads ${read}`);
      }
    }
    const references = this.references();
    const byCache = references.map((count, page) => count - held[page]!);
    expect(byCache.every((count) => count === 0 || count === 1)).toBe(true);
    expect(byCache.reduce((sum, count) => sum + count, 0)).toBe(this.cache.size);
    expect(this.pool.free).toBe(references.filter((count) => count === 0).length);
  }
}
