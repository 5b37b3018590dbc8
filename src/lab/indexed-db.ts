/** Results of experiments in the browser's IndexedDB: they outlive a reload. */
import { ReckonError } from '../errors.ts';
import type { ResultStore, StoredResults, StoreHeader, UnitRecord } from './store.ts';

const DATABASE = 'reckon-lab';
/** Heads by the store's name; units by that and their own. */
const HEADS = 'heads';
const UNITS = 'units';

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(failed(request.error));
  });
}

/** A transaction counts once it is complete: until then it may still be undone. */
function completed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(failed(transaction.error));
  });
}

function failed(error: DOMException | null): ReckonError {
  const full = error?.name === 'QuotaExceededError';
  return new ReckonError(
    'internal',
    `The browser's storage failed: ${error?.message || error?.name || 'no reason given'}.`,
    {
      hint: full
        ? 'It is full: free some space for this site.'
        : 'Private windows and blocked cookies can forbid it; results can still be kept in memory.',
      cause: error,
    },
  );
}

/** One experiment's results, by name. Several pages may write to it: the same unit is the same everywhere. */
export class IndexedDbStore implements ResultStore {
  readonly #name: string;
  #database: Promise<IDBDatabase> | null = null;

  constructor(name: string) {
    this.#name = name;
  }

  async load(): Promise<StoredResults | null> {
    const transaction = (await this.#open()).transaction([HEADS, UNITS], 'readonly');
    const [header, units] = await Promise.all([
      settled<StoreHeader | undefined>(transaction.objectStore(HEADS).get(this.#name)),
      settled<UnitRecord[]>(transaction.objectStore(UNITS).getAll(this.#range())),
    ]);
    return header ? { header, units } : null;
  }

  async begin(header: StoreHeader): Promise<void> {
    await this.#write((heads) => heads.put(header, this.#name), HEADS);
  }

  async append(unit: UnitRecord): Promise<void> {
    await this.#write((units) => units.put(unit, [this.#name, unit.unit]), UNITS);
  }

  /** Forgets these results. */
  async clear(): Promise<void> {
    const transaction = (await this.#open()).transaction([HEADS, UNITS], 'readwrite');
    transaction.objectStore(HEADS).delete(this.#name);
    transaction.objectStore(UNITS).delete(this.#range());
    await completed(transaction);
  }

  /** Gives the database free. */
  async close(): Promise<void> {
    const database = await this.#database;
    this.#database = null;
    database?.close();
  }

  /** All keys [name, …]: an empty list sorts behind every text. */
  #range(): IDBKeyRange {
    return IDBKeyRange.bound([this.#name], [this.#name, []]);
  }

  async #write(put: (store: IDBObjectStore) => IDBRequest, name: string): Promise<void> {
    const transaction = (await this.#open()).transaction(name, 'readwrite');
    put(transaction.objectStore(name));
    await completed(transaction);
  }

  #open(): Promise<IDBDatabase> {
    this.#database ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(DATABASE, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(HEADS);
        request.result.createObjectStore(UNITS);
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(failed(request.error));
    }).catch((error: unknown) => {
      // The next call may have more luck.
      this.#database = null;
      throw error;
    });
    return this.#database;
  }
}
