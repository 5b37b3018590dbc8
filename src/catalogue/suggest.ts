/** What would run, where something does not: each suggestion was tried before it is made. */
import { tokensText } from '../cost/capacity.ts';
import { parameterCounts } from '../cost/shapes.ts';
import { PAGE_SIZE } from '../kernels/step.ts';
import { MODELS } from './entries.ts';
import { type FitModel, type FitPlan, willItRun } from './fit.ts';
import type { FitDevice, StorageRoom } from './surroundings.ts';
import type { CatalogueModel } from './types.ts';
import { loadedAs } from './weights.ts';
import { bytesText } from './words.ts';

/** The largest whole number from `low` to `high` that passes, where all below one that passes do; null where none does. */
function largestPassing(low: number, high: number, passes: (value: number) => boolean): number | null {
  if (low > high || !passes(low)) return null;
  let [good, bad] = [low, high + 1];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (passes(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

/**
 * Sentences, the least change first: smaller KV, fewer lanes, shorter lanes, smaller weights, another model. Empty where the
 * model fits as it is.
 * @param entry the catalogue's entry, where the model is one.
 */
export function suggestions(
  model: FitModel,
  plan: FitPlan,
  device: FitDevice | null,
  storage: StorageRoom | null,
  entry: CatalogueModel | null = null,
): string[] {
  const fits = (change: Partial<FitModel & FitPlan>) => {
    const { kv, lanes, length, ...rest } = { ...plan, ...model, ...change };
    return willItRun(rest, { kv, lanes, length }, device, storage).fits;
  };
  if (fits({})) return [];
  const found: string[] = [];
  if (plan.kv !== 'int8' && fits({ kv: 'int8' })) found.push('With int8 KV it fits.');
  const lanes = largestPassing(1, plan.lanes - 1, (count) => fits({ lanes: count }));
  if (lanes !== null)
    found.push(`${lanes} ${lanes === 1 ? 'lane' : 'lanes'} of ${tokensText(plan.length)} tokens fit.`);
  const pages = largestPassing(4, Math.ceil(plan.length / PAGE_SIZE) - 1, (n) => fits({ length: n * PAGE_SIZE }));
  if (pages !== null) {
    const many = plan.lanes === 1 ? 'A lane' : `${plan.lanes} lanes`;
    found.push(`${many} of ${tokensText(pages * PAGE_SIZE)} tokens ${plan.lanes === 1 ? 'fits' : 'fit'}.`);
  }
  if (model.weights !== 'int4') {
    const { weightBytes: _, ...unmeasured } = model;
    const smaller = { ...unmeasured, weights: 'int4' } as const;
    if (willItRun(smaller, plan, device, storage).fits) found.push('Quantised to 4 bits while it loads, it fits.');
  }
  const other = otherModel(model, plan, device, storage, entry);
  if (other) found.push(other);
  return found;
}

/** The same model in a smaller format; else the largest that fits, one that thinks before others. */
function otherModel(
  model: FitModel,
  plan: FitPlan,
  device: FitDevice | null,
  storage: StorageRoom | null,
  entry: CatalogueModel | null,
): string | null {
  const most = parameterCounts(model.shape).total;
  const choices = MODELS.flatMap((choice) => {
    const { shape, kind, gated, id, model: name, downloadBytes } = choice;
    if (!shape || kind === 'embedded' || gated || id === entry?.id) return [];
    const parameters = parameterCounts(shape).total;
    if (parameters > most || (parameters === most && name !== entry?.model)) return [];
    const candidate = { shape, weights: loadedAs(choice.stored), downloadBytes };
    return willItRun(candidate, plan, device, storage).fits ? [{ choice, parameters }] : [];
  });
  const same = choices.find(({ choice }) => choice.model === entry?.model);
  const [best] = choices.sort(
    (a, b) => Number(b.choice.thinks) - Number(a.choice.thinks) || b.parameters - a.parameters || size(b) - size(a),
  );
  const chosen = (same ?? best)?.choice;
  return chosen ? `${chosen.id} fits (${bytesText(chosen.downloadBytes ?? 0)} to fetch).` : null;
}

function size({ choice }: { choice: CatalogueModel }): number {
  return choice.downloadBytes ?? 0;
}
