/** Which language the model at hand speaks, and what it is told before a problem for that. */
import type { Model } from '../api/types.ts';
import { ReckonError } from '../errors.ts';
import { encodeFamily } from '../tasks/corpus/index.ts';
import { type Language, type LengthChoice, languageOf, systemTurn } from '../tasks/index.ts';

/** Text that only the family's own vocabulary encodes as the family does. */
const PROBE = '<think>\nAlice knight: Bob says Carol knave ? is ? ok\n</think>\n';

/** By its tokenizer where that tells: a checkpoint of the recipe may lie in a folder of any name. */
export function languageHere({ engine, info }: Pick<Model, 'engine' | 'info'>): Language {
  return engine?.encode(PROBE).join() === encodeFamily(PROBE).join() ? 'family' : languageOf(info.name);
}

/**
 * The system turn before problems of a task, if any.
 * @throws ReckonError `bad-option` where a length is asked of a model that was never taught to think at one.
 */
export function systemHere(model: Model, task: string, length: LengthChoice): { system?: string } {
  const language = languageHere(model);
  if (length !== 'auto' && language !== 'family') {
    throw new ReckonError(
      'bad-option',
      `--length is ${length}, but ${model.info.name} is not of the embedded family: it was never taught to think at a length.`,
      { hint: 'Leave out --length, and bound its thinking by a limit instead.' },
    );
  }
  const system = systemTurn(language, task, length);
  return system === undefined ? {} : { system };
}
