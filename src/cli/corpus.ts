/** `reckon corpus`: what the embedded models are trained on. Needs no GPU. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  corpusItem,
  defaultMix,
  generationConfig,
  IM_END,
  PUBLISHED_KNIGHTS,
  parseMix,
  parseShares,
  SHARES,
  type TraceStatistics,
  tokenizerConfig,
  tokenizerJson,
  traceStatistics,
  VOCABULARY,
} from '../tasks/corpus/index.ts';
import { type Options, readOptions } from './options.ts';
import { formatCount, Progress } from './terminal.ts';
import { TokenFiles } from './token-files.ts';

const HELP = `usage: reckon corpus [options]

Writes examples of the tasks, worked out: JSON lines on stdout or into a file, or token ids for the trainer.
No problem of the evaluation sets is among them.

  --examples N        how many (default 1000)
  --token-limit N     or until there are so many tokens
  --seed S            names the corpus (default 1)
  --from K            starts with example number K, to go on or to share the work (default 0)
  --tasks MIX         e.g. kk:2-4=3,countdown:3 : tasks, difficulties, weights (default: all)
  --shares S          e.g. grade=0,judge=0,late=12 : percent of ${Object.keys(SHARES).join(', ')}
  --endurance E       searches last up to E times their usual length (Countdown; default 1)
  --foolish P         percent of moves before which something is tried that the rules forbid (Countdown; default 0)
  --restless          searches leave a branch after a try or two; what is tried in vain is not learnt (Countdown)
  --context N         longest example in tokens (default 2048)
  --out FILE          JSON lines into a file
  --tokens PREFIX     token ids: PREFIX.bin, .mask, .idx and .json
  --statistics        instead: what the searches look like, over --examples problems of each difficulty (default 300)
  --json              one JSON document on stdout, with --statistics
  --tokenizer FOLDER  writes tokenizer.json, tokenizer_config.json and generation_config.json, and nothing else
`;

export async function corpus(args: string[]): Promise<void> {
  const text = { type: 'string' } as const;
  const options = readOptions(args, {
    examples: text,
    'token-limit': text,
    seed: text,
    from: text,
    tasks: text,
    context: text,
    endurance: text,
    foolish: text,
    restless: { type: 'boolean' },
    shares: text,
    out: text,
    tokens: text,
    tokenizer: text,
    statistics: { type: 'boolean' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  });
  const folder = options.text('tokenizer');
  if (options.flag('help')) process.stdout.write(HELP);
  else if (folder !== undefined) writeTokenizer(folder, contextOf(options));
  else if (options.flag('statistics')) statistics(options);
  else await write(options);
}

function contextOf(options: Options): number {
  return options.number('context', { min: 256, max: 65536, integer: true }) ?? 2048;
}

function writeTokenizer(folder: string, context: number): void {
  mkdirSync(folder, { recursive: true });
  const files = {
    'tokenizer.json': tokenizerJson(),
    'tokenizer_config.json': tokenizerConfig(context),
    'generation_config.json': generationConfig(),
  };
  for (const [name, value] of Object.entries(files)) {
    writeFileSync(join(folder, name), `${JSON.stringify(value, null, 1)}\n`);
  }
}

function mixOf(options: Options) {
  const text = options.text('tasks');
  return text === undefined ? defaultMix() : parseMix(text);
}

function parsedShares(options: Options) {
  const text = options.text('shares');
  return text === undefined ? SHARES : parseShares(text);
}

function statistics(options: Options): void {
  const problems = options.number('examples', { min: 1, max: 1e6, integer: true }) ?? 300;
  const seed = options.number('seed', { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true }) ?? 1;
  const rows = mixOf(options).map(({ task, difficulty }) => traceStatistics(task, difficulty, problems, seed));
  process.stdout.write(options.flag('json') ? `${JSON.stringify(rows, null, 2)}\n` : table(rows));
}

function table(rows: readonly TraceStatistics[]): string {
  const spread = ({ mean, p99, max }: TraceStatistics['full']) => `${mean.toFixed(0)} / ${p99} / ${max}`;
  const head = ['task', 'steps', 'failed', '(published)', 'straight', 'turns', 'full', 'pruned', 'prompt', 'levels'];
  const cells = rows.map(({ task, difficulty, nodes, failed, straight, turns, full, pruned, prompt, levels }) => {
    const known = task === 'kk' ? PUBLISHED_KNIGHTS[difficulty] : undefined;
    return [
      `${task}/${difficulty}`,
      nodes.toFixed(2),
      failed.mean.toFixed(3),
      known ? `${known.nodes}, ${known.failed}` : '',
      straight.toFixed(3),
      turns.toFixed(2),
      spread(full),
      spread(pruned),
      spread(prompt),
      Object.values(levels)
        .map((share) => share.toFixed(2))
        .join(' '),
    ];
  });
  const all = [head, ...cells];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] as string).length)));
  const note =
    'Tokens: mean / 99 % / most. Levels: easy, medium, hard. Failed: mean share of steps that come to nothing.';
  const lines = all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] as number))
      .join('  ')
      .trimEnd(),
  );
  return `${[...lines, '', note].join('\n')}\n`;
}

/** Lines to stdout or a file; waits where the reader is slower than the writer. */
function lineWriter(path: string | undefined) {
  if (path !== undefined) mkdirSync(dirname(path), { recursive: true });
  const stream = path === undefined ? process.stdout : createWriteStream(path);
  return {
    async write(line: string): Promise<void> {
      if (!stream.write(`${line}\n`)) await once(stream, 'drain');
    },
    async close(): Promise<void> {
      if (path !== undefined) {
        stream.end();
        await once(stream, 'finish');
      }
    },
  };
}

async function write(options: Options): Promise<void> {
  const whole = { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true };
  const limit = options.number('token-limit', { ...whole, min: 1 });
  const examples = options.number('examples', { ...whole, min: 1 }) ?? (limit === undefined ? 1000 : Infinity);
  const from = options.number('from', whole) ?? 0;
  const recipe = {
    seed: options.number('seed', whole) ?? 1,
    mix: mixOf(options),
    context: contextOf(options),
    manner: {
      endurance: options.number('endurance', { min: 1, max: 100 }) ?? 1,
      foolish: options.number('foolish', { min: 0, max: 100, integer: true }) ?? 0,
      restless: options.flag('restless'),
    },
    shares: parsedShares(options),
  };
  const prefix = options.text('tokens');
  const out = options.text('out');
  if (prefix !== undefined) mkdirSync(dirname(prefix), { recursive: true });
  const files = prefix === undefined ? null : new TokenFiles(prefix);
  const lines = prefix === undefined || out !== undefined ? lineWriter(out) : null;
  const progress = new Progress(process.stderr);
  const start = performance.now();
  let tokens = 0;
  let count = 0;
  for (; count < examples && tokens < (limit ?? Infinity); count++) {
    const { example, ids, learnt } = corpusItem(recipe, from + count);
    tokens += ids.length;
    files?.add(ids, learnt);
    await lines?.write(JSON.stringify(example));
    if (count % 100 === 0) progress.update(`${count} examples, ${formatCount(tokens)}tokens`);
  }
  progress.clear();
  await lines?.close();
  files?.close({
    seed: recipe.seed,
    from,
    context: recipe.context,
    ...recipe.manner,
    mix: recipe.mix.map(({ task, difficulty, weight }) => ({ task: task.id, difficulty, weight })),
    shares: recipe.shares,
    vocabulary: VOCABULARY.length,
    tokenizer: createHash('sha256').update(JSON.stringify(VOCABULARY)).digest('hex'),
    end: IM_END,
  });
  const seconds = (performance.now() - start) / 1000;
  progress.line(
    `${count} examples, ${formatCount(tokens)}tokens in ${seconds.toFixed(1)} s: ${formatCount(tokens / seconds)}tokens/s on one core.`,
  );
}
