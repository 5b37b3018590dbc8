/** Whether the KV of a plan fits into memory of a given size: the KV room's own count and words, for what is not loaded yet. */
import { checkNumber, ReckonError } from '../errors.ts';
import * as kv from '../kv/index.ts';
import type { KvPrecision } from './shapes.ts';

export { tokensText } from '../kv/index.ts';

export interface KvDemand {
  readonly lanes: number;
  /** Longest that each lane grows, prompt included, tokens. */
  readonly length: number;
  /** Of those, tokens that all lanes share and that are kept once. Default 0. */
  readonly shared?: number;
}

export interface KvRoom {
  /** Bytes that the device admits for KV. */
  readonly bytes: number;
  readonly bytesPerToken: number;
  readonly precision: KvPrecision;
  /** Lanes take whole pages of this many tokens. Default 1. */
  readonly pageSize?: number;
}

/** The pages that the room holds. */
function cacheOf({ bytes, bytesPerToken, precision, pageSize = 1 }: KvRoom): kv.CacheRoom {
  const totalPages = Math.floor(bytes / bytesPerToken / pageSize);
  return { pageSize, totalPages, bytesPerToken, maxContext: Number.POSITIVE_INFINITY, precision };
}

/** Bytes of KV that a plan takes at its longest. */
export function kvDemand({ lanes, length, shared = 0 }: KvDemand, { bytesPerToken, pageSize = 1 }: KvRoom): number {
  return kv.pagesNeeded({ lanes, length, shared: Math.min(shared, length) }, pageSize) * pageSize * bytesPerToken;
}

/** Longest that `lanes` lanes fit, tokens; 0 when not even what they share does. */
export function longestLanes(lanes: number, shared: number, room: KvRoom): number {
  return kv.fits({ lanes, shared, length: Math.max(1, shared) }, cacheOf(room)).maxLength;
}

/**
 * What does not fit and what would, as the KV room says it. Null where the plan fits.
 * @throws ReckonError `bad-option` for a demand or room that makes no sense.
 */
export function capacityMessage({ lanes, length, shared = 0 }: KvDemand, room: KvRoom): string | null {
  checkNumber('length', length, { min: 1, integer: true });
  checkNumber('shared', shared, { min: 0, max: length, integer: true });
  checkNumber('bytes', room.bytes, { min: 0 });
  checkNumber('bytesPerToken', room.bytesPerToken, { min: 0, exclusiveMin: true });
  checkNumber('pageSize', room.pageSize ?? 1, { min: 1, integer: true });
  return kv.capacityMessage({ lanes, length, shared }, cacheOf(room), {
    says: 'this device admits',
    bytes: room.bytes,
  });
}

/**
 * Refuses a plan whose KV does not fit.
 * @throws ReckonError `over-capacity` with {@link capacityMessage}; `bad-option`.
 */
export function checkCapacity(demand: KvDemand, room: KvRoom): void {
  const message = capacityMessage(demand, room);
  if (message === null) return;
  throw new ReckonError('over-capacity', `${message}.`, {
    details: { ...demand, needed: kvDemand(demand, room), admitted: room.bytes },
  });
}
