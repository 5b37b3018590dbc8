/** `reckon eval`: how many problems of a task a model solves, in one try and in N, on problems that training never saw. */
import type { Model } from '../api/types.ts';
import { ATTENTION_FORMS, parsePolicy } from '../cost/attention.ts';
import { ReckonError } from '../errors.ts';
import {
  checkExperiment,
  curvesOf,
  type Estimate,
  type Experiment,
  MemoryStore,
  mean,
  problemsOf,
  QUESTIONS,
  type StoredResults,
} from '../lab/index.ts';
import { FileStore } from '../lab/node.ts';
import { LENGTH_CHOICES, taskById, taskIds } from '../tasks/index.ts';
import { askHere } from './ask.ts';
import { MACHINE_HELP, MACHINE_OPTIONS, runHere, type Session } from './experiments.ts';
import { systemHere } from './language.ts';
import { lengthOption, type Options, readOptions } from './options.ts';

const HELP = `usage: reckon eval --model M --task NAME --difficulty D [options]

  --model M            embedded model, folder or URL
  --task NAME          ${taskIds.join(' | ')}
  --difficulty D       the task's own scale (default: its easiest)
  --problems P         how many problems, none of which is in the training corpus (default 100)
  --n N                chains of thought for each (default 8)
  --greedy             one chain each, always the likeliest token
  --temperature T      instead of the model's own
  --max-thinking T     most tokens of thinking (default: what the context leaves)
  --max-answer T       most tokens of an answer (default 96)
  --length L           ${LENGTH_CHOICES.join(' | ')}: how the embedded models are asked to think (default auto)
  --attention P        ${ATTENTION_FORMS} (default dense)
  --seed S             which problems, and which random streams (default 0)
  --ask Q              instead: ${QUESTIONS.join(' | ')}. Does an embedded model grade steps as the checker does, judge how hard
                       a problem is, or mend a wrong thought behind "Wait,"? (--problems of them)
  --out FILE           keeps the chains, one line a problem; the same command goes on where it was stopped
${MACHINE_HELP}  --json               one JSON document on stdout
`;

/** Numbers of chains that are reported, where there are as many. */
const TRIES = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/** Tokens of a prompt's frame and of closing the thinking, generously. */
const FRAME = 32;

export async function evaluate(args: string[]): Promise<void> {
  const text = { type: 'string' } as const;
  const options = readOptions(args, {
    model: text,
    task: text,
    difficulty: text,
    problems: text,
    n: text,
    greedy: { type: 'boolean' },
    temperature: text,
    'max-thinking': text,
    'max-answer': text,
    length: text,
    attention: text,
    seed: text,
    ask: text,
    out: text,
    ...MACHINE_OPTIONS,
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  });
  if (options.flag('help')) {
    process.stdout.write(HELP);
    return;
  }
  const question = options.oneOf('ask', QUESTIONS);
  if (question !== undefined) {
    process.stdout.write(await askHere(question, options));
    return;
  }
  const plan = planOf(options);
  const path = options.text('out');
  const store = path === undefined ? new MemoryStore() : new FileStore(path);
  try {
    const session = await runHere((model) => plan.fitted(model), {
      options,
      source: plan.model,
      store,
      calibrated: false,
    });
    const report = evaluationOf(session.results, session);
    process.stdout.write(options.flag('json') ? `${JSON.stringify(report, null, 2)}\n` : describe(report));
  } finally {
    if (store instanceof FileStore) await store.close();
  }
}

function required(options: Options, name: string): string {
  const value = options.text(name);
  if (value !== undefined && value !== '') return value;
  throw new ReckonError('bad-option', `There is no --${name}.`, { hint: 'reckon eval --help tells the options.' });
}

/** Everything asked for, checked before a GPU is opened; limits that depend on the model come with it. */
function planOf(options: Options) {
  const model = required(options, 'model');
  const task = taskById(required(options, 'task'));
  const count = { min: 1, integer: true };
  const difficulty = options.number('difficulty', { min: 0, integer: true }) ?? (task.difficulties[0] as number);
  const greedy = options.flag('greedy');
  const asked = options.number('n', { ...count, max: 256 });
  if (greedy && asked !== undefined && asked > 1) {
    throw new ReckonError('bad-option', `--n is ${asked}, but greedy chains of one problem are all the same.`, {
      hint: 'Leave out --greedy or --n.',
    });
  }
  const samples = greedy ? 1 : (asked ?? 8);
  const temperature = greedy ? 0 : options.number('temperature', { min: 0, max: 100 });
  const answer = options.number('max-answer', count) ?? 96;
  const thinking = options.number('max-thinking', count);
  const length = lengthOption(options);
  const wanted = {
    title: `${model} on ${task.id}/${difficulty}`,
    model,
    tasks: [{ task: task.id, difficulties: [difficulty] }],
    problems: options.number('problems', count) ?? 100,
    seed: options.number('seed', { min: 0, max: 2 ** 32 - 1, integer: true }) ?? 0,
    samples,
    n: TRIES.filter((n) => n <= samples),
    thinking: [thinking ?? 1],
    answer,
    sampling: temperature === undefined ? {} : { temperature },
    kv: [options.text('attention') ?? 'dense'],
    lanes: samples,
    presets: ['measured'],
  };
  // Said of the option, before it is said of a field.
  parsePolicy(wanted.kv[0] as string);
  const bare = checkExperiment(wanted);
  return {
    model,
    fitted: (loaded: Model): Experiment => {
      const experiment = { ...bare, ...systemHere(loaded, task.id, length) };
      return thinking === undefined ? { ...experiment, thinking: [room(loaded, experiment)] } : experiment;
    },
  };
}

/** Tokens of thinking that the context leaves behind the longest prompt. */
function room(model: Model, { tasks: chosen, problems, seed, answer, system = '' }: Experiment): number {
  const { task, difficulties } = chosen[0] as Experiment['tasks'][number];
  const prompts = problemsOf(task, difficulties[0] as number, problems, seed).map(({ prompt }) => prompt);
  const longest = Math.max(...prompts.map((prompt) => model.engine?.encode(`${system}${prompt}`).length ?? 0));
  const left = model.info.capacity.maxContext - longest - answer - FRAME;
  if (left > 0) return left;
  throw new ReckonError('over-capacity', `Prompts of up to ${longest} tokens leave no room to think.`, {
    hint: 'Choose an easier difficulty, or a model with a longer context.',
    details: { longest, maxContext: model.info.capacity.maxContext },
  });
}

export interface Evaluation {
  readonly model: string;
  readonly task: string;
  readonly difficulty: number;
  readonly problems: number;
  /** Chains for each problem. */
  readonly n: number;
  readonly thinking: number;
  readonly attention: string;
  /** Mean of the unbiased estimator of pass@k over problems; null where fewer than k chains were drawn. */
  readonly pass1: number;
  readonly pass8: number | null;
  /** By k: pass@k with its 95 % interval. */
  readonly pass: Readonly<Record<string, Estimate>>;
  /** Of 95 %, over problems; `method` says how. */
  readonly interval: Readonly<Record<'pass1' | 'pass8', Pick<Estimate, 'low' | 'high' | 'method'> | null>>;
  /** Mean tokens of a chain, thinking and answer. */
  readonly tokens: number;
  /** Share of chains that were cut off by a limit. */
  readonly cutOff: number;
  /** Of this session. */
  readonly seconds: number;
  /** Problems done in an earlier session. */
  readonly resumed: number;
  readonly device: Session['device'];
}

/** What the chains of one task and difficulty say. */
export function evaluationOf(
  results: StoredResults,
  { device, seconds, resumed }: Pick<Session, 'device' | 'seconds' | 'resumed'>,
): Evaluation {
  const { experiment, setting } = results.header;
  const { task, difficulties } = experiment.tasks[0] as Experiment['tasks'][number];
  const points = curvesOf(results).points.filter(({ group }) => group !== 'all');
  const pass = Object.fromEntries(points.map(({ n, accuracy }) => [n, accuracy.coverage]));
  const samples = results.units.flatMap((unit) => unit.samples);
  const interval = (estimate: Estimate | undefined) =>
    estimate ? { low: estimate.low, high: estimate.high, method: estimate.method } : null;
  return {
    model: setting.model,
    task,
    difficulty: difficulties[0] as number,
    problems: experiment.problems,
    n: experiment.samples,
    thinking: experiment.thinking[0] as number,
    attention: experiment.kv[0] as string,
    pass1: (pass[1] as Estimate).mean,
    pass8: pass[8]?.mean ?? null,
    pass,
    interval: { pass1: interval(pass[1]), pass8: interval(pass[8]) },
    tokens: mean(samples.map((sample) => sample.tokens)),
    cutOff: mean(samples.map(({ finish }) => Number(finish === 'length'))),
    seconds,
    resumed,
    device,
  };
}

function describe(report: Evaluation): string {
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  const { model, task, difficulty, problems, n, tokens, cutOff, seconds, device } = report;
  const lines = Object.entries(report.pass).map(
    ([k, { mean: middle, low, high, method }]) =>
      `pass@${k.padEnd(4)} ${percent(middle).padStart(7)}  (${percent(low)} – ${percent(high)}, 95 %, ${method})`,
  );
  return [
    `${model} on ${task}/${difficulty}: ${problems} problems, ${n} ${n === 1 ? 'chain' : 'chains'} each`,
    ...lines,
    `tokens    ${tokens.toFixed(0)} a chain, ${percent(cutOff)} cut off`,
    `seconds   ${seconds.toFixed(1)} on ${device.name} (${device.driver})`,
    '',
  ].join('\n');
}
