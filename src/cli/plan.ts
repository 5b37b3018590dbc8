/** `reckon plan`: which model, how many chains, how long, with how much KV: the best there is within a budget. */
import { calibrationOf } from '../api/calibration.ts';
import { readModelConfig } from '../checkpoint/index.ts';
import { directorySource } from '../checkpoint/node.ts';
import type { AccuracyModel } from '../cost/accuracy.ts';
import { ATTENTION_FORMS, attentionText, parseAttention } from '../cost/attention.ts';
import { CATALOGUE, catalogueEntry } from '../cost/catalogue.ts';
import { planRun } from '../cost/planner.ts';
import type { PlanAdvice, PlannedRun, PlannerDevice } from '../cost/planner-types.ts';
import { accuracyPriors, priorsOn } from '../cost/priors.ts';
import {
  KV_PRECISIONS,
  type ModelShape,
  shapeOf,
  WEIGHT_PRECISION_BYTES,
  type WeightPrecision,
} from '../cost/shapes.ts';
import { isReckonError, ReckonError } from '../errors.ts';
import { openGpu } from '../gpu/index.ts';
import { fitReport } from '../lab/index.ts';
import { openNodeGpu } from '../node/gpu.ts';
import { keptModelPath } from '../node/models.ts';
import { BUDGET_NAMES } from '../strategies/budget.ts';
import { type Options, readOptions } from './options.ts';
import { readReport } from './reports.ts';
import { formatBytes, formatCount } from './terminal.ts';

const WEIGHT_PRECISIONS = Object.keys(WEIGHT_PRECISION_BYTES) as WeightPrecision[];
const GIB = 2 ** 30;

const HELP = `usage: reckon plan --task NAME [options]

Which model, how many chains, how long each, and how much KV: the most accurate plan that stays within a budget, the
runner-up, and why. It asks no oracle: it trusts an accuracy curve, fitted to an experiment or stated before any.

  --task NAME       with or without a difficulty, "kk/4": ${[...new Set(accuracyPriors().map(({ task }) => task.split('/')[0]))].join(' | ')},
                    or a task of the experiment
  --results FILE    results.json of "reckon lab run": its model's curve is fitted to them (repeatable with commas)
  --models A,B…     only these (default: every model with a curve on the task)
  --tokens N --seconds S --eflops X --bytes X   the budget; none: only memory binds
  --select HOW      verifier | majority (verifier)
  --attention A,B…  KV policies to choose from: ${ATTENTION_FORMS} (dense)
  --prompt N        tokens of the prompt (128)
  --weights W       ${WEIGHT_PRECISIONS.join(' | ')} (f16)
  --kv K            ${KV_PRECISIONS.join(' | ')} (f16)
  --memory GIB      memory for weights and KV (4)
  --flops F --bandwidth B --dispatch S
                    FLOP/s, bytes/s, seconds a dispatch, instead of measuring this device
  --driver D        auto | system | software
  --json            one JSON document on stdout
`;

export async function plan(args: string[]): Promise<void> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = readOptions(args, {
    task: text,
    results: text,
    models: text,
    tokens: text,
    seconds: text,
    eflops: text,
    bytes: text,
    select: text,
    attention: text,
    prompt: text,
    weights: text,
    kv: text,
    memory: text,
    flops: text,
    bandwidth: text,
    dispatch: text,
    driver: text,
    json: flag,
    help: flag,
  });
  if (options.flag('help')) {
    process.stdout.write(HELP);
    return;
  }
  const task = options.text('task');
  if (task === undefined)
    throw new ReckonError('bad-option', '--task is missing.', { hint: '--help tells the tasks.' });
  const precision = {
    weights: options.oneOf('weights', WEIGHT_PRECISIONS) ?? 'f16',
    kv: options.oneOf('kv', KV_PRECISIONS) ?? 'f16',
  };
  const curves = await curvesFor(options, task);
  const models = await Promise.all(
    curves.map(async ({ model, parameters, evidence }) => ({
      shape: await shapeNamed(model),
      accuracy: parameters,
      evidence,
      precision,
    })),
  );
  const budget: Record<string, number> = {};
  for (const name of BUDGET_NAMES) {
    const limit = options.number(name, { min: 0 });
    if (limit !== undefined) budget[name] = limit;
  }
  const { device, name } = await deviceOf(options);
  const advice = planRun({
    prompt: options.number('prompt', { min: 0, integer: true }) ?? 128,
    models,
    device,
    budget,
    selection: options.oneOf('select', ['verifier', 'majority']) ?? 'verifier',
    attentions: listOf(options.text('attention') ?? 'dense').map(parseAttention),
  });
  if (options.flag('json')) {
    process.stdout.write(`${JSON.stringify({ task, device: { name, ...device }, ...advice }, null, 2)}\n`);
  } else process.stdout.write(describe(task, name, advice));
}

const listOf = (text: string) => text.split(',').map((part) => part.trim());

/** Curves of the task: of the experiments given, then priors of the models that none of them is of. */
async function curvesFor(options: Options, task: string): Promise<AccuracyModel[]> {
  const fitted: AccuracyModel[] = [];
  for (const path of listOf(options.text('results') ?? '')) {
    if (path !== '') fitted.push(fitReport(await readReport(path), task));
  }
  const priors = priorsOn(task).filter((prior) => !fitted.some(({ model }) => model === prior.model));
  const all = [...fitted, ...priors];
  const wanted = options.text('models');
  if (wanted === undefined) {
    if (all.length > 0) return all;
    throw new ReckonError('bad-option', `Nothing is known of any model on ${JSON.stringify(task)}.`, {
      hint: `Run an experiment with "reckon lab run" and give its --results; known: ${[...new Set(accuracyPriors().map((prior) => prior.task))].join(', ')}.`,
    });
  }
  return listOf(wanted).map((name) => {
    const found = all.find(({ model }) => model === name);
    if (found) return found;
    throw new ReckonError('bad-option', `Nothing is known of ${JSON.stringify(name)} on ${task}.`, {
      hint: `Known: ${all.map(({ model }) => model).join(', ') || 'no model'}.`,
    });
  });
}

/** Of the catalogue, or of an embedded model's or folder's config. */
async function shapeNamed(name: string): Promise<ModelShape> {
  if (CATALOGUE.some((entry) => entry.name === name)) return catalogueEntry(name);
  const { model } = await readModelConfig(directorySource(await keptModelPath(name)));
  return shapeOf(model, name);
}

/** The figures given, or those of this machine's GPU, measured once and kept. */
async function deviceOf(options: Options): Promise<{ device: PlannerDevice; name: string }> {
  const memoryBytes = (options.number('memory', { min: 0.001 }) ?? 4) * GIB;
  const flops = options.number('flops', { min: 1 });
  const bandwidth = options.number('bandwidth', { min: 1 });
  const dispatchSeconds = options.number('dispatch', { min: 0 });
  if (flops !== undefined && bandwidth !== undefined) {
    const figures = { flops, bandwidth, dispatchSeconds: dispatchSeconds ?? 0 };
    return { device: { figures, memoryBytes }, name: 'as given' };
  }
  if (flops !== undefined || bandwidth !== undefined || dispatchSeconds !== undefined) {
    throw new ReckonError('bad-option', 'A device needs both --flops and --bandwidth.', {
      hint: 'Leave them out to measure this one, or see "reckon device".',
    });
  }
  const driver = options.oneOf('driver', ['auto', 'system', 'software']) ?? 'auto';
  try {
    const gpu = await openGpu({ gpu: (await openNodeGpu({ driver })).gpu });
    try {
      const { flops32, bandwidth: read, dispatchSeconds: dispatch } = await calibrationOf(gpu);
      const figures = { flops: flops32, bandwidth: read, dispatchSeconds: dispatch };
      return { device: { figures, memoryBytes }, name: gpu.profile.name };
    } finally {
      gpu.close();
    }
  } catch (error) {
    if (!isReckonError(error, 'no-webgpu') && !isReckonError(error, 'no-adapter')) throw error;
    throw new ReckonError(error.code, `${error.message} A plan needs a device's figures.`, {
      hint: 'Give them: --flops 4e12 --bandwidth 2e11 --dispatch 4e-6, say.',
      cause: error,
    });
  }
}

function describe(task: string, device: string, { best, runnerUp, bound, reason }: PlanAdvice): string {
  const head = `${''.padEnd(11)}${'model'.padEnd(18)}chains  tokens  ${'attention'.padEnd(14)}accuracy  one alone   seconds    KV`;
  const row = (title: string, run: PlannedRun) =>
    [
      title.padEnd(10),
      run.model.padEnd(17),
      String(run.trials).padStart(6),
      String(run.tokens).padStart(7),
      ` ${attentionText(run.attention).padEnd(13)}`,
      `${(100 * run.accuracy).toFixed(1)} %`.padStart(8),
      `${(100 * run.singleAccuracy).toFixed(1)} %`.padStart(10),
      run.spending.seconds.toPrecision(3).padStart(9),
      formatBytes(run.kvBytes).padStart(9),
    ].join(' ');
  const { tokens, eflops, bytes } = best.spending;
  return [
    `${task}, on ${device}`,
    '',
    head,
    row('best', best),
    ...(runnerUp ? [row('runner-up', runnerUp)] : []),
    '',
    reason,
    `At most ${formatCount(tokens)}tokens, ${formatCount(eflops)}eFLOP, ${formatBytes(bytes)} moved. Bound by: ${bound}.`,
    '',
  ].join('\n');
}
