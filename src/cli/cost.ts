/** `reckon cost`: what a plan costs by the Kinetics model. Needs no GPU. */
import { readFile } from 'node:fs/promises';
import { parseModelConfig } from '../checkpoint/config.ts';
import { ATTENTION_FORMS, attentionText, parseAttention } from '../cost/attention.ts';
import { CATALOGUE, catalogueEntry } from '../cost/catalogue.ts';
import type { DeviceCost } from '../cost/device-cost.ts';
import { type EstimateOptions, estimate, PRESETS, type Preset } from '../cost/estimate.ts';
import { type CostPlan, checkPlan, evenPlan, type PlanCost } from '../cost/plan.ts';
import {
  groupSize,
  KV_PRECISIONS,
  kvBytesPerToken,
  kvElements,
  kvOvertakesWeights,
  type ModelShape,
  parameterCounts,
  shapeOf,
  WEIGHT_PRECISION_BYTES,
  type WeightPrecision,
} from '../cost/shapes.ts';
import { checkNumber, ReckonError } from '../errors.ts';
import { type Options, readOptions } from './options.ts';
import { formatBytes, formatCount } from './terminal.ts';

const WEIGHT_PRECISIONS = Object.keys(WEIGHT_PRECISION_BYTES) as WeightPrecision[];

const HELP = `usage: reckon cost --model NAME [options]
       reckon cost --list

  --model M       a model of the catalogue, or the path of a config.json
  --context C     tokens of the prompt, shared by all trials (128)
  --tokens T      tokens that each trial generates (4096)
  --trials N      number of trials (1)
  --lengths A,B…  instead of both: the tokens of each trial
  --attention P   ${ATTENTION_FORMS} (dense)
  --preset P      ${PRESETS.join(' | ')} (paper)
  --intensity I   FLOPs that a byte is worth (562.5, or the device's)
  --json          one JSON document on stdout
  --list          the catalogue

only with --preset device:
  --weights W     ${WEIGHT_PRECISIONS.join(' | ')} (f16)
  --kv K          ${KV_PRECISIONS.join(' | ')} (f16)
  --flops F --bandwidth B --dispatch S
                  FLOP/s, bytes/s and seconds a dispatch, as "reckon device" measures them: adds seconds
  --shared-reads  one read of the prompt's KV serves all trials

Costs are in Tera-eFLOPs: 1e12 FLOPs, or as many bytes as are worth them.
`;

export async function cost(args: string[]): Promise<void> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = readOptions(args, {
    model: text,
    context: text,
    tokens: text,
    trials: text,
    lengths: text,
    attention: text,
    preset: text,
    intensity: text,
    weights: text,
    kv: text,
    flops: text,
    bandwidth: text,
    dispatch: text,
    'shared-reads': flag,
    json: flag,
    list: flag,
    help: flag,
  });
  const json = options.flag('json');
  if (options.flag('help')) process.stdout.write(HELP);
  else if (options.flag('list')) process.stdout.write(json ? document(CATALOGUE.map(facts)) : catalogueTable());
  else {
    const answer = await reportOf(options);
    process.stdout.write(json ? document(answer.report) : reportTable(answer));
  }
}

function document(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** The shape named: a catalogue entry, or what a config.json describes. */
async function shapeNamed(name: string | undefined): Promise<ModelShape> {
  if (name === undefined) {
    throw new ReckonError('bad-option', '--model is missing.', { hint: 'reckon cost --list shows what there is.' });
  }
  if (!name.endsWith('.json')) return catalogueEntry(name);
  let config: string;
  try {
    config = await readFile(name, 'utf8');
  } catch (cause) {
    throw new ReckonError('bad-option', `--model: ${name} cannot be read.`, {
      hint: 'Give the path of a config.json, or the name of a model of the catalogue.',
      cause,
    });
  }
  return shapeOf(parseModelConfig(config), name);
}

function planOf(options: Options): CostPlan {
  const prompt = options.number('context', { min: 0, max: 1e9, integer: true }) ?? 128;
  const attention = parseAttention(options.text('attention') ?? 'dense');
  const tokens = options.number('tokens', { min: 1, max: 1e9, integer: true });
  const trials = options.number('trials', { min: 1, max: 1e6, integer: true });
  const lengths = options.text('lengths');
  if (lengths === undefined) return evenPlan(prompt, tokens ?? 4096, trials ?? 1, attention);
  if (tokens !== undefined || trials !== undefined) {
    throw new ReckonError('bad-option', '--lengths already says how many trials there are and how long.', {
      hint: 'Leave out --tokens and --trials.',
    });
  }
  const whole = { min: 1, max: 1e9, integer: true };
  const parsed = lengths.split(',').map((part) => {
    return checkNumber('--lengths', part.trim() === '' ? Number.NaN : Number(part), whole);
  });
  return checkPlan({ prompt, lengths: parsed, attention });
}

/** Options that say something of a device, and nothing to the paper's presets. */
const DEVICE_ONLY = ['weights', 'kv', 'flops', 'bandwidth', 'dispatch'] as const;

function estimateOptions(options: Options, preset: Preset): EstimateOptions {
  const speed = { min: 1 };
  const weights = options.oneOf('weights', WEIGHT_PRECISIONS) ?? 'f16';
  const kv = options.oneOf('kv', KV_PRECISIONS) ?? 'f16';
  const flops = options.number('flops', speed);
  const bandwidth = options.number('bandwidth', speed);
  const dispatchSeconds = options.number('dispatch', { min: 0 });
  const intensity = options.number('intensity', { min: 0 });
  if (preset !== 'device') {
    const stray = DEVICE_ONLY.find((name) => options.text(name) !== undefined);
    if (stray !== undefined || options.flag('shared-reads')) {
      throw new ReckonError('bad-option', `--${stray ?? 'shared-reads'} means nothing to --preset ${preset}.`, {
        hint: 'Add --preset device, or leave it out.',
      });
    }
    return { intensity };
  }
  if ((flops === undefined) !== (bandwidth === undefined) || (dispatchSeconds !== undefined && flops === undefined)) {
    throw new ReckonError('bad-option', 'A device needs both --flops and --bandwidth.', {
      hint: 'reckon device measures them.',
    });
  }
  const figures =
    flops === undefined || bandwidth === undefined
      ? undefined
      : { flops, bandwidth, dispatchSeconds: dispatchSeconds ?? 0 };
  return { intensity, precision: { weights, kv }, figures, terms: { sharedReads: options.flag('shared-reads') } };
}

/** What a shape says by itself. KV in bytes at two an element, weights too. */
function facts(shape: ModelShape) {
  const { total, active, perToken } = parameterCounts(shape);
  return {
    name: shape.name,
    parameters: { total, active, perToken },
    layers: shape.layers,
    kvElements: kvElements(shape),
    groupSize: groupSize(shape),
    kvBytesPerToken: kvBytesPerToken(shape, 'f16'),
    maxContext: shape.maxContext,
    kvOvertakesWeights: Math.round(kvOvertakesWeights(shape, { weights: 'f16', kv: 'f16' })),
  };
}

async function reportOf(options: Options) {
  const shape = await shapeNamed(options.text('model'));
  const plan = planOf(options);
  const preset = options.oneOf('preset', PRESETS) ?? 'paper';
  const settings = estimateOptions(options, preset);
  const { prompt, lengths, attention } = plan;
  const longest = Math.max(...lengths);
  const device = preset === 'device' ? estimate(shape, plan, preset, settings) : null;
  const cost: PlanCost = device ?? estimate(shape, plan, preset, settings);
  const report = {
    model: facts(shape),
    preset,
    attention: attentionText(attention),
    context: prompt,
    tokens: lengths.every((length) => length === longest) ? longest : lengths,
    trials: lengths.length,
    exceedsMaxContext: prompt + longest > shape.maxContext,
    unit: 'Tera-eFLOPs',
    ...cost,
  };
  return { report, device };
}

type Report = Awaited<ReturnType<typeof reportOf>>;

const tera = (value: number) => (Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(4));

function reportTable({ report, device }: Report): string {
  const { model, tokens, compute, memory, total, intensity } = report;
  const length = typeof tokens === 'number' ? `${tokens}` : `${Math.min(...tokens)} to ${Math.max(...tokens)}`;
  const trials = `${report.trials} ${report.trials === 1 ? 'trial' : 'trials'}`;
  const share = total > 0 ? ` (${((100 * memory) / total).toFixed(0)} % memory)` : '';
  const lines = [
    `${model.name}, ${trials} of ${length} tokens behind ${report.context}, ${report.attention}, preset ${report.preset}`,
    `compute     ${tera(compute)} Tera-eFLOPs`,
    `memory      ${tera(memory)} Tera-eFLOPs, a byte worth ${intensity.toPrecision(4)} FLOPs`,
    `total       ${tera(total)} Tera-eFLOPs${share}`,
    `overlapped  ${tera(report.maxCost)} Tera-eFLOPs`,
    ...(device
      ? deviceLines(device)
      : [`B200        ${report.b200Seconds.toPrecision(3)} s as the authors convert it`]),
    `parameters  ${formatCount(model.parameters.total)}${model.parameters.active < model.parameters.total ? `, ${formatCount(model.parameters.active)} active` : ''}`,
    `KV          ${formatBytes(model.kvBytesPerToken)} a token in f16; reads overtake those of f16 weights at ${model.kvOvertakesWeights} tokens`,
  ];
  if (report.exceedsMaxContext) lines.push(`note        longer than the ${model.maxContext} tokens it was made for`);
  return `${lines.join('\n')}\n`;
}

function deviceLines({ classes, steps, dispatches, seconds }: DeviceCost): string[] {
  const parts = (['linear', 'attention', 'search', 'kvWrite'] as const)
    .filter((name) => classes[name].flops > 0 || classes[name].bytes > 0)
    .map((name) => {
      const { flops, bytes } = classes[name];
      return `  ${name.padEnd(10)}${`${formatCount(flops)}FLOP`.padEnd(14)}${formatBytes(bytes)}`;
    });
  const time = seconds
    ? [
        `seconds     ${seconds.roofline.toPrecision(3)} to ${seconds.additive.toPrecision(3)}, ${seconds.dispatching.toPrecision(3)} of them dispatching`,
      ]
    : [];
  return [...parts, `steps       ${steps}, ${formatCount(dispatches).trim()} dispatches`, ...time];
}

function catalogueTable(): string {
  const rows = CATALOGUE.map((shape) => {
    const { name, parameters, kvBytesPerToken: kv, kvOvertakesWeights: context, groupSize: r } = facts(shape);
    const active = parameters.active < parameters.total ? formatCount(parameters.active) : '';
    return [
      name,
      formatCount(parameters.total),
      active,
      String(shape.layers),
      String(r),
      formatBytes(kv),
      String(context),
    ];
  });
  const table = [['model', 'parameters', 'active', 'layers', 'r', 'KV/token f16', 'KV overtakes weights'], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
