/** Which language the model at hand speaks, and what it is told before a problem for that. */
import type { Model } from '../api/types.ts';
import { EMBEDDED_MODELS } from '../cost/catalogue.ts';
import { ReckonError } from '../errors.ts';
import { encodeFamily } from '../tasks/corpus/index.ts';
import { type Language, type LengthChoice, languageOf, offerOf, type Problem, systemTurn } from '../tasks/index.ts';

/** Text that only the family's own vocabulary encodes as the family does. */
const PROBE = '<think>\nAlice knight: Bob says Carol knave ? is ? ok\n</think>\n';

/** By its tokenizer where that tells: a checkpoint of the recipe may lie in a folder of any name. */
export function languageHere({ engine, info }: Pick<Model, 'engine' | 'info'>): Language {
  return engine?.encode(PROBE).join() === encodeFamily(PROBE).join() ? 'family' : languageOf(info.name);
}

/** Which models are of the family. */
export function familyHint(): string {
  const family = EMBEDDED_MODELS.filter((name) => languageOf(name) === 'family');
  return `Of the family are: ${family.join(', ') || 'the checkpoints that training/ makes'}.`;
}

/** Says so where an embedded model was never trained on such a problem, and which one was; null where it was. */
export function untaught(model: string, { task, difficulty }: Problem): string | null {
  if (languageOf(model) === 'general') return null;
  const knows = (name: string) => offerOf(name, task)?.taught?.includes(difficulty) ?? false;
  if (knows(model)) return null;
  const others = EMBEDDED_MODELS.filter(knows);
  const hint = others.length > 0 ? `; trained on such are: ${others.join(', ')}` : '';
  return `Note: ${model} was not trained on ${task} of difficulty ${difficulty}${hint}.`;
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
      { hint: `Leave out --length and bound its thinking by a limit. ${familyHint()}` },
    );
  }
  const system = systemTurn(language, task, length);
  return system === undefined ? {} : { system };
}
