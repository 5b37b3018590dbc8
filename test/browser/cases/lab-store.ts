/** The lab's store in a page. Results cross as JSON. */
import { IndexedDbStore } from '../../../src/lab/indexed-db.ts';
import type { StoredResults } from '../../../src/lab/store.ts';

export async function fill(name: string, results: StoredResults): Promise<void> {
  const store = new IndexedDbStore(name);
  await store.begin(results.header);
  for (const unit of results.units) await store.append(unit);
  await store.close();
}

export async function load(name: string): Promise<StoredResults | null> {
  const store = new IndexedDbStore(name);
  const stored = await store.load();
  await store.close();
  return stored;
}

export async function clear(name: string): Promise<void> {
  const store = new IndexedDbStore(name);
  await store.clear();
  await store.close();
}
