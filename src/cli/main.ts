/** `reckon`: what the page does, without a page. One command a file; results on stdout, everything else on stderr. */
import { isReckonError } from '../errors.ts';
import { corpus } from './corpus.ts';
import { cost } from './cost.ts';
import { device } from './device.ts';
import { evaluate } from './eval.ts';
import { fetchModel } from './fetch.ts';
import { inspect } from './inspect.ts';
import { lab } from './lab.ts';
import { models } from './models.ts';
import { plan } from './plan.ts';
import { solve } from './solve.ts';
import { verify } from './verify.ts';

interface Command {
  readonly summary: string;
  run(args: string[]): Promise<void>;
}

const commands: Readonly<Record<string, Command>> = {
  corpus: { summary: 'write what the embedded models are trained on', run: corpus },
  cost: { summary: 'what a plan costs in computation and memory traffic', run: cost },
  device: { summary: 'show the GPU and measure what it sustains', run: device },
  inspect: { summary: 'what a checkpoint is and whether it will run here, before it is fetched', run: inspect },
  eval: { summary: 'measure how many problems a model solves, in one try and in N', run: evaluate },
  fetch: { summary: 'bring a model to this computer, checked; goes on where it stopped', run: fetchModel },
  lab: { summary: 'run an experiment: accuracy against cost, with intervals and plots', run: lab },
  models: { summary: 'list, check and delete the models on this computer', run: models },
  plan: { summary: 'the best model, number of chains and length within a budget', run: plan },
  solve: { summary: 'solve a puzzle by Best-of-N and show what it cost', run: solve },
  verify: { summary: 'the tasks over a pipe: problems and verdicts for a trainer', run: verify },
};

function usage(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)} ${summary}`);
  return ['usage: reckon COMMAND [options]', '', ...lines, '', 'reckon COMMAND --help tells the options.', ''].join(
    '\n',
  );
}

async function main([name, ...args]: string[]): Promise<void> {
  if (name === undefined || name === '--help' || name === '-h') {
    process.stdout.write(usage());
    return;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    process.stderr.write(`There is no command ${JSON.stringify(name)}.\n\n${usage()}`);
    process.exitCode = 2;
    return;
  }
  await command.run(args);
}

/** Dawn keeps threads of its own; a finished command is finished. What is still on its way to a pipe gets there first. */
function end(code: number | string): void {
  process.stdout.write('', () => process.exit(code));
}

// Whoever reads may have seen enough: `reckon … | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

main(process.argv.slice(2)).then(
  () => end(process.exitCode ?? 0),
  (error: unknown) => {
    const known = isReckonError(error) || (error instanceof TypeError && 'code' in error);
    const text = error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
    process.stderr.write(`reckon: ${text}\n`);
    end(isReckonError(error, 'bad-option') || isReckonError(error, 'bad-problem') ? 2 : 1);
  },
);
