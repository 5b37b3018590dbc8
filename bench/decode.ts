/**
 * Decoding and prefill: tokens a second by number of lanes, what a step costs the host, and what the ledger says a token
 * moves. Ratios of one run on one device; the device is named.
 */
import type { Options } from '../src/cli/options.ts';
import type { StepRecord } from '../src/engine/stepper.ts';
import type { Lane, LedgerSnapshot } from '../src/engine/types.ts';
import {
  type BenchModel,
  type BenchModelOptions,
  MODEL_HELP,
  MODEL_OPTIONS,
  modelOptions,
  openBenchModel,
} from './model.ts';
import { type Bench, type BenchOutput, count, counts } from './options.ts';
import { median, table } from './statistics.ts';

export interface DecodeBenchOptions {
  lanes: readonly number[];
  context: number;
  tokens: number;
  runs: number;
}

const DEFAULTS: DecodeBenchOptions = { lanes: [1, 2, 4, 8, 16, 32], context: 128, tokens: 48, runs: 5 };

const text = { type: 'string' } as const;

/** Of every benchmark that decodes. */
export const DECODE_OPTIONS = { ...MODEL_OPTIONS, lanes: text, context: text, tokens: text, runs: text };

export function decodeHelp({ lanes, context, tokens, runs }: DecodeBenchOptions): string {
  return `${MODEL_HELP}  --lanes A,B,…     lanes decoded together (default ${lanes.join()})
  --context N       prompt tokens before decoding (default ${context})
  --tokens N        tokens decoded a lane and run (default ${tokens})
  --runs N          runs of each, of which the median counts (default ${runs})
`;
}

/** Opens the model with room for what is asked, measures, and gives it back. */
export async function decodeWith(
  options: Options,
  defaults: DecodeBenchOptions,
  changes: Partial<BenchModelOptions> = {},
): Promise<{ data: DecodeReport; text: string }> {
  const lanes = counts(options, 'lanes', defaults.lanes);
  const context = count(options, 'context', defaults.context);
  const tokens = count(options, 'tokens', defaults.tokens);
  const runs = count(options, 'runs', defaults.runs);
  const room = { maxLanes: Math.max(...lanes), maxContext: context + tokens + 8 };
  const bench = await openBenchModel({ ...modelOptions(options), ...changes, ...room });
  try {
    return await decodeBench(bench, { lanes, context, tokens, runs });
  } finally {
    bench.model.dispose();
  }
}

export const decode: Bench = {
  summary: 'tokens/s by number of lanes, dispatches, host time, bytes a token',
  help: decodeHelp(DEFAULTS),
  options: DECODE_OPTIONS,
  run: (options) => decodeWith(options, DEFAULTS),
};

/** Medians over the runs. */
export interface DecodeRow {
  lanes: number;
  tokensPerSecond: number;
  /** Tokens a second against those of the fewest lanes measured. */
  ratio: number;
  msPerStep: number;
  /** By GPU timestamps, where there are any. */
  gpuMsPerStep: number | null;
  dispatchesPerStep: number;
  hostMsPerStep: number;
  encodeMsPerStep: number;
  flopsPerToken: number;
  bytesPerToken: number;
}

export interface DecodeReport {
  device: string;
  driver: string;
  software: boolean;
  model: { name: string; layers: number; parameters: number; weightBytes: number; precision: string };
  context: number;
  tokens: number;
  runs: number;
  prefillTokensPerSecond: number;
  decode: DecodeRow[];
}

interface Run {
  seconds: number;
  records: StepRecord[];
  flops: number;
  bytes: number;
}

async function decodeBench(
  bench: BenchModel,
  options: DecodeBenchOptions,
): Promise<BenchOutput & { data: DecodeReport }> {
  const { model, engine } = bench;
  const prompt = Array.from({ length: options.context }, (_, i) => (i * 7 + 3) % model.info.vocabulary);
  const prefill: number[] = [];
  const rows: DecodeRow[] = [];
  // The first run compiles lazily and warms clocks: it does not count.
  for (let run = -1; run < options.runs; run++) {
    const seconds = await prefillOnce(bench, prompt);
    if (run >= 0) prefill.push((prompt.length - 1) / seconds);
  }
  for (const lanes of options.lanes) {
    const runs: Run[] = [];
    for (let run = -1; run < options.runs; run++) {
      const result = await decodeOnce(bench, prompt, lanes, options.tokens);
      if (run >= 0) runs.push(result);
    }
    rows.push(summarise(lanes, runs, options.tokens, rows[0]));
  }
  engine.clearPrefixes();
  const data: DecodeReport = {
    device: model.info.device.name,
    driver: bench.driver,
    software: model.info.device.software,
    model: {
      name: model.info.name,
      layers: model.info.layers,
      parameters: model.info.parameters,
      weightBytes: model.info.weightBytes,
      precision: model.info.precision.weights,
    },
    context: options.context,
    tokens: options.tokens,
    runs: options.runs,
    prefillTokensPerSecond: median(prefill),
    decode: rows,
  };
  return { data, text: describe(data) };
}

async function prefillOnce({ engine }: BenchModel, prompt: readonly number[]): Promise<number> {
  engine.clearPrefixes();
  const lane = engine.open();
  const started = performance.now();
  await lane.append(prompt);
  const seconds = (performance.now() - started) / 1000;
  lane.dispose();
  return seconds;
}

async function decodeOnce(
  { engine }: BenchModel,
  prompt: readonly number[],
  count: number,
  tokens: number,
): Promise<Run> {
  const root = engine.open();
  await root.append(prompt);
  const lanes = root.fork(count);
  root.dispose();
  // A first token each, so that the copies of the open page are made before the clock starts.
  await Promise.all(lanes.map((lane, i) => drain(lane, 1, i)));
  const records: StepRecord[] = [];
  const stop = engine.onStep((record) => records.push(record));
  const before = engine.ledger.snapshot();
  const started = performance.now();
  await Promise.all(lanes.map((lane, i) => drain(lane, tokens, i)));
  const seconds = (performance.now() - started) / 1000;
  const after = engine.ledger.snapshot();
  stop();
  for (const lane of lanes) lane.dispose();
  return { seconds, records, ...difference(before, after) };
}

function difference(before: LedgerSnapshot, after: LedgerSnapshot): { flops: number; bytes: number } {
  return { flops: after.flops - before.flops, bytes: after.bytes - before.bytes };
}

async function drain(lane: Lane, tokens: number, seed: number): Promise<void> {
  for await (const _ of lane.generate({ maxTokens: tokens, stopTokens: [], seed })) void _;
}

function summarise(lanes: number, runs: readonly Run[], tokens: number, first: DecodeRow | undefined): DecodeRow {
  const drawn = lanes * tokens;
  const tokensPerSecond = median(runs.map(({ seconds }) => drawn / seconds));
  const steps = runs.flatMap(({ records }) => records);
  const timed = steps.flatMap(({ gpuMs }) => (gpuMs === null ? [] : [gpuMs]));
  return {
    lanes,
    tokensPerSecond,
    ratio: first ? tokensPerSecond / first.tokensPerSecond : 1,
    msPerStep: median(runs.map(({ seconds }) => (seconds * 1000) / tokens)),
    gpuMsPerStep: timed.length > 0 ? median(timed) : null,
    dispatchesPerStep: median(steps.map(({ dispatches }) => dispatches)),
    hostMsPerStep: median(steps.map(({ hostMs }) => hostMs)),
    encodeMsPerStep: median(steps.map(({ encodeMs }) => encodeMs)),
    flopsPerToken: median(runs.map(({ flops }) => flops / drawn)),
    bytesPerToken: median(runs.map(({ bytes }) => bytes / drawn)),
  };
}

function describe(report: DecodeReport): string {
  const { model } = report;
  const head = [
    'lanes',
    'tok/s',
    'ratio',
    'ms/step',
    'GPU ms',
    'dispatches',
    'host ms',
    'encode ms',
    'MFLOP/tok',
    'kB/tok',
  ];
  const rows = report.decode.map((row) => [
    String(row.lanes),
    row.tokensPerSecond.toFixed(1),
    `${row.ratio.toFixed(2)}×`,
    row.msPerStep.toFixed(2),
    row.gpuMsPerStep === null ? '—' : row.gpuMsPerStep.toFixed(2),
    row.dispatchesPerStep.toFixed(0),
    row.hostMsPerStep.toFixed(3),
    row.encodeMsPerStep.toFixed(3),
    (row.flopsPerToken / 1e6).toFixed(2),
    (row.bytesPerToken / 1e3).toFixed(1),
  ]);
  return [
    `${model.name} (${model.layers} layers, ${(model.parameters / 1e6).toFixed(1)} M parameters, ${model.precision}) on ${report.device}`,
    `driver: ${report.driver}`,
    ...(report.software ? ['A software driver: ratios mean something, absolute times say nothing about a GPU.'] : []),
    `prefill: ${report.prefillTokensPerSecond.toFixed(0)} tokens/s (${report.context} tokens)`,
    '',
    table(head, rows),
    '',
    `Medians of ${report.runs} runs of ${report.tokens} tokens a lane after ${report.context} of prompt. Ratio: tokens/s against the first row.`,
  ].join('\n');
}
