/** The rows of the chooser: what is here first, then the catalogue; each with what is known of it on this machine. */
import {
  type CatalogueModel,
  type FitDevice,
  type FitPlan,
  type FitReport,
  loadedAs,
  MODELS,
  suggestions,
  willItRun,
} from '../../src/catalogue/index.ts';
import { KNOWN_ARCHITECTURES } from '../../src/checkpoint/config.ts';
import type { StoredModel } from '../../src/checkpoint/store/types.ts';

export interface Row {
  /** Of the catalogue; null for a model that is here and that the catalogue does not have. */
  readonly entry: CatalogueModel | null;
  readonly stored: StoredModel | null;
  readonly name: string;
  readonly fit: FitReport | null;
  /** What would fit instead; found when it is asked for, as that takes some looking. */
  readonly suggest: () => readonly string[];
}

/** What models are wanted for, and how they are to be loaded. */
export interface PagePlan extends FitPlan {
  /** Weights that come in 16 bits are made smaller while they load. */
  readonly quantize: '4bit' | '8bit' | null;
}

export interface Surroundings {
  readonly device: FitDevice | null;
  /** Bytes that can still be kept; null: not known. */
  readonly free: number | null;
  readonly plan: PagePlan;
}

const QUANTIZED = { '4bit': 'int4', '8bit': 'int8' } as const;

export interface Filter {
  readonly text: string;
  /** Only what runs here. */
  readonly fitting: boolean;
}

/** Whether Reckon's own decoder runs it. */
export function runsOnReckon({ shape, architecture }: CatalogueModel): boolean {
  return shape !== null && architecture !== null && KNOWN_ARCHITECTURES.includes(architecture);
}

function rowOf(entry: CatalogueModel, stored: StoredModel | null, { device, free, plan }: Surroundings): Row {
  const none = { entry, stored, name: entry.id, fit: null, suggest: () => [] };
  if (!entry.shape || !runsOnReckon(entry)) return none;
  const here = entry.kind === 'embedded' || stored?.complete === true;
  const left = here ? 0 : (entry.downloadBytes ?? 0) - (stored?.bytes ?? 0);
  const loaded = loadedAs(entry.stored);
  const model = {
    shape: { ...entry.shape, maxContext: entry.context },
    weights: plan.quantize && loaded === 'f16' ? QUANTIZED[plan.quantize] : loaded,
    downloadBytes: Math.max(0, left),
  };
  const wanted = { lanes: plan.lanes, length: Math.min(plan.length, entry.context), kv: plan.kv };
  const fit = willItRun(model, wanted, device, { free });
  return { ...none, fit, suggest: () => suggestions(model, wanted, device, { free }, entry) };
}

function matches(row: Row, { text, fitting }: Filter): boolean {
  if (fitting && row.fit?.fits !== true && row.stored === null) return false;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const about = [row.name, row.entry?.source, row.entry?.licence.name, row.stored?.name].join(' ').toLowerCase();
  return words.every((word) => about.includes(word));
}

const repositoryOf = ({ origin }: StoredModel) => (origin.kind === 'repository' ? origin.repository : null);

/** Rows in two groups: what is on this device, with the embedded models before it, and what may be fetched. */
export function rowsOf(
  stored: readonly StoredModel[],
  around: Surroundings,
  filter: Filter,
): { here: Row[]; there: Row[] } {
  const here: Row[] = [];
  const there: Row[] = [];
  const known = new Set<string>();
  for (const entry of MODELS) {
    const own =
      entry.kind === 'embedded' ? null : (stored.find((model) => repositoryOf(model) === entry.source) ?? null);
    if (own) known.add(own.key);
    const row = rowOf(entry, own, around);
    (entry.kind === 'embedded' || own ? here : there).push(row);
  }
  for (const model of stored) {
    if (!known.has(model.key))
      here.push({ entry: null, stored: model, name: model.name, fit: null, suggest: () => [] });
  }
  const shown = (row: Row) => matches(row, filter);
  return { here: here.filter(shown), there: there.filter(shown) };
}
