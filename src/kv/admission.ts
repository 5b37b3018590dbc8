/** What fits into a KV cache, told before anything runs. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { KvPrecision } from '../kernels/precision.ts';
import { bytesText, tokensText } from './words.ts';

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
  /** Of the KV, where it is known: smaller ones are then suggested. */
  readonly precision?: KvPrecision;
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
export function pagesNeeded({ lanes, shared, length }: RunPlan, pageSize: number): number {
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

/** What a smaller precision would save, in words. */
const SMALLER: Readonly<Record<KvPrecision, string>> = {
  f32: ', or f16 KV for twice that, int8 for about four times',
  f16: ', or int8 KV for about twice that',
  int8: '',
};

/**
 * What does not fit and what would: "8 lanes × 32k tokens need 28 GiB of KV; this device admits 3.1 GiB: 8 × 3.6k, or 1 × 29k,
 * or int8 KV for about twice that". Null where the plan fits.
 * @param holder who has the room, and how much in bytes.
 * @throws ReckonError `bad-option` when the plan itself makes no sense.
 */
export function capacityMessage(
  plan: RunPlan,
  room: CacheRoom,
  holder: { readonly says: string; readonly bytes: number },
): string | null {
  const fit = fits(plan, room);
  if (fit.fits) return null;
  const { lanes, shared, length } = plan;
  const alike = shared > 0 && lanes > 1 ? `, ${tokensText(shared)} of them shared,` : '';
  const asked = `${lanes} lane${lanes === 1 ? '' : 's'} × ${tokensText(length)} tokens${alike} need${lanes === 1 ? 's' : ''}`;
  const choices: string[] = [];
  const offer = (count: number, longest: number) => {
    // Lanes that could only hold what they share would have nothing to say.
    if (longest > shared || (longest > 0 && longest === length)) choices.push(`${count} × ${tokensText(longest)}`);
  };
  offer(lanes, fit.maxLength);
  if (fit.maxLanes > 0) offer(fit.maxLanes, length);
  else if (lanes > 1) offer(1, fits({ ...plan, lanes: 1 }, room).maxLength);
  const saved = room.precision === undefined ? '' : SMALLER[room.precision];
  const would = choices.length > 0 ? `: ${choices.join(', or ')}${saved}` : ', too little for any lane';
  return `${asked} ${bytesText(fit.bytes)} of KV; ${holder.says} ${bytesText(holder.bytes)}${would}`;
}

/**
 * Refuses a run that cannot fit.
 * @throws ReckonError `over-capacity` saying what was asked, what there is and what would fit; `bad-option`.
 */
export function admit(plan: RunPlan, room: CacheRoom): void {
  const { pageSize, totalPages, bytesPerToken, maxContext } = room;
  const bytes = totalPages * pageSize * bytesPerToken;
  const message = capacityMessage(plan, room, { says: 'this engine holds', bytes });
  if (message === null) return;
  const asked = { ...plan, ...fits(plan, room), totalPages, pageSize, maxContext };
  // Where the model's own limit is in the way, memory does not help.
  const cured = room.precision !== undefined && room.precision !== 'int8' && plan.length <= maxContext;
  const details = { ...asked, ...(cured ? { smallerKv: 'int8' satisfies KvPrecision } : {}) };
  if (plan.length > maxContext) {
    throw new ReckonError(
      'over-capacity',
      `A lane of ${plan.length} tokens is longer than the ${maxContext} that the model and its KV cache allow.`,
      { hint: `Ask for at most ${maxContext} tokens a lane, prompt included.`, details },
    );
  }
  throw new ReckonError('over-capacity', `${message}.`, {
    hint: 'Ask for less, or load the model with more memory for KV (kvBytes).',
    details,
  });
}
