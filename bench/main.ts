/** `npm run bench -- NAME`: which benchmark, on what. Tables for people, `--json` for programs. */
import { ReckonError } from '../src/errors.ts';
import { agreement } from './agreement.ts';
import { attention } from './attention.ts';
import { budgets } from './budgets.ts';
import { decode } from './decode.ts';
import { download } from './download.ts';
import { encode } from './encode.ts';
import { kvPrecision } from './kv-precision.ts';
import { type Bench, benchOptions, COMMON_HELP } from './options.ts';
import { predict } from './predict.ts';
import { recall } from './recall.ts';
import { weights } from './weights.ts';

const BENCHES: Readonly<Record<string, Bench>> = {
  decode,
  attention,
  download,
  encode,
  budgets,
  predict,
  recall,
  agreement,
  weights,
  'kv-precision': kvPrecision,
};

function usage(): string {
  const lines = Object.entries(BENCHES).map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`);
  return [
    'usage: npm run bench -- [NAME] [options]     without a name: decode',
    '',
    ...lines,
    '',
    'npm run bench -- NAME --help tells the options.',
    '',
  ].join('\n');
}

async function main(args: string[]): Promise<void> {
  const named = args[0] !== undefined && !args[0].startsWith('-');
  const [name, rest] = named ? [args[0] as string, args.slice(1)] : ['decode', args];
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (!bench) {
    throw new ReckonError('bad-option', `There is no benchmark ${JSON.stringify(name)}.`, {
      hint: `There are: ${Object.keys(BENCHES).join(', ')}.`,
    });
  }
  const options = benchOptions(bench, rest);
  if (options.flag('help')) {
    const own = `usage: npm run bench -- ${name} [options]\n\n${bench.help}${COMMON_HELP}`;
    process.stdout.write(named ? own : `${usage()}\n${own}`);
    return;
  }
  const { data, text } = await bench.run(options);
  process.stdout.write(options.flag('json') ? `${JSON.stringify(data, null, 2)}\n` : `${text}\n`);
}

main(process.argv.slice(2)).then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(
      `bench: ${error instanceof ReckonError ? error.message : ((error as Error).stack ?? error)}\n`,
    );
    process.exit(1);
  },
);
