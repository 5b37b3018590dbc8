/** What fits into a KV cache, told before anything runs. */
import { checkNumber, ReckonError } from '../errors.ts';

/** A run: `lanes` lanes with their first `shared` tokens in common, each growing to `length` tokens. */
export interface RunPlan {
  lanes: number;
  shared: number;
  length: number;
}

/** The room there is. Pages in all, not those free now: idle KV gives way to a run. */
export interface CacheRoom {
  /** Tokens a page holds. */
  readonly pageSize: number;
  readonly totalPages: number;
  /** KV of one token over all layers. */
  readonly bytesPerToken: number;
  /** Longest lane, tokens. */
  readonly maxContext: number;
}

export interface Fit {
  readonly fits: boolean;
  /** Pages the run needs when all its lanes are at their longest, and their bytes. */
  readonly pages: number;
  readonly bytes: number;
  /** Longest the same lanes could be, tokens; 0 when not even the shared tokens fit. */
  readonly maxLength: number;
  /** Most lanes of this length and sharing, at most those asked for; 0 when not even one fits. */
  readonly maxLanes: number;
}

/**
 * Pages that full lanes hold: common full pages once; then each lane its own, the copy of the open common page included.
 * Lanes that do not grow past what they share hold only that.
 */
function pagesNeeded({ lanes, shared, length }: RunPlan, pageSize: number): number {
  if (length === shared) return Math.ceil(length / pageSize);
  const common = Math.floor(shared / pageSize);
  return common + lanes * (Math.ceil(length / pageSize) - common);
}

/**
 * Whether a run fits, and what would.
 * @throws ReckonError `bad-option` when the plan itself makes no sense.
 */
export function fits(plan: RunPlan, room: CacheRoom): Fit {
  const lanes = checkNumber('lanes', plan.lanes, { min: 1, integer: true });
  const shared = checkNumber('shared', plan.shared, { min: 0, integer: true });
  const length = checkNumber('length', plan.length, { min: Math.max(1, shared), integer: true });
  const { pageSize, totalPages, bytesPerToken, maxContext } = room;

  const common = Math.floor(shared / pageSize);
  const ownPages = Math.floor((totalPages - common) / lanes);
  const sharedFits = Math.ceil(shared / pageSize) <= totalPages && shared <= maxContext;
  const grown = Math.min((common + ownPages) * pageSize, maxContext);
  const maxLength = sharedFits ? Math.max(shared, grown) : 0;

  const pages = pagesNeeded({ lanes, shared, length }, pageSize);
  const fit = pages <= totalPages && length <= maxContext;
  const one = pagesNeeded({ lanes: 1, shared, length }, pageSize);
  const possible = one <= totalPages && length <= maxContext;
  const maxLanes = !possible ? 0 : fit ? lanes : Math.floor((totalPages - common) / (one - common));
  return { fits: fit, pages, bytes: pages * pageSize * bytesPerToken, maxLength, maxLanes };
}

/**
 * Refuses a run that cannot fit.
 * @throws ReckonError `over-capacity` saying what was asked, what there is and what would fit; `bad-option`.
 */
export function admit(plan: RunPlan, room: CacheRoom): void {
  const fit = fits(plan, room);
  if (fit.fits) return;
  const { lanes, shared, length } = plan;
  const { pageSize, totalPages, bytesPerToken, maxContext } = room;
  const details = { ...plan, ...fit, totalPages, pageSize, maxContext };
  if (length > maxContext) {
    throw new ReckonError(
      'over-capacity',
      `A lane of ${length} tokens is longer than the ${maxContext} that the model and its KV cache allow.`,
      { hint: `Ask for at most ${maxContext} tokens a lane, prompt included.`, details },
    );
  }
  const common = shared > 0 && lanes > 1 ? `, ${shared} of them shared,` : '';
  const held = `${totalPages} (${size(totalPages * pageSize * bytesPerToken)})`;
  const choices = [];
  if (fit.maxLength > shared) choices.push(lanesOf(lanes, fit.maxLength));
  if (fit.maxLanes > 0) choices.push(lanesOf(fit.maxLanes, length));
  const hint =
    choices.length > 0
      ? `What would fit: ${choices.join(', or ')}.`
      : `The longest single lane that fits has ${Math.min(totalPages * pageSize, maxContext)} tokens.`;
  throw new ReckonError(
    'over-capacity',
    `${lanesOf(lanes, length)}${common} need${lanes === 1 ? 's' : ''} ${fit.pages} KV pages of ${pageSize} tokens (${size(fit.bytes)}); this engine holds ${held}.`,
    { hint, details },
  );
}

function lanesOf(lanes: number, length: number): string {
  return `${lanes} lane${lanes === 1 ? '' : 's'} of ${length} tokens`;
}

/** Bytes for people: three digits. */
export function size(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}
