/** Amounts for people. */

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

/** As download pages write them, in powers of 1000: "351 MB", "2.3 GB". */
export function bytesText(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 9.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}
