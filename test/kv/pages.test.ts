import { describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { LanePages, PagePool } from '../../src/kv/index.ts';

function laneOf(pool: PagePool, length: number): LanePages {
  const lane = new LanePages(pool);
  lane.prepareWrite(0, length);
  lane.commit(length);
  return lane;
}

function errorOf(call: () => unknown): Error & { code?: string; details?: Record<string, unknown> } {
  try {
    call();
  } catch (error) {
    if (isReckonError(error)) return error;
  }
  throw new Error('No typed error was thrown.');
}

describe('the page pool', () => {
  it('hands out every page once and takes it back', () => {
    const pool = new PagePool(3, 16);
    expect([pool.allocate(), pool.allocate(), pool.allocate()]).toEqual([0, 1, 2]);
    expect(errorOf(() => pool.allocate())).toMatchObject({ code: 'over-capacity', details: { free: 0, total: 3 } });
    expect(pool.release(1)).toBe(true);
    expect(pool.allocate()).toBe(1);
  });

  it('counts holders', () => {
    const pool = new PagePool(1, 16);
    const page = pool.allocate();
    pool.retain(page);
    expect(pool.references(page)).toBe(2);
    expect([pool.release(page), pool.free, pool.release(page), pool.free]).toEqual([false, 0, true, 1]);
  });

  it('refuses a double free, sharing a free page, and pages that are not there', () => {
    const pool = new PagePool(2, 16);
    pool.release(pool.allocate());
    expect(errorOf(() => pool.release(0))).toMatchObject({ code: 'internal' });
    expect(errorOf(() => pool.retain(0))).toMatchObject({ code: 'internal' });
    for (const page of [-1, 2, 0.5, Number.NaN]) {
      expect(errorOf(() => pool.release(page))).toMatchObject({ code: 'internal' });
    }
    expect(pool.free).toBe(2);
    for (const [total, pageSize] of [
      [0, 16],
      [1.5, 16],
      [4, 0],
    ] as const) {
      expect(errorOf(() => new PagePool(total, pageSize))).toMatchObject({ code: 'bad-option' });
    }
  });
});

describe('the pages of a lane', () => {
  it('copies the open page of a fork, as far as it is kept, and no full one', () => {
    const pool = new PagePool(8, 4);
    const lane = laneOf(pool, 6);
    const fork = lane.fork();
    expect(pool.free).toBe(6);
    expect(fork.prepareWrite(6, 9)).toEqual([{ source: 1, target: 2, tokens: 2 }]);
    expect(fork.pages).toEqual([0, 2, 3]);
    expect(lane.pages).toEqual([0, 1]);
    // The other one holds its page alone now.
    expect(lane.prepareWrite(6, 7)).toEqual([]);
    expect(lane.pages).toEqual([0, 1]);
  });

  it('copies nothing where a shared page is rewritten from its start', () => {
    const pool = new PagePool(8, 4);
    const lane = laneOf(pool, 6);
    const fork = lane.fork();
    fork.truncate(4);
    expect(fork.pages).toEqual([0]);
    expect(fork.prepareWrite(4, 6)).toEqual([]);
    expect(fork.pages).toEqual([0, 2]);
  });

  it('keeps what lies behind a write into the middle', () => {
    const pool = new PagePool(8, 4);
    const fork = laneOf(pool, 7).fork();
    expect(fork.prepareWrite(2, 5)).toEqual([
      { source: 0, target: 2, tokens: 2 },
      { source: 1, target: 3, tokens: 3 },
    ]);
  });

  it('changes nothing when there are too few pages, and says what is there', () => {
    const pool = new PagePool(4, 4);
    const lane = laneOf(pool, 10);
    const fork = lane.fork();
    const error = errorOf(() => fork.prepareWrite(10, 13));
    expect(error).toMatchObject({ code: 'over-capacity', details: { needed: 2, free: 1, total: 4, pageSize: 4 } });
    expect(error.message).toBe(
      'Tokens 10 to 12 of a lane need 2 more KV pages of 4; 1 of 4 are free. Dispose or truncate lanes, run fewer or shorter ones at once, or give the KV cache more memory.',
    );
    expect(fork.pages).toEqual(lane.pages);
    expect(pool.free).toBe(1);
  });

  it('frees whole pages behind a truncation, prepared ones included, and forks without them', () => {
    const pool = new PagePool(8, 4);
    const lane = laneOf(pool, 5);
    lane.prepareWrite(5, 20);
    expect(lane.pages).toHaveLength(5);
    expect(lane.fork().pages).toHaveLength(2);
    lane.truncate(9);
    expect([lane.length, lane.pages.length]).toEqual([5, 2]);
    lane.truncate(0);
    expect([lane.length, lane.pages.length]).toEqual([0, 0]);
  });

  it('lets go of everything at disposal, once', () => {
    const pool = new PagePool(8, 4);
    const lane = laneOf(pool, 9);
    lane.dispose();
    lane.dispose();
    expect(pool.free).toBe(8);
    expect(errorOf(() => lane.prepareWrite(0, 1))).toMatchObject({ code: 'internal' });
    expect(errorOf(() => lane.fork())).toMatchObject({ code: 'internal' });
  });

  it('refuses holes, growth that was not prepared, growth on shared pages, and ill-fitting adoptions', () => {
    const pool = new PagePool(8, 4);
    const lane = laneOf(pool, 5);
    const internal = { code: 'internal' };
    expect(errorOf(() => lane.prepareWrite(6, 7))).toMatchObject(internal);
    expect(errorOf(() => lane.commit(9))).toMatchObject(internal);
    expect(errorOf(() => lane.commit(4))).toMatchObject(internal);
    lane.fork();
    expect(errorOf(() => lane.commit(6))).toMatchObject(internal);
    expect(errorOf(() => lane.adopt([0], 4))).toMatchObject(internal);
    expect(errorOf(() => new LanePages(pool).adopt([0], 5))).toMatchObject(internal);
    expect(lane.length).toBe(5);
  });
});
