/**
 * Which splits of the cache several decode rows read together: those whose pages are the same ones, as in lanes forked from one
 * prompt, or started from one cached prefix. Pages alone decide, so that nothing needs to know where lanes come from.
 */
import { PAGE_SIZE, SHARED_ROWS, SPLIT_PAGES, type StepShape } from '../kernels/step.ts';

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
  /** Attends to everything in all layers. Others do in some: where their policy holds, the GPU decides what they read. */
  readonly dense: boolean;
}

/** Which rows read together: all, in layers where all attend to everything; elsewhere those that always do. */
export type Sharing = 'all' | 'dense';

/**
 * Per row, how many leading splits it has in common with the row before it, whole and page by page; 0 for the first row,
 * and a 0 behind the last. (That a page is shared does not say that those before it are: the prefix cache may have joined
 * pages of two lanes.)
 */
export function commonSplits(rows: readonly DecodingRow[], among: Sharing): Uint32Array {
  const common = new Uint32Array(rows.length + 1);
  for (let row = 1; row < rows.length; row++) {
    const [a, b] = [rows[row - 1]!, rows[row]!];
    if (among === 'all' || (a.dense && b.dense)) common[row] = alike(a, b);
  }
  return common;
}

function alike(a: DecodingRow, b: DecodingRow): number {
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

/** A row's first split that it shares neither with the row before nor with the one behind. */
export function alone(common: Uint32Array, row: number): number {
  return Math.max(common[row]!, common[row + 1]!);
}

/** Writes the tiles of rows that read together, and counts them. */
export function listTiles(
  rows: readonly DecodingRow[],
  common: Uint32Array,
  words: Uint32Array,
  counts: Pick<StepShape, 'sharedTiles' | 'sharedItems' | 'sharedRows'>,
): void {
  sharedTiles(common, (first, count, split) => {
    const at = counts.sharedTiles++ * 4;
    words[at] = first;
    words[at + 1] = count;
    words[at + 2] = rows[first]!.slot;
    words[at + 3] = split * SPLIT_TOKENS;
    counts.sharedItems += count;
  });
  for (const row of rows.keys()) if (alone(common, row) > 0) counts.sharedRows++;
}

/** Writes the splits [from, to) of a row behind `count` items; returns how many there are then. */
export function addItems(items: Uint32Array, count: number, row: number, from: number, to: number): number {
  let next = count;
  for (let split = from; split < to; split++) {
    items[next * 2] = row;
    items[next * 2 + 1] = split;
    next++;
  }
  return next;
}
