/** `reckon solve`: a generated or typed puzzle, N chains of thought, the choice, and the bill. */
import { loadModel } from '../api/load-model.ts';
import type { Model, ReasonRequest, ReasonRun } from '../api/types.ts';
import type { RunAccount } from '../cost/account.ts';
import { ATTENTION_FORMS, parsePolicy } from '../cost/attention.ts';
import { DEFAULT_MODEL } from '../cost/catalogue.ts';
import { ReckonError } from '../errors.ts';
import { openNodeGpu } from '../node/gpu.ts';
import { keptModelPath } from '../node/models.ts';
import { BUDGET_NAMES } from '../strategies/budget.ts';
import type { Answer, Budget, Candidate } from '../strategies/types.ts';
import { LENGTH_CHOICES, type Problem, problemFromText, taskById, taskIds } from '../tasks/index.ts';
import { systemHere, untaught } from './language.ts';
import { lengthOption, type Options, precisionOptions, readOptions } from './options.ts';
import { formatBytes, formatCount, Progress } from './terminal.ts';

const HELP = `usage: reckon solve [options]

  --task NAME          ${taskIds.join(' | ')} (default countdown)
  --seed N             which problem, and which random streams (default 1)
  --difficulty N       the task's own scale (default: its easiest)
  --problem TEXT       a puzzle of your own instead of a generated one
  --n N                chains of thought (default 8)
  --select HOW         verifier | majority | logprob (default verifier)
  --early-stop         stop chains that can no longer change the choice
  --temperature T      0 is greedy (default: the model's)
  --thinking N         most tokens of thinking (default: what the context leaves)
  --length L           ${LENGTH_CHOICES.join(' | ')}: how the embedded family is asked to think (default auto)
  --tokens N           budget: tokens of all chains together
  --seconds S          budget: wall time
  --eflops X           budget: FLOPs + 562.5 · bytes, e.g. 2e11
  --bytes X            budget: bytes moved, e.g. 5e8
  --model NAME         an embedded model, or folder or URL of a checkpoint (default ${DEFAULT_MODEL})
  --attention P        ${ATTENTION_FORMS} (default dense)
  --precision P        f16 | f32 for weights and KV
  --weights W          4bit | 8bit: quantised while they are loaded
  --kv P               f16 | f32 | int8 for the KV alone
  --driver D           auto | system | software
  --json               one JSON document on stdout
`;

/** What `--json` prints. */
interface Report {
  problem: { task: string; prompt: string; difficulty: number };
  candidates: {
    reasoning: string;
    answer: string;
    tokens: number;
    seed: number;
    finish: string;
    verdict: Candidate['verdict'];
  }[];
  answer: string;
  chosen: number | null;
  ledger: { flops: number; bytes: number; classes: Answer['usage']['ledger']['classes'] };
  seconds: number;
  device: { name: string; driver: string; software: boolean; features: Record<string, boolean> };
}

export async function solve(args: string[]): Promise<void> {
  const options = readOptions(args, {
    task: { type: 'string' },
    seed: { type: 'string' },
    difficulty: { type: 'string' },
    problem: { type: 'string' },
    n: { type: 'string' },
    select: { type: 'string' },
    'early-stop': { type: 'boolean' },
    temperature: { type: 'string' },
    thinking: { type: 'string' },
    length: { type: 'string' },
    tokens: { type: 'string' },
    seconds: { type: 'string' },
    eflops: { type: 'string' },
    bytes: { type: 'string' },
    model: { type: 'string' },
    attention: { type: 'string' },
    precision: { type: 'string' },
    weights: { type: 'string' },
    kv: { type: 'string' },
    driver: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  });
  if (options.flag('help')) {
    process.stdout.write(HELP);
    return;
  }
  const seed = options.number('seed', { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }) ?? 1;
  const problem = problemOf(options, seed);
  const request = requestOf(options, problem, seed);
  const length = lengthOption(options);
  const precision = precisionOptions(options);
  const driver = options.oneOf('driver', ['auto', 'system', 'software']);

  const progress = new Progress(process.stderr);
  const gpu = await openNodeGpu({ driver: driver ?? 'auto' });
  progress.line(`GPU: ${gpu.driver}${gpu.software ? ' — the CPU computes: right, but slow' : ''}`);
  const model = await loadModel(await keptModelPath(options.text('model') ?? DEFAULT_MODEL), {
    gpu: gpu.gpu,
    ...precision,
    onProgress: ({ phase, loaded, total }) =>
      progress.update(`loading: ${phase}${total > 0 ? ` ${formatBytes(loaded)} of ${formatBytes(total)}` : ''}`),
  });
  try {
    progress.line(`Model: ${model.info.name}, ${formatCount(model.info.parameters)} parameters`);
    progress.line(`Problem: ${problem.prompt}`);
    const stranger = untaught(model.info.name, problem);
    if (stranger !== null) progress.line(stranger);
    const answer = await follow(model, { ...request, ...systemHere(model, problem.task, length) }, progress);
    if (options.flag('json')) {
      const report = reportOf(problem, answer, model, gpu.driver);
      process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    } else {
      process.stdout.write(describe(answer));
    }
  } finally {
    model.dispose();
  }
}

function problemOf(options: Options, seed: number): Problem {
  const typed = options.text('problem');
  const id = options.text('task');
  const difficulty = options.number('difficulty', { min: 0, integer: true });
  if (typed !== undefined && difficulty !== undefined) {
    throw new ReckonError('bad-option', '--difficulty chooses among generated puzzles; --problem gives one.');
  }
  if (typed !== undefined) return id === undefined ? problemFromText(typed) : taskById(id).parse(typed);
  const task = taskById(id ?? 'countdown');
  return task.generate(seed, difficulty);
}

function requestOf(options: Options, problem: Problem, seed: number): ReasonRequest {
  const n = options.number('n', { min: 1, max: 256, integer: true });
  const select = options.oneOf('select', ['verifier', 'majority', 'logprob']);
  const temperature = options.number('temperature', { min: 0, max: 100 });
  const thinking = options.number('thinking', { min: 1, integer: true });
  const attention = options.text('attention');
  const budget = budgetOf(options);
  return {
    problem,
    strategy: {
      name: 'best-of-n',
      n: n ?? 8,
      ...(select ? { select } : {}),
      earlyStop: options.flag('early-stop'),
    },
    sampling: { seed, ...(temperature === undefined ? {} : { temperature }) },
    ...(thinking === undefined ? {} : { thinking: { maxTokens: thinking } }),
    ...(attention === undefined ? {} : { attention: parsePolicy(attention) }),
    ...(Object.keys(budget).length > 0 ? { budget } : {}),
  };
}

/** What the run may spend; nearly spent, its chains are told to answer. */
function budgetOf(options: Options): Budget {
  const budget: Budget = {};
  for (const name of BUDGET_NAMES) {
    const limit = options.number(name, { min: 0 });
    if (limit !== undefined) budget[name] = limit;
  }
  return budget;
}

/** Runs to the end, or to an interrupt, which keeps what there is; tells how it goes. */
async function follow(model: Model, request: ReasonRequest, progress: Progress): Promise<Answer> {
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  // Once: a second interrupt ends the program, as everywhere.
  process.once('SIGINT', stop);
  try {
    return await watch(model.reason({ ...request, signal: interrupt.signal }), progress);
  } finally {
    process.off('SIGINT', stop);
  }
}

async function watch(run: ReasonRun, progress: Progress): Promise<Answer> {
  let tokens = 0;
  let ended = 0;
  let lanes = 0;
  let cost = '';
  for await (const event of run) {
    if (event.type === 'lane') lanes++;
    else if (event.type === 'token') tokens++;
    else if (event.type === 'candidate') {
      ended++;
      const { verdict, finish, tokens: length } = event.candidate;
      const mark = verdict ? (verdict.correct ? 'right' : 'wrong') : finish;
      progress.line(`  lane ${event.lane}: ${mark}, ${length} tokens`);
    } else if (event.type === 'cost') {
      cost = `${formatCount(event.total.flops)}FLOP, ${formatBytes(event.total.bytes)}`;
    }
    progress.update(`${lanes - ended} of ${lanes} lanes thinking, ${tokens} tokens, ${cost}`);
  }
  progress.clear();
  return run.result;
}

function reportOf(problem: Problem, answer: Answer, model: Model, driver: string): Report {
  const { flops, bytes, classes } = answer.usage.ledger;
  const { name, software, features } = model.info.device;
  return {
    problem: { task: problem.task, prompt: problem.prompt, difficulty: problem.difficulty },
    candidates: answer.candidates.map(({ reasoning, answer: text, tokens, seed, finish, verdict }) => ({
      reasoning,
      answer: text,
      tokens,
      seed,
      finish,
      verdict,
    })),
    answer: answer.text,
    chosen: answer.chosen,
    ledger: { flops, bytes, classes },
    seconds: answer.usage.seconds,
    device: { name, driver, software, features: { ...features } },
  };
}

function describe(answer: Answer): string {
  const { ledger, seconds, completionTokens, account } = answer.usage;
  const lines = answer.candidates.map(({ lane, answer: text, tokens, verdict, finish }) => {
    const mark = verdict ? (verdict.correct ? 'right' : 'wrong') : finish;
    const chosen = lane === answer.chosen ? ' ← chosen' : '';
    return `${String(lane).padStart(3)}  ${mark.padEnd(7)} ${String(tokens).padStart(5)} tokens  ${text || '—'}${chosen}`;
  });
  return [
    ...lines,
    '',
    answer.chosen === null ? `No answer. ${answer.reason}` : `Answer: ${answer.text}`,
    ...(answer.chosen === null ? [] : [answer.reason]),
    `${completionTokens} tokens in ${seconds.toFixed(1)} s: ${formatCount(ledger.flops)}FLOP, ${formatBytes(ledger.bytes)} moved.`,
    ...(account ? [accountLine(account)] : []),
    '',
  ].join('\n');
}

/** The formulas' account of the same run. */
function accountLine({ modelled, paper }: RunAccount): string {
  return (
    `The formulas expect ${formatCount(modelled.flops)}FLOP and ${formatBytes(modelled.bytes)}; ` +
    `at 562.5 FLOP a byte the run cost ${formatCount(paper.measured)}eFLOP.`
  );
}
