/** The lab's form: what a person enters, the experiment it makes, and how much work that is. */
import { isReckonError } from '../../src/errors.ts';
import { checkExperiment, type Experiment, unitsOf } from '../../src/lab/index.ts';
import { LENGTH_CHOICES, type LengthChoice, languageOf, systemTurn, taskById } from '../../src/tasks/index.ts';
import { difficultyLabel, thinkingFor, topicById } from '../puzzles.ts';

export interface LabForm {
  /** An embedded model's name. */
  readonly model: string;
  readonly task: string;
  readonly difficulty: number;
  readonly problems: number;
  /** Whole numbers, separated by commas or spaces. */
  readonly n: string;
  readonly thinking: string;
  /** How models that were taught lengths of thought are asked to think. */
  readonly style: LengthChoice;
  readonly samples: number;
  readonly temperature: number;
  /** Attention policies in their short forms, separated like the numbers. */
  readonly kv: string;
}

/** What does not depend on the model: a few minutes where a CPU stands in for the GPU. */
const START = { problems: 6, n: '1, 2, 4, 8, 16', samples: 24, temperature: 1, kv: 'dense', style: 'auto' } as const;

/** The parts of the limit that suits a puzzle at which accuracy is looked at: where it rises. */
const PARTS = [1 / 8, 1 / 4, 1 / 2];

/** Limits of thinking that show how accuracy grows with them. */
export function limitsFor(model: string, task: string, difficulty: number): string {
  const most = thinkingFor(topicById(model, task), difficulty);
  return PARTS.map((part) => Math.round(most * part)).join(', ');
}

/** The form to begin with. */
export function formFor(model: string): LabForm {
  const { id: task, difficulty } = topicById(model, '');
  return { ...START, model, task, difficulty, thinking: limitsFor(model, task, difficulty) };
}

/** The form of another model, task or difficulty: what still fits stays; limits that a person wrote stay, too. */
export function reformed(form: LabForm, patch: Partial<Pick<LabForm, 'model' | 'task' | 'difficulty'>>): LabForm {
  const model = patch.model ?? form.model;
  const topic = topicById(model, patch.task ?? form.task);
  const wanted = patch.difficulty ?? (topic.id === form.task ? form.difficulty : topic.difficulty);
  const difficulty = topic.difficulties.some(({ value }) => value === wanted) ? wanted : topic.difficulty;
  const own = form.thinking !== limitsFor(form.model, form.task, form.difficulty);
  const thinking = own ? form.thinking : limitsFor(model, topic.id, difficulty);
  return { ...form, model, task: topic.id, difficulty, thinking };
}

/** Most tokens of an answer: the embedded models' are shorter. */
const ANSWER = 40;

export const BOUNDS = {
  problems: { label: 'Problems', min: 1, max: 500, whole: true },
  n: { label: 'N', min: 1, max: 32, whole: true },
  thinking: { label: 'Thinking limits', min: 1, max: 4096, whole: true },
  samples: { label: 'Samples', min: 1, max: 256, whole: true },
  temperature: { label: 'Temperature', min: 0, max: 2, whole: false },
} as const;
export type NumberField = keyof typeof BOUNDS;
export type Field = NumberField | 'kv';
export type Complaints = Partial<Record<Field | 'form', string>>;

export type Plan = { readonly experiment: Experiment } | { readonly complaints: Complaints };

function complaintAbout(field: NumberField, values: readonly number[]): string | null {
  const { label, min, max, whole } = BOUNDS[field];
  const fits = (value: number) => value >= min && value <= max && (!whole || Number.isInteger(value));
  const list = field === 'n' || field === 'thinking';
  if (values.length > 0 && values.every(fits)) {
    return new Set(values).size === values.length ? null : `${label} must name each number once.`;
  }
  if (list) return `${label} must be whole numbers from ${min} to ${max}, with commas between.`;
  return `${label} must be ${whole ? 'a whole number' : 'a number'} from ${min} to ${max}.`;
}

function partsOf(text: string): string[] {
  return text.split(/[\s,;]+/).filter((part) => part !== '');
}

/** "1, 2 4" → [1, 2, 4]; what is no number becomes NaN. */
function listOf(text: string): number[] {
  return partsOf(text).map((part) => (/^\d+$/.test(part) ? Number(part) : Number.NaN));
}

/** The experiment, or what is wrong with each field. */
export function planOf(form: LabForm): Plan {
  const { model, task, difficulty, problems, samples, temperature, style } = form;
  const [n, thinking] = [listOf(form.n), listOf(form.thinking)];
  const values: Record<NumberField, number[]> = {
    problems: [problems],
    n,
    thinking,
    samples: [samples],
    temperature: [temperature],
  };
  const complaints: Complaints = {};
  for (const field of Object.keys(BOUNDS) as NumberField[]) {
    const complaint = complaintAbout(field, values[field]);
    if (complaint) complaints[field] = complaint;
  }
  const most = Math.max(...n);
  if (!complaints.n && !complaints.samples && samples < most) {
    complaints.samples = `N goes up to ${most}: draw at least ${most} samples.`;
  }
  const kv = partsOf(form.kv);
  if (kv.length === 0) complaints.kv = 'Attention must name a policy, such as dense.';
  if (Object.keys(complaints).length > 0) return { complaints };
  try {
    const system = systemTurn(languageOf(model), task, style);
    const experiment = checkExperiment({
      title: `${taskById(task).title}, ${difficultyLabel(taskById(task), difficulty)}`,
      model,
      tasks: [{ task, difficulties: [difficulty] }],
      problems,
      ...(system === undefined ? {} : { system }),
      n,
      thinking,
      samples,
      answer: ANSWER,
      sampling: { temperature },
      kv,
    });
    // A task may have fewer problems than were asked for, which only drawing them tells.
    unitsOf(experiment);
    return { experiment };
  } catch (error) {
    if (!isReckonError(error)) throw error;
    const field = String(error.details.field).replace(/\[.*/, '');
    return { complaints: { [field === 'problems' || field === 'kv' ? field : 'form']: error.message } };
  }
}

/** The form that makes this experiment. */
export function formOf(experiment: Experiment): LabForm {
  const { model, tasks, problems, system, n, thinking, samples, sampling, kv } = experiment;
  const start = formFor(model);
  const { task, difficulties } = tasks[0] ?? { task: start.task, difficulties: [] };
  const language = languageOf(model);
  return {
    model,
    task,
    difficulty: difficulties[0] ?? start.difficulty,
    style: LENGTH_CHOICES.find((style) => systemTurn(language, task, style) === system) ?? start.style,
    problems,
    n: n.join(', '),
    thinking: thinking.join(', '),
    samples,
    temperature: sampling.temperature ?? START.temperature,
    kv: kv.join(', '),
  };
}

export interface Work {
  /** Batches of chains, each stored when it is done. */
  readonly runs: number;
  readonly chains: number;
  /** If every chain went to its limits. */
  readonly mostTokens: number;
}

export function workOf({ tasks, problems, samples, lanes, thinking, kv, answer }: Experiment): Work {
  const cells = tasks.reduce((sum, { difficulties }) => sum + difficulties.length, 0) * problems * kv.length;
  const longest = thinking.reduce((sum, limit) => sum + limit + answer, 0);
  return {
    runs: cells * thinking.length * Math.ceil(samples / lanes),
    chains: cells * thinking.length * samples,
    mostTokens: cells * samples * longest,
  };
}
