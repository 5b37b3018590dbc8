/** `reckon lab`: an experiment from a file, its results into a folder. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ReckonError } from '../errors.ts';
import { type Experiment, filesOf, parseExperiment, reportOf, type StoredResults } from '../lab/index.ts';
import { FileStore } from '../lab/node.ts';
import { MACHINE_HELP, MACHINE_OPTIONS, runHere } from './experiments.ts';
import { type Options, readOptions } from './options.ts';
import { formatCount } from './terminal.ts';

const HELP = `usage: reckon lab run EXPERIMENT.json --out FOLDER [options]

Draws the chains of thought that the experiment asks for and writes results.json, results.csv and plots into the folder.
Stopped, the same command goes on where it was.

  --out FOLDER         where the results go; made where it is missing
  --model PATH         embedded model, folder or URL, instead of the experiment's
${MACHINE_HELP}`;

/** The samples, in the folder of the results. */
const SAMPLES = 'samples.jsonl';

export async function lab([verb, ...rest]: string[]): Promise<void> {
  if (verb === undefined || verb === '--help' || verb === '-h') {
    process.stdout.write(HELP);
    return;
  }
  if (verb !== 'run') {
    throw new ReckonError('bad-option', `There is no lab command ${JSON.stringify(verb)}.`, { hint: 'Use: lab run.' });
  }
  const named = rest[0] !== undefined && !rest[0].startsWith('-');
  const options = readOptions(named ? rest.slice(1) : rest, {
    out: { type: 'string' },
    model: { type: 'string' },
    ...MACHINE_OPTIONS,
    help: { type: 'boolean' },
  });
  if (options.flag('help')) {
    process.stdout.write(HELP);
    return;
  }
  const folder = options.text('out');
  if (!named || folder === undefined || folder === '') {
    throw new ReckonError('bad-option', named ? 'There is no --out.' : 'There is no experiment.', {
      hint: 'Use: reckon lab run experiment.json --out results/.',
    });
  }
  const experiment = await readExperiment(rest[0] as string);
  const results = await run(experiment, folder, options);
  const files = filesOf(results);
  await mkdir(folder, { recursive: true });
  for (const [name, text] of files) await writeFile(join(folder, name), text);
  process.stdout.write(describe(results, folder, [...files.keys()]));
}

async function readExperiment(path: string): Promise<Experiment> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new ReckonError('bad-option', `${path} cannot be read: ${error.message}.`, { cause: error });
  });
  return parseExperiment(text);
}

async function run(experiment: Experiment, folder: string, options: Options): Promise<StoredResults> {
  const store = new FileStore(join(folder, SAMPLES));
  try {
    const source = options.text('model') ?? experiment.model;
    return (await runHere(() => experiment, { options, source, store, calibrated: true })).results;
  } finally {
    await store.close();
  }
}

function describe(results: StoredResults, folder: string, files: readonly string[]): string {
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`.padStart(7);
  const lines = reportOf(results).points.map(({ group, thinking, kv, n, accuracy, tokens }) => {
    const { coverage, majority, logprob } = accuracy;
    const range = `${percent(coverage.low)} –${percent(coverage.high)}`;
    const name = `${group.padEnd(14)} ${String(thinking).padStart(8)} ${kv.padEnd(8)} ${String(n).padStart(4)}`;
    return `${name}  ${percent(coverage.mean)} (${range})  ${percent(majority.mean)}  ${percent(logprob.mean)}  ${formatCount(tokens.mean).padStart(8)}`;
  });
  const head = `${'problems'.padEnd(14)} thinking ${'kv'.padEnd(8)}    N  coverage (95 % interval)    majority  log-prob.   tokens`;
  return [head, ...lines, '', `In ${folder}: ${[SAMPLES, ...files].join(', ')}.`, ''].join('\n');
}
