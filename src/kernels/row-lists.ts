/**
 * What each row of a step attends to, as lists of runs of tokens (`RowList` in shaders/lib/step.wesl), and how much of it
 * there is layer by layer.
 */

/** u32 words of a row's list. */
export const ROW_LIST_WORDS = 12;
/** Layers that a list has a bit for. */
export const MAX_LAYERS = 128;
/** log2 of PAGE_SIZE: the run of a block table's entries. */
export const PAGE_SHIFT = 4;

/** What a row attends to in layers where its policy holds: entries of `pageLists` that are runs of 2^shift tokens. */
export interface TokenList {
  /** Word of the first entry of KV head 0. */
  readonly base: number;
  /** Words from one KV head's list to the next one's; 0: they share one. */
  readonly stride: number;
  /** Entries taken from the start, before `gap` entries are left out. */
  readonly head: number;
  readonly gap: number;
  readonly shift: number;
  readonly tokens: number;
}

/** A row that attends to all `length` tokens of the lane whose block table begins at word `table`. */
export function writeDenseList(words: Uint32Array, row: number, table: number, length: number): void {
  const at = row * ROW_LIST_WORDS;
  words.fill(0, at, at + ROW_LIST_WORDS);
  words[at] = table;
  words[at + 4] = PAGE_SHIFT;
  words[at + 5] = length;
  words[at + 6] = table;
  words[at + 7] = length;
}

/** The same but for layers outside `denseLayers`, where the row attends to `list`. */
export function writePolicyList(
  words: Uint32Array,
  row: number,
  table: number,
  length: number,
  list: TokenList,
  denseLayers: readonly number[],
): void {
  writeDenseList(words, row, table, length);
  const at = row * ROW_LIST_WORDS;
  words[at] = list.base;
  words[at + 1] = list.stride;
  words[at + 2] = list.head;
  words[at + 3] = list.gap;
  words[at + 4] = list.shift;
  words[at + 5] = list.tokens;
  setLayers(words, at + 8, denseLayers);
}

/** Where scores of blocks come from: the summaries of pages, or the keys of smaller blocks. */
export const SEARCH_KINDS = ['summaries', 'keys'] as const;
export type SearchKind = (typeof SEARCH_KINDS)[number];

/** u32 words of a search: `Search` in shaders/lib/step.wesl. */
export const SEARCH_WORDS = 16;

/** Most searches that read what their lanes have in common together: a tile, from a multiple of this on. */
export const SEARCH_ROWS = 8;

/** A choice of blocks, as `Search` in shaders/lib/step.wesl has it, without the row and its lane. */
export interface SearchPlan {
  readonly first: number;
  readonly candidates: number;
  readonly chosen: number;
  readonly shift: number;
  /** Word of the first score and list entry of KV head 0. */
  readonly scores: number;
  readonly list: number;
  /** Entries of one KV head's list. */
  readonly entries: number;
  /** Leading candidates in the same pages as those of the search before it in the tile, which is as dense. Default 0. */
  readonly common?: number;
}

export function writeSearch(
  words: Uint32Array,
  index: number,
  row: number,
  table: number,
  search: SearchPlan,
  denseLayers: readonly number[],
): void {
  const at = index * SEARCH_WORDS;
  words.fill(0, at, at + SEARCH_WORDS);
  words[at] = row;
  words[at + 1] = table;
  words[at + 2] = search.first;
  words[at + 3] = search.candidates;
  words[at + 4] = search.chosen;
  words[at + 5] = search.shift;
  words[at + 6] = search.scores;
  words[at + 7] = search.list;
  words[at + 8] = search.entries;
  words[at + 9] = 1;
  words[at + 10] = search.common ?? 0;
  // Those before it in the tile have one more behind them.
  for (let back = 1; back <= index % SEARCH_ROWS; back++) words[at - back * SEARCH_WORDS + 9]!++;
  setLayers(words, at + 12, denseLayers);
}

function setLayers(words: Uint32Array, at: number, layers: readonly number[]): void {
  for (const layer of layers) words[at + (layer >> 5)]! |= 1 << (layer & 31);
}

/** Searches of one kind in a step. Numbers are for each KV head. */
export class SearchWork {
  count = 0;
  /** Most candidates of a search. */
  longest = 0;
  /** Whether searches have candidates in common. */
  shared = false;
  #candidates = 0;
  #vectors = 0;
  #entries = 0;
  #reads = 0;
  /** What of count, candidates, vectors, entries and reads falls away in each layer, where rows are dense. */
  readonly #dense = new Float64Array(5 * MAX_LAYERS);

  reset(): void {
    if (this.count > 0) this.#dense.fill(0);
    this.count = 0;
    this.longest = 0;
    this.#candidates = 0;
    this.#vectors = 0;
    this.#entries = 0;
    this.#reads = 0;
    this.shared = false;
  }

  add({ candidates, shift, entries, common = 0 }: SearchPlan, kind: SearchKind, denseLayers: readonly number[]): void {
    // Keys are read one by one, summaries page by page.
    const per = kind === 'keys' ? 1 << shift : 1 << (shift - PAGE_SHIFT);
    const vectors = candidates * per;
    const reads = vectors - common * per;
    this.count++;
    this.longest = Math.max(this.longest, candidates);
    this.#candidates += candidates;
    this.#vectors += vectors;
    this.#entries += entries;
    this.#reads += reads;
    if (common > 0) this.shared = true;
    for (const layer of denseLayers) {
      this.#dense[layer * 5]! += 1;
      this.#dense[layer * 5 + 1]! += candidates;
      this.#dense[layer * 5 + 2]! += vectors;
      this.#dense[layer * 5 + 3]! += entries;
      this.#dense[layer * 5 + 4]! += reads;
    }
  }

  countAt(layer: number): number {
    return this.count - this.#dense[layer * 5]!;
  }

  candidatesAt(layer: number): number {
    return this.#candidates - this.#dense[layer * 5 + 1]!;
  }

  /** Keys or page summaries that are scored, each once for every search. */
  vectorsAt(layer: number): number {
    return this.#vectors - this.#dense[layer * 5 + 2]!;
  }

  /** The same, those that searches have in common once for all of them. */
  readsAt(layer: number): number {
    return this.#reads - this.#dense[layer * 5 + 4]!;
  }

  /** Entries of the lists that are left. */
  entriesAt(layer: number): number {
    return this.#entries - this.#dense[layer * 5 + 3]!;
  }
}

/** Every row attends to everything; every policy holds; or some policies hold, and some stand back. */
export type LayerMode = 'dense' | 'policies' | 'mixed';

/** Work of the decode attention where rows attend to less than everything. All zero in a step without such rows. */
export class SparseWork {
  /** Decode rows whose policy leaves tokens out. */
  rows = 0;
  /** Items and tokens attended of all decode rows, in layers where every policy holds. */
  items = 0;
  tokens = 0;
  /** Of the items, those read for one row alone; and of those of layers where some rows are dense that elsewhere are not. */
  soloItems = 0;
  mixedItems = 0;
  /** Reading together, in all layers but those where every row is dense: as in StepShape. */
  sharedTiles = 0;
  sharedItems = 0;
  sharedRows = 0;
  readonly searches: Record<SearchKind, SearchWork> = { summaries: new SearchWork(), keys: new SearchWork() };
  /** Per layer: rows that are dense there in spite of their policy, and what that adds to items and tokens. */
  readonly #dense = new Float64Array(3 * MAX_LAYERS);

  reset(): void {
    if (this.rows > 0) this.#dense.fill(0);
    this.rows = 0;
    this.items = 0;
    this.tokens = 0;
    this.soloItems = 0;
    this.mixedItems = 0;
    this.sharedTiles = 0;
    this.sharedItems = 0;
    this.sharedRows = 0;
    for (const kind of SEARCH_KINDS) this.searches[kind].reset();
  }

  /** Notes that a row is dense in a layer, where it takes so many more items and tokens than its policy says. */
  addDense(layer: number, items: number, tokens: number): void {
    this.#dense[layer * 3]! += 1;
    this.#dense[layer * 3 + 1]! += items;
    this.#dense[layer * 3 + 2]! += tokens;
  }

  /** How the decode rows attend in a layer. */
  modeOf(layer: number): LayerMode {
    if (this.rows === 0) return 'dense';
    const dense = this.#dense[layer * 3]!;
    return dense === 0 ? 'policies' : dense === this.rows ? 'dense' : 'mixed';
  }

  itemsAt(layer: number): number {
    return this.items + this.#dense[layer * 3 + 1]!;
  }

  tokensAt(layer: number): number {
    return this.tokens + this.#dense[layer * 3 + 2]!;
  }
}
