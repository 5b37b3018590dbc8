/** Tokens and bytes for people, short. */

/** Tokens in three letters: 32768 → "32k", 29023 → "29k", 3628 → "3.6k"; rounded down, as it has to fit. */
export function tokensText(tokens: number): string {
  if (tokens < 1000) return String(Math.floor(tokens));
  if (tokens % 1024 === 0) return `${tokens / 1024}k`;
  const thousands = tokens / 1000;
  return thousands < 10 ? `${Math.floor(thousands * 10) / 10}k` : `${Math.floor(thousands)}k`;
}

/** Bytes in two digits or more: "9.8 KiB", "448 MiB", "3 GiB". */
export function bytesText(bytes: number): string {
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
