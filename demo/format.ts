/** Numbers as the page writes them: those of the elements, and a log-probability. */
import { NONE } from '../src/elements/format.ts';

export { count, duration, NONE, percent, si } from '../src/elements/format.ts';

/** A mean log-probability: "−0.12". */
export function meanLogprob(logprob: { readonly sum: number; readonly count: number }): string {
  if (logprob.count === 0) return NONE;
  const mean = logprob.sum / logprob.count;
  const digits = Math.abs(mean).toFixed(2);
  return mean < 0 && digits !== '0.00' ? `−${digits}` : digits;
}
