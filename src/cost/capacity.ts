/** Whether the KV of a plan fits, and in words what would. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { KvPrecision } from './shapes.ts';

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

const pages = (tokens: number, pageSize: number) => Math.ceil(tokens / pageSize) * pageSize;

/** Bytes of KV that a plan takes at its longest. */
export function kvDemand({ lanes, length, shared = 0 }: KvDemand, { bytesPerToken, pageSize = 1 }: KvRoom): number {
  const common = Math.floor(Math.min(shared, length) / pageSize) * pageSize;
  return (common + lanes * (pages(length, pageSize) - common)) * bytesPerToken;
}

/** Longest that `lanes` lanes fit, tokens; 0 when not even what they share does. */
export function longestLanes(lanes: number, shared: number, room: KvRoom): number {
  const { bytes, bytesPerToken, pageSize = 1 } = room;
  const held = Math.floor(bytes / bytesPerToken / pageSize);
  const common = Math.floor(shared / pageSize);
  const length = (common + Math.floor((held - common) / lanes)) * pageSize;
  return length >= shared && held >= common ? Math.max(0, length) : 0;
}

/** Larger precisions and how much they save by being exchanged for smaller ones. */
const SMALLER: Readonly<Record<KvPrecision, string>> = {
  f32: ', or f16 KV for twice that, int8 for about four times',
  f16: ', or int8 KV for about twice that',
  int8: '',
};

/** Tokens in three letters: 32768 → "32k", 29023 → "29k", 3628 → "3.6k"; rounded down, as it has to fit. */
export function tokensText(tokens: number): string {
  if (tokens < 1000) return String(Math.floor(tokens));
  if (tokens % 1024 === 0) return `${tokens / 1024}k`;
  const thousands = tokens / 1000;
  return thousands < 10 ? `${Math.floor(thousands * 10) / 10}k` : `${Math.floor(thousands)}k`;
}

function bytesText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const text = value >= 10 || unit === 0 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, '');
  return `${text} ${units[unit]}`;
}

/**
 * What does not fit and what would: "8 lanes × 32k tokens need 28 GiB of KV; this device admits 3.1 GiB: 8 × 3.6k, or 1 × 29k,
 * or int8 KV for about twice that". Null where the plan fits.
 * @throws ReckonError `bad-option` for a demand or room that makes no sense.
 */
export function capacityMessage(demand: KvDemand, room: KvRoom): string | null {
  const lanes = checkNumber('lanes', demand.lanes, { min: 1, integer: true });
  const length = checkNumber('length', demand.length, { min: 1, integer: true });
  const shared = checkNumber('shared', demand.shared ?? 0, { min: 0, max: length, integer: true });
  checkNumber('bytes', room.bytes, { min: 0 });
  checkNumber('bytesPerToken', room.bytesPerToken, { min: 0, exclusiveMin: true });
  checkNumber('pageSize', room.pageSize ?? 1, { min: 1, integer: true });
  const needed = kvDemand(demand, room);
  if (needed <= room.bytes) return null;

  const fewer = new Set([lanes, 1]);
  const choices = [...fewer].flatMap((count) => {
    const longest = Math.min(length, longestLanes(count, shared, room));
    return longest > 0 ? [`${count} × ${tokensText(longest)}`] : [];
  });
  const alike = shared > 0 && lanes > 1 ? `, ${tokensText(shared)} of them shared,` : '';
  const asked = `${lanes} lane${lanes === 1 ? '' : 's'} × ${tokensText(length)} tokens${alike} need${lanes === 1 ? 's' : ''}`;
  const would =
    choices.length > 0 ? `: ${choices.join(', or ')}${SMALLER[room.precision]}` : ', too little for any lane';
  return `${asked} ${bytesText(needed)} of KV; this device admits ${bytesText(room.bytes)}${would}`;
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
