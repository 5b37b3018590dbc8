/** The lab's form: what a person enters, the experiment it makes, and how much work that is. */
import { isReckonError } from '../../src/errors.ts';
import { checkExperiment, type Experiment, unitsOf } from '../../src/lab/index.ts';
import { taskById } from '../../src/tasks/index.ts';

export interface LabForm {
  readonly task: string;
  readonly difficulty: number;
  readonly problems: number;
  /** Whole numbers, separated by commas or spaces. */
  readonly n: string;
  readonly thinking: string;
  readonly samples: number;
  readonly temperature: number;
  /** Attention policies in their short forms, separated like the numbers. */
  readonly kv: string;
}

/** A few minutes where a CPU stands in for the GPU. */
export const DEFAULT_FORM: LabForm = {
  task: 'countdown',
  difficulty: 3,
  problems: 6,
  n: '1, 2, 4, 8, 16',
  thinking: '16, 48, 128',
  samples: 24,
  temperature: 1,
  kv: 'dense',
};

/** Most tokens of an answer: the embedded models' are shorter. */
const ANSWER = 40;
const MODEL = 'proto';

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
  const { task, difficulty, problems, samples, temperature } = form;
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
    const experiment = checkExperiment({
      title: `${taskById(task).title}, difficulty ${difficulty}`,
      model: MODEL,
      tasks: [{ task, difficulties: [difficulty] }],
      problems,
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
  const { tasks, problems, n, thinking, samples, sampling, kv } = experiment;
  return {
    task: tasks[0]?.task ?? DEFAULT_FORM.task,
    difficulty: tasks[0]?.difficulties[0] ?? DEFAULT_FORM.difficulty,
    problems,
    n: n.join(', '),
    thinking: thinking.join(', '),
    samples,
    temperature: sampling.temperature ?? DEFAULT_FORM.temperature,
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
