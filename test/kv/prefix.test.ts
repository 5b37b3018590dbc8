import { describe, expect, it } from 'vitest';
import { LanePages, PagePool, PrefixCache } from '../../src/kv/index.ts';

/** Tokens 0 … count−1, the ones from `split` on marked as another text. */
const text = (count: number, split = count, mark = 100) =>
  Array.from({ length: count }, (_, i) => (i < split ? i : mark + i));

function setUp(totalPages = 16) {
  const pool = new PagePool(totalPages, 4);
  const cache = new PrefixCache(pool, 'model@1/f32');
  /** Computes a text and leaves its full pages behind. */
  const leave = (tokens: number[]) => {
    const { pages, length } = cache.match(tokens);
    const lane = new LanePages(pool);
    if (length > 0) lane.adopt(pages, length);
    lane.prepareWrite(length, tokens.length);
    lane.commit(tokens.length);
    const held = [...lane.pages];
    cache.insert(tokens, held);
    lane.dispose();
    return held;
  };
  const found = (tokens: number[]) => {
    const { pages, length } = cache.match(tokens);
    for (const page of pages) pool.release(page);
    return length;
  };
  return { pool, cache, leave, found };
}

describe('the prefix cache', () => {
  it('gives back whole pages of an equal beginning, retained for the caller', () => {
    const { pool, cache, leave } = setUp();
    const held = leave(text(10));
    expect(cache.size).toBe(2);
    expect(cache.match(text(10, 8))).toEqual({ pages: held.slice(0, 2), length: 8 });
    expect(pool.references(held[0]!)).toBe(2);
    expect(cache.match(text(10, 7))).toEqual({ pages: held.slice(0, 1), length: 4 });
    expect(pool.references(held[0]!)).toBe(3);
    expect(cache.match([9, 9, 9, 9, 9])).toEqual({ pages: [], length: 0 });
    expect(cache.match([])).toEqual({ pages: [], length: 0 });
  });

  it('leaves the last token to be computed', () => {
    const { leave, found } = setUp();
    leave(text(8));
    expect([4, 5, 8, 9].map((count) => found(text(count)))).toEqual([0, 4, 4, 8]);
  });

  it('takes typed arrays', () => {
    const { cache, leave } = setUp();
    leave(text(9));
    expect(cache.match(Uint32Array.from(text(9))).length).toBe(8);
  });

  it('tells equal pages after different beginnings apart', () => {
    const { leave, found } = setUp();
    leave([1, 1, 1, 1, 7, 7, 7, 7]);
    expect(found([2, 2, 2, 2, 7, 7, 7, 7, 0])).toBe(0);
    expect(found([7, 7, 7, 7, 0])).toBe(0);
  });

  it('keeps what it has when the same text comes again, and shares a common beginning', () => {
    const { pool, cache, leave } = setUp();
    leave(text(9));
    leave(text(9));
    leave(text(9, 4));
    expect(cache.size).toBe(3);
    expect(pool.free).toBe(13);
  });

  it('evicts the least recently used, the end of a text before its beginning', () => {
    const { pool, cache, leave, found } = setUp();
    leave(text(9));
    leave(text(9, 0, 50));
    found(text(9));
    expect(cache.evict(1)).toBe(1);
    expect([found(text(9, 0, 50)), found(text(9))]).toEqual([4, 8]);
    // The first text was used last.
    expect(cache.evict(2)).toBe(2);
    expect([found(text(9, 0, 50)), found(text(9))]).toEqual([0, 4]);
    expect(cache.evict(9)).toBe(1);
    expect(pool.free).toBe(16);
  });

  it('never evicts what a lane holds, nor the pages before it', () => {
    const { pool, cache, leave } = setUp();
    leave(text(13));
    const lane = new LanePages(pool);
    const { pages, length } = cache.match(text(9));
    lane.adopt(pages, length);
    expect(cache.evict(9)).toBe(1);
    expect(cache.size).toBe(2);
    lane.dispose();
    expect(cache.evict(9)).toBe(2);
    expect(pool.free).toBe(16);
  });

  it('keeps a page for those cached after it, also when their lane computed its own', () => {
    const { pool, cache, leave } = setUp();
    // Computed before the shorter text was left behind: the same first page twice in memory.
    const lane = new LanePages(pool);
    lane.prepareWrite(0, 9);
    lane.commit(9);
    const [first] = leave(text(5));
    cache.insert(text(9), lane.pages);
    expect(cache.evict(9)).toBe(0);
    expect(cache.match(text(9))).toEqual({ pages: [first, lane.pages[1]], length: 8 });
  });

  it('tells pages of equal hash apart', () => {
    const { cache, leave, found } = setUp();
    // FNV-1a by words, as the cache hashes: after its key, pages (0, a, b, 1) and (0, a + 1, b', 1) meet with this b'.
    const times = (x: number) => Math.imul(x, 0x01000193) >>> 0;
    let hash = 0x811c9dc5;
    for (const byte of [...new TextEncoder().encode(cache.key), 0]) hash = times(hash ^ byte);
    const [a, b] = [5, 6];
    const twin = (times(hash ^ a) ^ times(hash ^ (a + 1)) ^ b) >>> 0;
    const [one, other] = [
      [0, a, b, 1],
      [0, a + 1, twin, 1],
    ];
    // Equal second pages after them: only what came before tells those apart.
    const second = [9, 9, 9, 9];
    leave([...one!, ...second]);
    expect(found([...other!, 0])).toBe(0);
    leave(other!);
    expect(cache.size).toBe(3);
    expect(found([...other!, ...second, 0])).toBe(4);
    expect(found([...one!, ...second, 0])).toBe(8);
    expect(cache.evict(1)).toBe(1);
    expect([found([...one!, ...second, 0]), found([...other!, 0])]).toEqual([8, 0]);
  });

  it('lets go of everything, except what lanes hold', () => {
    const { pool, cache, leave } = setUp();
    leave(text(9));
    const { pages } = cache.match(text(9));
    cache.clear();
    expect([cache.size, pool.free]).toEqual([0, 14]);
    expect(cache.match(text(9)).length).toBe(0);
    for (const page of pages) pool.release(page);
    expect(pool.free).toBe(16);
  });

  it('refuses tokens that their pages cannot hold', () => {
    const { cache } = setUp();
    expect(() => cache.insert(text(8), [0])).toThrow('8 tokens cannot lie in 1 pages of 4.');
  });
});
