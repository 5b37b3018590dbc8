/** `npm run bench`: which benchmark, on what. Tables for people, `--json` for programs. */
import { readOptions } from '../src/cli/options.ts';
import { ReckonError } from '../src/errors.ts';
import { openNodeGpu } from '../src/node/gpu.ts';
import { decodeBench } from './decode.ts';
import { encodeBench } from './encode.ts';
import { openBenchModel, sourceOf } from './model.ts';

const HELP = `usage: npm run bench -- [options]

  --model NAME      a shape (tiny, proto, qwen3-0.6b, qwen3-1.7b: random weights) or a checkpoint's folder (default proto)
  --layers N        fewer layers than the shape has
  --precision P     f16 | f32 for weights and KV (default f16)
  --lanes A,B,…     lanes decoded together (default 1,2,4,8,16,32)
  --context N       prompt tokens before decoding (default 128)
  --tokens N        tokens decoded a lane and run (default 48)
  --runs N          runs of each, of which the median counts (default 5)
  --driver D        auto | system | software
  --fast            without the driver's bounds checks (Dawn only)
  --encode          only what recording a step costs the host, the GPU idle
  --json            JSON on stdout
`;

/** "1,2,4" → [1, 2, 4]. */
function numbers(text: string, name: string): number[] {
  const values = text.split(',').map(Number);
  if (values.length === 0 || values.some((value) => !Number.isInteger(value) || value < 1)) {
    throw new ReckonError(
      'bad-option',
      `--${name} is ${JSON.stringify(text)}; it must be whole numbers with commas between.`,
    );
  }
  return values;
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = readOptions(process.argv.slice(2), {
    model: text,
    layers: text,
    precision: text,
    lanes: text,
    context: text,
    tokens: text,
    runs: text,
    driver: text,
    fast: flag,
    encode: flag,
    json: flag,
    help: flag,
  });
  if (options.flag('help')) {
    process.stdout.write(HELP);
    return;
  }
  const count = (name: string, fallback: number) => options.number(name, { min: 1, integer: true }) ?? fallback;
  if (options.flag('encode')) {
    const layers = options.number('layers', { min: 1, integer: true });
    const { gpu } = await openNodeGpu({ driver: options.oneOf('driver', ['auto', 'system', 'software']) ?? 'auto' });
    const source = sourceOf({ model: options.text('model') ?? 'proto', ...(layers === undefined ? {} : { layers }) });
    const report = await encodeBench(source, gpu, options.oneOf('precision', ['f16', 'f32']) ?? 'f16');
    const { device, dispatches, encodeMs, ownMs } = report;
    process.stdout.write(
      options.flag('json')
        ? `${JSON.stringify(report, null, 2)}\n`
        : `${report.layers} layers, ${dispatches} dispatches: recorded in ${encodeMs.toFixed(3)} ms, of which ${ownMs.toFixed(3)} ms are Reckon's own (costs included). ${device}\n`,
    );
    return;
  }
  const lanes = numbers(options.text('lanes') ?? '1,2,4,8,16,32', 'lanes');
  const context = count('context', 128);
  const tokens = count('tokens', 48);
  const layers = options.number('layers', { min: 1, integer: true });
  const bench = await openBenchModel({
    model: options.text('model') ?? 'proto',
    ...(layers === undefined ? {} : { layers }),
    precision: options.oneOf('precision', ['f16', 'f32']) ?? 'f16',
    driver: options.oneOf('driver', ['auto', 'system', 'software']) ?? 'auto',
    unsafeFast: options.flag('fast'),
    maxLanes: Math.max(...lanes),
    maxContext: context + tokens + 8,
  });
  try {
    const report = await decodeBench(bench, { lanes, context, tokens, runs: count('runs', 5) });
    if (options.flag('json')) process.stdout.write(`${JSON.stringify(report.data, null, 2)}\n`);
    else process.stdout.write(`${report.text}\n`);
  } finally {
    bench.model.dispose();
  }
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(
      `bench: ${error instanceof ReckonError ? error.message : ((error as Error).stack ?? error)}\n`,
    );
    process.exit(1);
  },
);
