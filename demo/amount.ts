/** Amounts as people write them, read back. */
const POWERS = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5, e: 6 } as const;
const FORM = /^(\d+(?:\.\d*)?|\.\d+)\s*([kmgtpe]?)\s*(.*)$/i;

/**
 * "2000", "1.5 G", "500MB" → the number; null for anything that is none, or is not above 0.
 * @param unit what may stand behind it.
 */
export function amount(text: string, unit: string): number | null {
  // Thousands may be set apart by spaces, as the page sets them.
  const match = FORM.exec(text.trim().replace(/(?<=\d)[\s\u202f](?=\d{3}(?!\d))/g, ''));
  if (!match) return null;
  const [, digits = '', prefix = '', rest = ''] = match;
  // "30 eFLOP": the e belongs to the unit.
  const whole = (prefix + rest).toLowerCase() === unit.toLowerCase();
  if (!whole && rest !== '' && rest.toLowerCase() !== unit.toLowerCase()) return null;
  const power = whole ? 0 : POWERS[prefix.toLowerCase() as keyof typeof POWERS];
  const value = Number(digits) * 1000 ** power;
  return value > 0 && Number.isFinite(value) ? value : null;
}
