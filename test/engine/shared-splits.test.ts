import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  commonSplits,
  type DecodingRow,
  type Sharing,
  SPLIT_TOKENS,
  sharedTiles,
} from '../../src/engine/shared-splits.ts';
import { PAGE_SIZE, SHARED_ROWS, SPLIT_PAGES } from '../../src/kernels/step.ts';

/** Rows of lanes that begin alike: each takes its pages from one of a few stems, up to some length, then its own. */
const rows = fc
  .array(
    fc.record({
      stem: fc.nat(1),
      kept: fc.integer({ min: SPLIT_PAGES - 1, max: 5 * SPLIT_PAGES }),
      length: fc.integer({ min: SPLIT_TOKENS - 1, max: 5 * SPLIT_TOKENS }),
      dense: fc.integer({ min: 0, max: 9 }).map((x) => x > 0),
      /** Its own first page under pages that it shares: what joining cached prefixes can leave. */
      odd: fc.integer({ min: 0, max: 9 }).map((x) => x === 0),
    }),
    { minLength: 2, maxLength: 70 },
  )
  .map((lanes) =>
    lanes.map(({ stem, kept, length, dense, odd }, slot): DecodingRow => {
      const pages = Array.from({ length: Math.ceil(length / PAGE_SIZE) }, (_, i) =>
        i < kept && !(odd && i === 0) ? stem * 1000 + i : 10000 + slot * 1000 + i,
      );
      return { slot, pages, length, tokens: length, dense };
    }),
  );

describe('splits that rows have in common', () => {
  it('are those whose pages are the same, each listed once for each row, with all neighbours that share it', () => {
    let seen = 0;
    fc.assert(
      fc.property(rows, fc.constantFrom<Sharing>('all', 'dense'), (all, among) => {
        const common = commonSplits(all, among);
        const shares = (row: number) => among === 'all' || all[row]!.dense;
        const covered = new Map<string, number>();
        sharedTiles(common, (first, count, split) => {
          expect(count).toBeLessThanOrEqual(SHARED_ROWS);
          const pages = (row: number) => all[row]!.pages.slice(split * SPLIT_PAGES, (split + 1) * SPLIT_PAGES).join();
          for (let row = first; row < first + count; row++) {
            if (pages(row) !== pages(first) || all[row]!.length < (split + 1) * SPLIT_TOKENS || !shares(row)) {
              throw new Error(`row ${row} does not have split ${split} in common with row ${first}`);
            }
            covered.set(`${row}:${split}`, (covered.get(`${row}:${split}`) ?? 0) + 1);
          }
          seen++;
        });
        for (const row of all.keys()) {
          const alone = Math.max(common[row]!, common[row + 1]!);
          for (let split = 0; split < 5; split++) {
            expect(covered.get(`${row}:${split}`) ?? 0).toBe(split < alone ? 1 : 0);
          }
        }
      }),
      { numRuns: 200 },
    );
    expect(seen).toBeGreaterThan(200);
  });

  it('are read as few times as tiles allow', () => {
    const pages = Array.from({ length: 16 }, (_, i) => i);
    const lanes = Array.from({ length: 33 }, (_, slot) => ({ slot, pages, length: 256, tokens: 256, dense: true }));
    const tiles: number[][] = [];
    sharedTiles(commonSplits(lanes, 'all'), (...tile) => tiles.push(tile));
    expect(tiles).toEqual([
      [0, 32, 0],
      [32, 1, 0],
      [0, 32, 1],
      [32, 1, 1],
    ]);
    expect(commonSplits([], 'dense')).toEqual(new Uint32Array(1));
  });
});
