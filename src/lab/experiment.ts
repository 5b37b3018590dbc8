/** An experiment as a person writes it: JSON, checked field by field, with everything left out filled in. */
import { parseAttention } from '../cost/attention.ts';
import { DEFAULT_MODEL } from '../cost/catalogue.ts';
import type { Sampling } from '../engine/types.ts';
import { checkNumber, ReckonError } from '../errors.ts';
import { checkSampling } from '../strategies/check.ts';
import { MAX_LANES } from '../strategies/index.ts';
import { taskById } from '../tasks/index.ts';

/** Problems of one task, of these difficulties. */
export interface TaskChoice {
  readonly task: string;
  readonly difficulties: readonly number[];
}

/** How a cost is counted: what ran (the ledger), or a formula of `src/cost/`. */
export const ACCOUNT_NAMES = ['measured', 'paper', 'paper-code', 'device'] as const;
export type AccountName = (typeof ACCOUNT_NAMES)[number];

export interface Experiment {
  readonly title: string;
  /** An embedded model's name, a folder or a URL. */
  readonly model: string;
  readonly tasks: readonly TaskChoice[];
  /** Problems of each task and difficulty. */
  readonly problems: number;
  /** A system turn before each problem, where there is one. */
  readonly system?: string;
  /** Names the problems and the random streams. */
  readonly seed: number;
  /** Chains drawn for each problem, thinking limit and KV policy; at least the largest of `n`. */
  readonly samples: number;
  /** How many chains Best-of-N is looked at with, rising. */
  readonly n: readonly number[];
  /** Limits of thinking, in tokens, rising. */
  readonly thinking: readonly number[];
  /** Most tokens of an answer. */
  readonly answer: number;
  /** What is left out is as the model's makers set it. */
  readonly sampling: Omit<Sampling, 'seed' | 'biases'>;
  /** What generated tokens attend to, in the short forms of `parseAttention`: "dense", "block:16x8", "window:4+128" … */
  readonly kv: readonly string[];
  /** Most chains in one run, which read their prompt once. Part of the random streams: it never follows the machine. */
  readonly lanes: number;
  readonly presets: readonly AccountName[];
  /** How often problems are drawn anew for an interval. */
  readonly resamples: number;
}

const FIELDS = [
  'title',
  'model',
  'tasks',
  'problems',
  'system',
  'seed',
  'samples',
  'n',
  'thinking',
  'answer',
  'sampling',
  'kv',
  'lanes',
  'presets',
  'resamples',
] as const satisfies readonly (keyof Experiment)[];
const SAMPLING = ['temperature', 'topK', 'topP', 'minP', 'repetitionPenalty'] as const;
const DEFAULT_N = [1, 2, 4, 8, 16, 32];

function bad(field: string, message: string, hint?: string): ReckonError {
  const text = `${field} ${message}`;
  return new ReckonError('bad-option', text, { ...(hint ? { hint } : {}), details: { field } });
}

/** A value in words: short, whatever it is. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function record(field: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw bad(field, `is ${shown(value)}; it must be an object.`);
  }
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) throw bad(field, `has no field ${shown(name)}.`, `It has: ${known.join(', ')}.`);
  }
  return value as Record<string, unknown>;
}

function list(field: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw bad(field, `is ${shown(value)}; it must be a list of at least one item.`);
}

/** Whole numbers, each once, rising. */
function wholeNumbers(field: string, value: unknown, range: { min: number; max?: number }): number[] {
  const numbers = list(field, value).map((item, i) => checkNumber(`${field}[${i}]`, item, { ...range, integer: true }));
  if (new Set(numbers).size !== numbers.length) throw bad(field, `names a number twice: ${shown(numbers)}.`);
  return numbers.sort((a, b) => a - b);
}

function names<T extends string>(field: string, value: unknown, known: readonly T[]): T[] {
  const chosen = list(field, value).map((item, i) => {
    const found = known.find((name) => name === item);
    if (found === undefined) {
      throw bad(`${field}[${i}]`, `is ${shown(item)}; it must be one of ${known.map(shown).join(', ')}.`);
    }
    return found;
  });
  if (new Set(chosen).size !== chosen.length) throw bad(field, `names the same twice: ${shown(chosen)}.`);
  return chosen;
}

function policies(field: string, value: unknown): string[] {
  const chosen = list(field, value).map((item, i) => {
    if (typeof item !== 'string') throw bad(`${field}[${i}]`, `is ${shown(item)}; it must be a text.`);
    try {
      parseAttention(item);
      return item;
    } catch (error) {
      throw bad(`${field}[${i}]`, `is no attention policy: ${(error as Error).message}`);
    }
  });
  if (new Set(chosen).size !== chosen.length) throw bad(field, `names the same twice: ${shown(chosen)}.`);
  return chosen;
}

function text(field: string, value: unknown): string {
  if (typeof value === 'string' && value.trim() !== '') return value;
  throw bad(field, `is ${shown(value)}; it must be a text.`);
}

function taskChoices(value: unknown): TaskChoice[] {
  const seen = new Set<string>();
  return list('tasks', value).map((item, i) => {
    const field = `tasks[${i}]`;
    const given = record(field, item, ['task', 'difficulties']);
    const id = text(`${field}.task`, given.task);
    if (seen.has(id)) throw bad(`${field}.task`, `is ${shown(id)}, which an entry before it already names.`);
    seen.add(id);
    const task = taskById(id);
    const difficulties = wholeNumbers(`${field}.difficulties`, given.difficulties ?? [task.difficulties[0]], {
      min: 0,
    });
    for (const difficulty of difficulties) {
      if (!task.difficulties.includes(difficulty)) {
        throw bad(
          `${field}.difficulties`,
          `names ${difficulty}, which ${id} does not have.`,
          `It has: ${task.difficulties.join(', ')}.`,
        );
      }
    }
    return { task: id, difficulties };
  });
}

function samplingOf(value: unknown): Experiment['sampling'] {
  const given = record('sampling', value, SAMPLING);
  // A setting that is null would pass for one that is left out.
  for (const [name, item] of Object.entries(given)) checkNumber(`sampling.${name}`, item, { min: 0 });
  checkSampling(given);
  return given;
}

/**
 * An experiment from parsed JSON.
 * @throws ReckonError `bad-option` that names the field, its value and what it may be.
 */
export function checkExperiment(value: unknown): Experiment {
  const given = record('The experiment', value, FIELDS);
  const whole = (field: keyof Experiment, otherwise: number | undefined, max?: number, min = 1) =>
    checkNumber(field, given[field] ?? otherwise, { min, integer: true, ...(max === undefined ? {} : { max }) });
  const n = wholeNumbers('n', given.n ?? DEFAULT_N, { min: 1, max: 4096 });
  const most = n.at(-1) as number;
  const samples = whole('samples', most, 4096);
  if (samples < most) {
    throw bad(
      'samples',
      `is ${samples}, but n goes up to ${most}.`,
      `N chains are chosen out of the samples: draw at least ${most}, or look at smaller N.`,
    );
  }
  return {
    title: given.title === undefined ? 'Experiment' : text('title', given.title),
    model: text('model', given.model ?? DEFAULT_MODEL),
    tasks: taskChoices(given.tasks),
    problems: whole('problems', undefined, 100_000),
    ...(given.system === undefined ? {} : { system: text('system', given.system) }),
    seed: whole('seed', 1, Number.MAX_SAFE_INTEGER, 0),
    samples,
    n,
    thinking: wholeNumbers('thinking', given.thinking, { min: 1 }),
    answer: whole('answer', 64),
    sampling: given.sampling === undefined ? {} : samplingOf(given.sampling),
    kv: policies('kv', given.kv ?? ['dense']),
    lanes: whole('lanes', Math.min(samples, 32), MAX_LANES),
    presets: names('presets', given.presets ?? ['measured', 'paper', 'device'], ACCOUNT_NAMES),
    resamples: whole('resamples', 2000, 100_000, 100),
  };
}

/**
 * An experiment from the text of a file.
 * @throws ReckonError `bad-option` where it is no JSON, or {@link checkExperiment} refuses it.
 */
export function parseExperiment(json: string): Experiment {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new ReckonError('bad-option', `The experiment is not JSON: ${(error as Error).message}.`, { cause: error });
  }
  return checkExperiment(value);
}
