/** Where the finished units of an experiment lie, so that an interrupted one goes on where it was. */
import type { KvPrecision, ModelShape, WeightPrecision } from '../cost/shapes.ts';
import type { FinishReason } from '../engine/types.ts';
import { ReckonError } from '../errors.ts';
import type { Cost, CostByClass } from '../ledger/cost.ts';
import type { Experiment } from './experiment.ts';

/** One chain of thought: what it said, whether it was right, and what it cost. */
export interface Sample {
  readonly seed: number;
  readonly reasoning: string;
  readonly answer: string;
  readonly correct: boolean;
  /** Tokens of thinking and answer, forced ones included. */
  readonly tokens: number;
  readonly finish: FinishReason;
  /** Sum and count over the sampled tokens. */
  readonly logprob: { readonly sum: number; readonly count: number };
  /** Its share of what ran, FLOPs and bytes; what it shared with the lanes beside it is split among them. */
  readonly cost: Cost;
}

/** A unit that is done. Plain data, one line of a file. */
export interface UnitRecord {
  readonly unit: string;
  readonly task: string;
  readonly difficulty: number;
  readonly index: number;
  readonly thinking: number;
  readonly kv: string;
  readonly part: number;
  readonly prompt: {
    readonly text: string;
    readonly tokens: number;
    /** What reading it cost, once for all chains; less where its beginning was still in the cache. */
    readonly cost: Cost;
  };
  /** Of all chains together. */
  readonly classes: CostByClass;
  readonly samples: readonly Sample[];
}

/** What an experiment ran on. */
export interface Setting {
  readonly model: string;
  readonly parameters: number;
  readonly precision: { readonly weights: WeightPrecision; readonly kv: KvPrecision };
  readonly device: string;
  readonly software: boolean;
  /** FLOPs the device does in the time of a byte read; null where that was not measured. */
  readonly intensity: number | null;
  /** The model's sizes, for formulas; null where nobody told them. */
  readonly shape: ModelShape | null;
}

/** The head of a store: whose results these are. */
export interface StoreHeader {
  readonly format: 'reckon-lab';
  readonly version: 1;
  readonly experiment: Experiment;
  readonly setting: Setting;
}

export interface StoredResults {
  readonly header: StoreHeader;
  readonly units: readonly UnitRecord[];
}

/** Append-only. A unit is there whole or not at all. */
export interface ResultStore {
  /** What lies there; null when nothing does. */
  load(): Promise<StoredResults | null>;
  /** Starts anew with this head; asked only of a store that holds nothing. */
  begin(header: StoreHeader): Promise<void>;
  append(unit: UnitRecord): Promise<void>;
}

/** Lives as long as its process. */
export class MemoryStore implements ResultStore {
  #header: StoreHeader | null = null;
  readonly #units: UnitRecord[] = [];

  async load(): Promise<StoredResults | null> {
    return this.#header && structuredClone({ header: this.#header, units: this.#units });
  }

  async begin(header: StoreHeader): Promise<void> {
    this.#header = structuredClone(header);
  }

  async append(unit: UnitRecord): Promise<void> {
    this.#units.push(structuredClone(unit));
  }
}

/** What decides which samples are drawn. The rest (n, presets, …) says how they are looked at, and may change later. */
const DECISIVE = [
  'tasks',
  'problems',
  'system',
  'seed',
  'samples',
  'thinking',
  'answer',
  'sampling',
  'kv',
  'lanes',
] as const satisfies readonly (keyof Experiment)[];
const SETTING = ['model', 'parameters', 'precision', 'device'] as const satisfies readonly (keyof Setting)[];

/** JSON with the names of every object in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

/**
 * That stored results belong to this experiment on this model and device.
 * @throws ReckonError `bad-option` naming the first thing that differs.
 */
export function checkSame(stored: StoreHeader, wanted: StoreHeader): void {
  const differing =
    DECISIVE.map((name) => [name, stored.experiment[name], wanted.experiment[name]] as const).find(
      ([, one, other]) => canonical(one) !== canonical(other),
    ) ??
    SETTING.map((name) => [`the ${name}`, stored.setting[name], wanted.setting[name]] as const).find(
      ([, one, other]) => canonical(one) !== canonical(other),
    );
  if (!differing) return;
  const [name, one, other] = differing;
  throw new ReckonError(
    'bad-option',
    `The stored results are another experiment's: ${name} was ${canonical(one)} and is now ${canonical(other)}.`,
    { hint: 'Store this one elsewhere, or go on with the experiment that lies there.', details: { name } },
  );
}
