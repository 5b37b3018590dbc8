/** The choices of blocks in a step: room for their scores and lists, and the words that tell the GPU what to choose from. */
import {
  PAGE_SHIFT,
  SEARCH_KINDS,
  SEARCH_ROWS,
  SEARCH_WORDS,
  type SearchKind,
  type SparseWork,
  type TokenList,
  writeSearch,
} from '../kernels/row-lists.ts';
import { PAGE_SIZE, type StepLimits } from '../kernels/step.ts';
import type { Span, Sparsity } from './attention.ts';

/** What a plan must know of the model. */
export interface PlannedModel {
  readonly layers: number;
  readonly kvHeads: number;
}

/** Entries of one KV head's list: pages, or blocks where these are smaller. */
const entriesOf = ({ blockSize }: Sparsity, { tokens }: Span) => Math.ceil(tokens / Math.min(blockSize, PAGE_SIZE));

/** A search, and the lane it is for. */
interface Added {
  readonly policy: Sparsity;
  readonly candidates: number;
  readonly pages: readonly number[];
}

/** How many leading candidates of two searches are the same blocks, for scoring: in all layers alike, and in the same pages. */
function commonBlocks(a: Added, b: Added): number {
  const { blockSize, sinks, denseLayers } = a.policy;
  const alike =
    blockSize === b.policy.blockSize && sinks === b.policy.sinks && denseLayers.join() === b.policy.denseLayers.join();
  if (!alike) return 0;
  const most = Math.min(a.candidates, b.candidates);
  const end = Math.ceil(((sinks + most) * blockSize) / PAGE_SIZE);
  let page = Math.floor((sinks * blockSize) / PAGE_SIZE);
  while (page < end && a.pages[page] === b.pages[page]) page++;
  return Math.max(0, Math.min(most, Math.floor((page * PAGE_SIZE) / blockSize) - sinks));
}

export class Selections {
  /** Searches of each kind, as uploaded. */
  readonly words: Readonly<Record<SearchKind, Uint32Array<ArrayBuffer>>>;
  readonly #limits: StepLimits;
  readonly #model: PlannedModel;
  /** Words of lists and scores that are given away. */
  #lists = 0;
  #scores = 0;
  /** Whether searches score what their lanes have in common together. */
  share = true;
  /** The search of each kind that was added last. */
  readonly #last: Partial<Record<SearchKind, Added>> = {};

  constructor(limits: StepLimits, model: PlannedModel) {
    this.#limits = limits;
    this.#model = model;
    this.words = {
      summaries: new Uint32Array(limits.maxRows * SEARCH_WORDS),
      keys: new Uint32Array(limits.maxRows * SEARCH_WORDS),
    };
  }

  reset(): void {
    this.#lists = 0;
    this.#scores = 0;
    for (const kind of SEARCH_KINDS) delete this.#last[kind];
  }

  /** Whether there is room for the list and scores of another row. */
  fits(policy: Sparsity, span: Span): boolean {
    if (!policy.search) return true;
    const { maxListEntries, maxScores } = this.#limits;
    const { kvHeads } = this.#model;
    return (
      this.#lists + kvHeads * entriesOf(policy, span) <= maxListEntries &&
      this.#scores + kvHeads * span.candidates <= maxScores
    );
  }

  /**
   * The list of a row whose lane's block table begins at word `table`; where blocks are chosen, with the search that leaves
   * it, which is added to `work`.
   * @param pages Physical page of each logical one of the lane.
   * @returns the list, and how many vectors are scored for it, on average over the layers.
   */
  add(
    row: number,
    table: number,
    policy: Sparsity,
    span: Span,
    pages: readonly number[],
    work: SparseWork,
  ): { list: TokenList; searched: number } {
    const { blockSize, chosen, sinks, search, denseLayers } = policy;
    const { tokens, candidates } = span;
    const shift = Math.log2(blockSize);
    if (!search) {
      return { list: { base: table, stride: 0, head: sinks, gap: candidates, shift, tokens }, searched: 0 };
    }
    const { kvHeads, layers } = this.#model;
    const entries = entriesOf(policy, span);
    const base = this.#limits.slots * this.#limits.maxPagesPerLane + this.#lists;
    const searches = work.searches[search];
    const added: Added = { policy, candidates, pages };
    const before = searches.count % SEARCH_ROWS === 0 || !this.share ? undefined : this.#last[search];
    this.#last[search] = added;
    const common = before ? commonBlocks(before, added) : 0;
    const plan = { first: sinks, candidates, chosen, shift, scores: this.#scores, list: base, entries, common };
    writeSearch(this.words[search], searches.count, row, table, plan, denseLayers);
    searches.add(plan, search, denseLayers);
    this.#lists += kvHeads * entries;
    this.#scores += kvHeads * candidates;
    const vectors = candidates * (search === 'keys' ? blockSize : blockSize / PAGE_SIZE);
    return {
      list: { base, stride: entries, head: 0, gap: 0, shift: Math.min(shift, PAGE_SHIFT), tokens },
      searched: (vectors * (layers - denseLayers.length)) / layers,
    };
  }
}
