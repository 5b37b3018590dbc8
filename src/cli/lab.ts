/** `reckon lab`: an experiment from a file, its results into a folder. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KV_PRECISIONS, type KvPrecision } from '../cost/shapes.ts';
import { ReckonError } from '../errors.ts';
import {
  compareModels,
  type Difference,
  differencesOf,
  type Experiment,
  filesOf,
  parseExperiment,
  reportOf,
  type StoredResults,
} from '../lab/index.ts';
import { FileStore } from '../lab/node.ts';
import { MACHINE_HELP, MACHINE_OPTIONS, runHere } from './experiments.ts';
import { type Options, readCommand } from './options.ts';
import { readReport } from './reports.ts';
import { formatCount } from './terminal.ts';

const HELP = `usage: reckon lab run EXPERIMENT.json --out FOLDER [options]
       reckon lab compare FOLDER FOLDER … --out FOLDER

"run" draws the chains of thought that the experiment asks for and writes results.json, results.csv and plots into the folder.
Stopped, the same command goes on where it was. Several models run one after the other, each into a folder of its name, and
are then compared. "compare" draws the results of several folders into one plot: accuracy against cost, by model.

  --out FOLDER         where the results go; made where it is missing
  --model A,B…         embedded models, folders or URLs, instead of the experiment's
  --kv P,Q             several precisions of the KV, as in "f16,int8": the experiment in each of them, in a folder of its own,
                       and what the others change against the first, problem by problem
${MACHINE_HELP}`;

/** The samples, in the folder of the results. */
const SAMPLES = 'samples.jsonl';
/** What precisions of the KV make of the same problems, in the folder above theirs. */
const COMPARISON = 'comparison.json';

export async function lab([verb, ...rest]: string[]): Promise<void> {
  if (verb === undefined || verb === '--help' || verb === '-h') {
    process.stdout.write(HELP);
    return;
  }
  if (verb !== 'run' && verb !== 'compare') {
    throw new ReckonError('bad-option', `There is no lab command ${JSON.stringify(verb)}.`, {
      hint: 'Use: lab run, or lab compare.',
    });
  }
  const { options, words } = readCommand(rest, {
    out: { type: 'string' },
    model: { type: 'string' },
    ...MACHINE_OPTIONS,
    help: { type: 'boolean' },
  });
  if (options.flag('help')) {
    process.stdout.write(HELP);
    return;
  }
  const folder = options.text('out') ?? '';
  if (verb === 'compare') {
    if (folder === '') throw new ReckonError('bad-option', 'There is no --out.', { hint: 'reckon lab --help' });
    process.stdout.write(await compareFolders(words, folder));
    return;
  }
  if (words.length !== 1 || folder === '') {
    const missing = words.length > 1 ? 'There is more than one experiment.' : 'There is no experiment.';
    throw new ReckonError('bad-option', words.length === 1 ? 'There is no --out.' : missing, {
      hint: 'Use: reckon lab run experiment.json --out results/.',
    });
  }
  const experiment = await readExperiment(words[0] as string);
  const precisions = options.someOf('kv', KV_PRECISIONS) ?? [];
  const models = (options.text('model') ?? experiment.model).split(',').map((model) => model.trim());
  if (models.length > 1 && precisions.length > 1) {
    throw new ReckonError('bad-option', 'There are several models and several precisions of the KV.', {
      hint: 'Compare one of both at a time.',
    });
  }
  if (models.length > 1) await runModels(models, experiment, folder, options);
  else if (precisions.length > 1) await runPrecisions(precisions, models[0] as string, experiment, folder, options);
  else process.stdout.write((await runInto(folder, models[0] as string, experiment, options)).text);
}

/** Runs the experiment with each model in a folder of its name, and puts the results into one plot. */
async function runModels(
  models: readonly string[],
  experiment: Experiment,
  folder: string,
  options: Options,
): Promise<void> {
  const folders = models.map((model) => join(folder, lastPart(model)));
  if (new Set(folders).size !== folders.length) {
    throw new ReckonError('bad-option', '--model names two models alike: their results would share a folder.', {
      hint: 'Run one of them by itself, and put both together with "reckon lab compare".',
    });
  }
  for (const [i, model] of models.entries()) {
    process.stdout.write((await runInto(folders[i] as string, model, experiment, options)).text);
  }
  process.stdout.write(await compareFolders(folders, folder));
}

/** Runs the experiment in each precision in a folder of its name, and tells what the others change against the first. */
async function runPrecisions(
  precisions: readonly KvPrecision[],
  model: string,
  experiment: Experiment,
  folder: string,
  options: Options,
): Promise<void> {
  const runs: { kv: KvPrecision; results: StoredResults }[] = [];
  for (const kv of precisions) {
    const { results, text } = await runInto(join(folder, kv), model, experiment, options.with('kv', kv));
    runs.push({ kv, results });
    process.stdout.write(`KV in ${kv}:\n${text}\n`);
  }
  const comparison = compare(runs);
  await writeFile(join(folder, COMPARISON), `${JSON.stringify(comparison, null, 2)}\n`);
  process.stdout.write(`${comparison.map(describeDifferences).join('\n')}\nIn ${folder}: ${COMPARISON}.\n`);
}

/** Runs the experiment, or the rest of it, and writes what it came to. */
async function runInto(folder: string, model: string, experiment: Experiment, options: Options) {
  const results = await run(experiment, model, folder, options);
  const files = filesOf(results);
  await writeAll(folder, files);
  return { results, text: describe(results, folder, [...files.keys()]) };
}

async function writeAll(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of files) await writeFile(join(folder, name), text);
}

interface Comparison {
  readonly first: KvPrecision;
  readonly second: KvPrecision;
  readonly differences: readonly Difference[];
}

/** Every precision against the first. */
function compare([first, ...others]: readonly { kv: KvPrecision; results: StoredResults }[]): Comparison[] {
  if (!first) return [];
  return others.map(({ kv, results }) => ({
    first: first.kv,
    second: kv,
    differences: differencesOf(first.results, results),
  }));
}

function describeDifferences({ first, second, differences }: Comparison): string {
  const percent = (value: number, sign = false) =>
    `${sign && value > 0 ? '+' : ''}${(100 * value).toFixed(1)}`.padStart(6);
  const lines = differences.map(({ group, thinking, kv, n, problems, changed, ...of }) => {
    const name = `${group.padEnd(14)} ${String(thinking).padStart(8)} ${kv.padEnd(8)} ${String(n).padStart(4)}`;
    const difference = `${percent(of.mean, true)} (${percent(of.low, true)} –${percent(of.high, true)})`;
    return `${name}  ${percent(of.first)}  ${percent(of.second)}  ${difference}  ${changed} of ${problems}`;
  });
  const head = `${'problems'.padEnd(14)} thinking ${'kv'.padEnd(8)}    N  ${first.padStart(6)}  ${second.padStart(6)}  difference (95 % interval)  changed`;
  return [`KV in ${second} against ${first}, coverage in points:`, head, ...lines, ''].join('\n');
}

/** "models/reckon-1m/" → "reckon-1m". */
function lastPart(path: string): string {
  return (
    path
      .replace(/[/\\]+$/, '')
      .split(/[/\\]/)
      .at(-1) ?? path
  );
}

/** Plots of several folders' results, into one. */
async function compareFolders(folders: readonly string[], out: string): Promise<string> {
  const reports = await Promise.all(folders.map((folder) => readReport(join(folder, 'results.json'))));
  const files = compareModels(reports);
  await writeAll(out, files);
  return `In ${out}: ${[...files.keys()].join(', ')}.\n`;
}

async function readExperiment(path: string): Promise<Experiment> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new ReckonError('bad-option', `${path} cannot be read: ${error.message}.`, { cause: error });
  });
  return parseExperiment(text);
}

async function run(experiment: Experiment, source: string, folder: string, options: Options): Promise<StoredResults> {
  const store = new FileStore(join(folder, SAMPLES));
  try {
    return (await runHere(() => experiment, { options, source, store, calibrated: true })).results;
  } finally {
    await store.close();
  }
}

function describe(results: StoredResults, folder: string, files: readonly string[]): string {
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`.padStart(7);
  const signed = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(100 * value).toFixed(1)}`.padStart(6);
  const { kv: policies } = results.header.experiment;
  const lines = reportOf(results).points.map(({ group, thinking, kv, n, accuracy, change, tokens }) => {
    const { coverage, majority, logprob } = accuracy;
    const range = `${percent(coverage.low)} –${percent(coverage.high)}`;
    const name = `${group.padEnd(14)} ${String(thinking).padStart(8)} ${kv.padEnd(12)} ${String(n).padStart(4)}`;
    return `${name}  ${percent(coverage.mean)} (${range})  ${percent(majority.mean)}  ${percent(logprob.mean)}  ${formatCount(tokens.mean).padStart(8)}${change ? `  ${signed(change.mean)} (${signed(change.low)} …${signed(change.high)})` : ''}`;
  });
  const head = `${'problems'.padEnd(14)} thinking ${'kv'.padEnd(12)}    N  coverage (95 % interval)    majority  log-prob.   tokens${policies.length > 1 ? `  points against ${policies[0]}, paired` : ''}`;
  return [head, ...lines, '', `In ${folder}: ${[SAMPLES, ...files].join(', ')}.`, ''].join('\n');
}
