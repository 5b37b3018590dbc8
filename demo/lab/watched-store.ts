/** A store that tells what it holds, so that results show while an experiment runs. */
import type { Experiment, ResultStore, StoredResults, StoreHeader, UnitRecord } from '../../src/lab/index.ts';

/**
 * The results without problems of which a run is still missing: every point is then a mean over the same problems.
 * Null where there is no whole problem.
 */
export function wholeProblems(results: StoredResults): StoredResults | null {
  const { samples, lanes, thinking, kv } = results.header.experiment;
  const runs = thinking.length * kv.length * Math.ceil(samples / lanes);
  const nameOf = ({ task, difficulty, index }: UnitRecord) => `${task}/${difficulty}/${index}`;
  const done = new Map<string, number>();
  for (const unit of results.units) done.set(nameOf(unit), (done.get(nameOf(unit)) ?? 0) + 1);
  const units = results.units.filter((unit) => done.get(nameOf(unit)) === runs);
  return units.length > 0 ? { header: results.header, units } : null;
}

export class WatchedStore implements ResultStore {
  readonly #store: ResultStore;
  readonly #experiment: Experiment;
  readonly #appended: () => void;
  #header: StoreHeader | null = null;
  readonly #units = new Map<string, UnitRecord>();

  /** @param appended called after each unit that was stored. */
  constructor(store: ResultStore, experiment: Experiment, appended: () => void) {
    this.#store = store;
    this.#experiment = experiment;
    this.#appended = appended;
  }

  /** What is there, as the experiment now wants it looked at; null before anything is. */
  get results(): StoredResults | null {
    if (!this.#header) return null;
    return { header: { ...this.#header, experiment: this.#experiment }, units: [...this.#units.values()] };
  }

  async load(): Promise<StoredResults | null> {
    const stored = await this.#store.load();
    if (!stored) return null;
    this.#header = stored.header;
    for (const unit of stored.units) this.#units.set(unit.unit, unit);
    return stored;
  }

  async begin(header: StoreHeader): Promise<void> {
    await this.#store.begin(header);
    this.#header = header;
  }

  async append(unit: UnitRecord): Promise<void> {
    await this.#store.append(unit);
    this.#units.set(unit.unit, unit);
    this.#appended();
  }
}
