/**
 * What a model is offered: the tasks it knows, what it was trained on of them, where to begin, how long to let it think. The page,
 * the lab and the command line all ask here.
 */
import { arithmetic } from './arithmetic/task.ts';
import { SYSTEM_PROMPTS } from './corpus/chat.ts';
import { countdown } from './countdown.ts';
import { islanders } from './islanders/task.ts';
import { knights } from './knights.ts';
import { recall } from './recall/task.ts';
import type { Task } from './types.ts';

export interface Offer {
  readonly task: Task;
  /** The difficulty to begin with. */
  readonly difficulty: number;
  /** Difficulties the model was trained on; null where nobody knows. */
  readonly taught: readonly number[] | null;
  /** A limit of thinking that hardly any sound thought reaches, by difficulty, in tokens. */
  readonly thinking: Readonly<Record<number, number>>;
}

/** Whose language a model speaks: the embedded family's, that of the prototype before it, or people's. */
export type Language = 'family' | 'proto' | 'general';

/** Of a model by its name: the embedded models' are their folders'. */
export function languageOf(model: string): Language {
  return model === 'proto' ? 'proto' : /^reckon-/.test(model) ? 'family' : 'general';
}

/**
 * Limits are the 99th percentile of searches told in full and half as much again, for looking back; less where the context of
 * 2,048 tokens ends before (test/tasks/offers.test.ts).
 */
const FAMILY: readonly Offer[] = [
  { task: countdown, difficulty: 4, taught: [3, 4], thinking: { 3: 384, 4: 512, 5: 640 } },
  {
    task: islanders,
    difficulty: 3,
    taught: [2, 3, 4],
    thinking: { 2: 352, 3: 784, 4: 1344, 5: 1792, 6: 1792, 7: 1792 },
  },
  { task: arithmetic, difficulty: 2, taught: [1, 2, 3], thinking: { 1: 192, 2: 320, 3: 512, 4: 768, 5: 896 } },
  { task: recall, difficulty: 8, taught: [8, 16], thinking: { 8: 96, 16: 96, 32: 96, 64: 96, 128: 96, 224: 96 } },
];

const PROTO: readonly Offer[] = [
  { task: countdown, difficulty: 3, taught: [3], thinking: { 3: 200, 4: 400, 5: 600 } },
  {
    task: knights,
    difficulty: 2,
    taught: [2, 3],
    thinking: Object.fromEntries(knights.difficulties.map((d) => [d, 200])),
  },
];

/** Models that think in people's words take many more of them. */
const GENERAL_THINKING = 2048;

const GENERAL: readonly Offer[] = FAMILY.map(({ task, difficulty }) => ({
  task,
  difficulty,
  taught: null,
  thinking: Object.fromEntries(task.difficulties.map((level) => [level, GENERAL_THINKING])),
}));

const OFFERS: Readonly<Record<Language, readonly Offer[]>> = { family: FAMILY, proto: PROTO, general: GENERAL };

/** What the model of this name is offered, in order; never empty. */
export function offersFor(model: string): readonly Offer[] {
  return OFFERS[languageOf(model)];
}

/** The offer of a task; undefined where the model does not know it. */
export function offerOf(model: string, task: string): Offer | undefined {
  return offersFor(model).find((offer) => offer.task.id === task);
}

/** How the embedded family may be asked to think: as a problem's level calls for, or at one length whatever it calls for. */
export const LENGTH_CHOICES = ['auto', ...(Object.keys(SYSTEM_PROMPTS) as (keyof typeof SYSTEM_PROMPTS)[])] as const;
export type LengthChoice = (typeof LENGTH_CHOICES)[number];

/** The forms of answers that the verifiers take, for models that were never taught them. */
const ANSWER_FORMS: Readonly<Record<string, string>> = {
  [countdown.id]: 'the steps and nothing else, in a form like "9*10=90, 90-13=77"',
  [islanders.id]: 'who is what and nothing else, in a form like "Alice is a knight, Bob is a knave"',
  [arithmetic.id]: 'the number and nothing else',
  [recall.id]: 'the number and nothing else',
};

/**
 * The system turn before a question, if any: of the family, the length it is to think at; of other models, the rules of the task
 * and the form of its answer.
 * @param task id of the problem's task; null for words of one's own.
 */
export function systemTurn(language: Language, task: string | null, length: LengthChoice = 'auto'): string | undefined {
  if (language === 'family') return length === 'auto' ? undefined : SYSTEM_PROMPTS[length];
  const offer = OFFERS[language].find((one) => one.task.id === task);
  if (language === 'proto' || !offer) return undefined;
  return `${offer.task.description} Think, then answer with ${ANSWER_FORMS[offer.task.id]}.`;
}
