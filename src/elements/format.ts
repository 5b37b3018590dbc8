/** Numbers as people read them: SI prefixes (powers of 1000), three significant digits, a true minus sign. */

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'] as const;

/** What stands where there is no number yet. */
export const NONE = '–';

function threeDigits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** "12.3 MFLOP", "0 B", "1.50 kB/s". Below one thousand whole numbers stay whole. */
export function si(value: number, unit: string): string {
  if (!Number.isFinite(value)) return NONE;
  const magnitude = Math.abs(value);
  let power = 0;
  // 999.5 would be shown as 1000 of the smaller unit.
  while (power < PREFIXES.length - 1 && magnitude / 1000 ** power >= 999.5) power++;
  const scaled = magnitude / 1000 ** power;
  const digits = power === 0 && Number.isInteger(value) ? String(scaled) : threeDigits(scaled);
  return `${value < 0 ? '−' : ''}${digits} ${PREFIXES[power]}${unit}`.trimEnd();
}

/** 12345 → "12 345" with thin spaces. */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** Seconds: "0.42 s", "12.3 s", "3 min 05 s". */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** A share of a whole as "42 %"; "<1 %" where there is a little, "0 %" where there is none. */
export function percent(part: number, whole: number): string {
  if (Number.isNaN(part) || Number.isNaN(whole)) return NONE;
  if (whole <= 0 || part <= 0) return '0 %';
  const share = (100 * part) / whole;
  return share < 0.5 ? '<1 %' : `${share.toFixed(0)} %`;
}
