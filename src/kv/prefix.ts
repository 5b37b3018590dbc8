/**
 * Full pages that outlive their lane, found again by the tokens they and all pages before them hold: a prompt that begins
 * like an earlier one starts from its KV.
 */
import { ReckonError } from '../errors.ts';
import type { PagePool } from './pool.ts';

type Tokens = readonly number[] | Uint32Array;

/** One cached page. Its chain of parents spells all tokens before it. */
interface Entry {
  readonly hash: number;
  readonly parent: Entry | null;
  readonly tokens: Uint32Array;
  readonly page: number;
  children: number;
}

/** FNV-1a over 32-bit words. Collisions only cost time: tokens are compared. */
function hashWords(seed: number, words: ArrayLike<number>): number {
  let hash = seed;
  for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i]!, 0x01000193) >>> 0;
  return hash;
}

export class PrefixCache {
  /** What the cached KV is valid for: model, revision, precision. */
  readonly key: string;
  readonly #pool: PagePool;
  readonly #root: number;
  readonly #byHash = new Map<number, Entry[]>();
  /** Oldest first. Using a chain touches its last page first, so that pages come before the pages they follow on. */
  readonly #recency = new Set<Entry>();

  constructor(pool: PagePool, key: string) {
    this.key = key;
    this.#pool = pool;
    this.#root = hashWords(0x811c9dc5, new TextEncoder().encode(key));
  }

  /** Pages held. */
  get size(): number {
    return this.#recency.size;
  }

  /**
   * The longest cached beginning of `tokens`, in whole pages; at least the last token is left to be computed, as its logits
   * are what one wants.
   * @returns pages, each retained for the caller, and how many tokens they hold.
   */
  match(tokens: Tokens): { pages: number[]; length: number } {
    const { pageSize } = this.#pool;
    const chain = this.#chain(tokens, Math.floor(Math.max(0, tokens.length - 1) / pageSize));
    this.#touch(chain);
    const pages = chain.map(({ page }) => page);
    for (const page of pages) this.#pool.retain(page);
    return { pages, length: pages.length * pageSize };
  }

  /**
   * Keeps the full pages of a sequence; those already known by their tokens stay as they are.
   * @param pages physical pages that hold `tokens` from position 0 on.
   */
  insert(tokens: Tokens, pages: ArrayLike<number>): void {
    const { pageSize } = this.#pool;
    const full = Math.floor(tokens.length / pageSize);
    if (pages.length < full) {
      throw new ReckonError('internal', `${tokens.length} tokens cannot lie in ${pages.length} pages of ${pageSize}.`);
    }
    const chain = this.#chain(tokens, full);
    while (chain.length < full) {
      const parent = chain.at(-1) ?? null;
      const page = pages[chain.length]!;
      const own = Uint32Array.from(tokens.slice(chain.length * pageSize, (chain.length + 1) * pageSize));
      const entry: Entry = { hash: this.#hash(parent, own), parent, tokens: own, page, children: 0 };
      this.#pool.retain(page);
      if (parent) parent.children++;
      const bucket = this.#byHash.get(entry.hash);
      if (bucket) bucket.push(entry);
      else this.#byHash.set(entry.hash, [entry]);
      chain.push(entry);
    }
    this.#touch(chain);
  }

  /**
   * Frees pages, least recently used first, of those that nobody but the cache holds.
   * @returns how many became free: fewer than `pagesNeeded` when there are no more.
   */
  evict(pagesNeeded: number): number {
    let freed = 0;
    for (const entry of this.#recency) {
      if (freed >= pagesNeeded) break;
      if (entry.children > 0 || this.#pool.references(entry.page) > 1) continue;
      this.#remove(entry);
      freed++;
    }
    return freed;
  }

  /** Lets go of everything. */
  clear(): void {
    for (const { page } of this.#recency) this.#pool.release(page);
    this.#recency.clear();
    this.#byHash.clear();
  }

  /** Cached pages of the first `count` pages of tokens, as far as they go. */
  #chain(tokens: Tokens, count: number): Entry[] {
    const { pageSize } = this.#pool;
    const chain: Entry[] = [];
    while (chain.length < count) {
      const parent: Entry | null = chain.at(-1) ?? null;
      const own = tokens.slice(chain.length * pageSize, (chain.length + 1) * pageSize);
      const entry = this.#byHash
        .get(this.#hash(parent, own))
        ?.find((other) => other.parent === parent && other.tokens.every((token, i) => token === own[i]));
      if (!entry) break;
      chain.push(entry);
    }
    return chain;
  }

  #hash(parent: Entry | null, tokens: Tokens): number {
    return hashWords(parent ? parent.hash : this.#root, tokens);
  }

  #touch(chain: readonly Entry[]): void {
    for (const entry of chain.toReversed()) {
      this.#recency.delete(entry);
      this.#recency.add(entry);
    }
  }

  #remove(entry: Entry): void {
    this.#recency.delete(entry);
    if (entry.parent) entry.parent.children--;
    const bucket = this.#byHash.get(entry.hash)!;
    if (bucket.length === 1) this.#byHash.delete(entry.hash);
    else bucket.splice(bucket.indexOf(entry), 1);
    this.#pool.release(entry.page);
  }
}
