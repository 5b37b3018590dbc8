/** Which experiments this browser keeps: an index beside the stores, which hold the samples. */
import { checkExperiment, type Experiment } from '../../src/lab/index.ts';

export interface Kept {
  /** Of the store. */
  readonly name: string;
  readonly experiment: Experiment;
  readonly runsDone: number;
  readonly runsTotal: number;
}

const KEY = 'reckon.lab.experiments';
const SPEED_KEY = 'reckon.lab.speed';

/** What the page keeps its index in; may be forbidden, and then throws. */
export type TextStorage = Pick<Storage, 'getItem' | 'setItem'>;

/** The store's name: what decides which samples are drawn. Other N are another look at the same samples. */
export function storeName(experiment: Experiment): string {
  const { model, tasks, problems, system, seed, samples, thinking, answer, sampling, kv, lanes } = experiment;
  const parts = [model, tasks, problems, seed, samples, thinking, answer, sampling, kv, lanes];
  return `page ${JSON.stringify(system === undefined ? parts : [...parts, system])}`;
}

function entryOf(value: unknown): Kept[] {
  if (typeof value !== 'object' || value === null) return [];
  const { experiment: given, runsDone, runsTotal } = value as Record<string, unknown>;
  if (typeof runsDone !== 'number' || typeof runsTotal !== 'number') return [];
  try {
    const experiment = checkExperiment(given);
    return [{ name: storeName(experiment), experiment, runsDone, runsTotal }];
  } catch {
    // Of another version: its samples would not be drawn the same way either.
    return [];
  }
}

/** The latest first. */
export function readKept(storage: TextStorage): Kept[] {
  try {
    const value: unknown = JSON.parse(storage.getItem(KEY) ?? '[]');
    return Array.isArray(value) ? value.flatMap(entryOf) : [];
  } catch {
    return [];
  }
}

/** What is kept of the same task and difficulties as `shown`, the latest of each model; empty where that is one model. */
export function comparable(kept: readonly Kept[], shown: Experiment): Kept[] {
  const tasks = JSON.stringify(shown.tasks);
  const alike = kept.filter(({ experiment, runsDone }) => runsDone > 0 && JSON.stringify(experiment.tasks) === tasks);
  const latest = new Map<string, Kept>();
  for (const entry of alike) if (!latest.has(entry.experiment.model)) latest.set(entry.experiment.model, entry);
  return latest.size > 1 ? [...latest.values()] : [];
}

function write(storage: TextStorage, key: string, value: unknown): void {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch {
    // Nothing is lost but the memory of it.
  }
}

/** Puts an experiment first, in place of what the index said of it. Returns the new index. */
export function keep(storage: TextStorage, entry: Kept): Kept[] {
  const index = [entry, ...readKept(storage).filter(({ name }) => name !== entry.name)];
  write(storage, KEY, index);
  return index;
}

export function unkeep(storage: TextStorage, name: string): Kept[] {
  const index = readKept(storage).filter((entry) => entry.name !== name);
  write(storage, KEY, index);
  return index;
}

/** Tokens a second of the last session here; null where there was none. */
export function readSpeed(storage: TextStorage): number | null {
  try {
    const speed = Number(storage.getItem(SPEED_KEY));
    return Number.isFinite(speed) && speed > 0 ? speed : null;
  } catch {
    return null;
  }
}

export function keepSpeed(storage: TextStorage, tokensPerSecond: number): void {
  write(storage, SPEED_KEY, tokensPerSecond);
}
