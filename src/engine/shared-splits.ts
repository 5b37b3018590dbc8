/**
 * Which splits of the cache several decode rows read together: those whose pages are the same ones, as in lanes forked from one
 * prompt, or started from one cached prefix. Pages alone decide, so that nothing needs to know where lanes come from.
 */
import { PAGE_SIZE, SHARED_ROWS, SPLIT_PAGES } from '../kernels/step.ts';

/** Tokens of a split. */
export const SPLIT_TOKENS = SPLIT_PAGES * PAGE_SIZE;

/** A row of the decode attention. */
export interface DecodingRow {
  readonly slot: number;
  /** Physical page of each logical one of its lane. */
  readonly pages: readonly number[];
  /** Tokens of its lane up to the row's own; and those it attends to where its policy holds. */
  readonly length: number;
  readonly tokens: number;
  /** Attends to everything in all layers. Others share nothing: what they read, the GPU decides. */
  readonly dense: boolean;
}

/**
 * Per row, how many leading splits it has in common with the row before it, whole and page by page; 0 for the first row,
 * and a 0 behind the last. (That a page is shared does not say that those before it are: the prefix cache may have joined
 * pages of two lanes.)
 */
export function commonSplits(rows: readonly DecodingRow[]): Uint32Array {
  const common = new Uint32Array(rows.length + 1);
  for (let row = 1; row < rows.length; row++) common[row] = alike(rows[row - 1]!, rows[row]!);
  return common;
}

function alike(a: DecodingRow, b: DecodingRow): number {
  if (!a.dense || !b.dense) return 0;
  const end = Math.floor(Math.min(a.length, b.length) / SPLIT_TOKENS) * SPLIT_PAGES;
  let page = 0;
  while (page < end && a.pages[page] === b.pages[page]) page++;
  return Math.floor(page / SPLIT_PAGES);
}

/**
 * Every split that rows have in common, as tiles of 2 to SHARED_ROWS neighbours (one, where that many are followed by
 * a last one): rows first … first + count − 1 read `split` together. Split by split, so that tiles of one split run at a time.
 */
export function sharedTiles(common: Uint32Array, tile: (first: number, count: number, split: number) => void): void {
  const splits = common.reduce((most, count) => Math.max(most, count), 0);
  for (let split = 0; split < splits; split++) {
    for (let first = 0; first < common.length - 1; ) {
      let end = first + 1;
      while (common[end]! > split) end++;
      if (end - first > 1) {
        for (let at = first; at < end; at += SHARED_ROWS) tile(at, Math.min(SHARED_ROWS, end - at), split);
      }
      first = end;
    }
  }
}
