/** Options from anywhere, as records of known names. */
import { ReckonError } from '../errors.ts';

/**
 * The options as a record without unknown names.
 * @throws ReckonError `bad-option` naming what is not an option.
 */
export function checkOptions(strategy: string, options: unknown, known: readonly string[]): Record<string, unknown> {
  if (options === undefined) return {};
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ReckonError('bad-option', `The options of ${strategy} are not an object.`);
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new ReckonError('bad-option', `${strategy} has no option ${JSON.stringify(name)}.`, {
      hint: known.length > 0 ? `It has: ${known.join(', ')}.` : 'It takes none.',
      details: { strategy, name },
    });
  }
  return options as Record<string, unknown>;
}
