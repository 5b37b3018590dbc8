/** `reckon inspect`: what a checkpoint is and whether it will run here, before it is fetched. */
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { homedir, totalmem } from 'node:os';
import { calibrationOf } from '../api/calibration.ts';
import { type Inspection, type InspectOptions, inspectEntry, inspectSource } from '../api/inspect.ts';
import { sourceOf } from '../api/source.ts';
import { openModelStore } from '../api/store.ts';
import { type CatalogueModel, type FitDevice, findModel, MODELS, TYPICAL_LIMITS } from '../catalogue/index.ts';
import { isRepositoryName, modelOrigin } from '../checkpoint/index.ts';
import { KV_PRECISIONS, WEIGHT_PRECISION_BYTES, type WeightPrecision } from '../cost/shapes.ts';
import { isReckonError, ReckonError } from '../errors.ts';
import { openGpu } from '../gpu/index.ts';
import { openNodeGpu } from '../node/gpu.ts';
import { modelPath } from '../node/models.ts';
import { type Options, readCommand } from './options.ts';
import { formatBytes, formatCount } from './terminal.ts';

const WEIGHTS = Object.keys(WEIGHT_PRECISION_BYTES) as WeightPrecision[];

const HELP = `usage: reckon inspect SOURCE [options]
       reckon inspect --list

  SOURCE         an embedded model, "owner/name", a URL, or a folder
  --lanes N      chains of thought at a time (8)
  --length T     tokens that each grows to (4096, or the model's context)
  --kv K         ${KV_PRECISIONS.join(' | ')} (f16)
  --weights W    ${WEIGHTS.join(' | ')} in GPU memory (as stored, or f16)
  --memory M     GPU memory that a model may take, e.g. 8G
  --driver D     auto | system | software | none
  --offline      by the catalogue alone: nothing is fetched
  --json         one JSON document on stdout
  --list         the catalogue
`;

export async function inspect(args: string[]): Promise<void> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { options, words } = readCommand(args, {
    lanes: text,
    length: text,
    kv: text,
    weights: text,
    memory: text,
    driver: text,
    offline: flag,
    json: flag,
    list: flag,
    help: flag,
  });
  const json = options.flag('json');
  if (options.flag('help')) process.stdout.write(HELP);
  else if (options.flag('list')) process.stdout.write(json ? document(MODELS) : table(MODELS));
  else {
    const report = await reportOf(words, options);
    process.stdout.write(json ? document(report) : prose(report));
  }
}

function document(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

async function reportOf(words: readonly string[], options: Options): Promise<Inspection & { source: string }> {
  const [name, ...more] = words;
  if (name === undefined || more.length > 0) {
    throw new ReckonError(
      'bad-option',
      name === undefined ? 'What is to be inspected?' : `${more.join(' ')} is one name too many.`,
      {
        hint: 'Give one repository, URL or folder; --list shows the catalogue.',
      },
    );
  }
  const driver = options.oneOf('driver', ['auto', 'system', 'software', 'none']) ?? 'auto';
  const whole = { min: 1, integer: true };
  const settings: InspectOptions = {
    lanes: options.number('lanes', { ...whole, max: 256 }),
    length: options.number('length', { ...whole, min: 2 }),
    kv: options.oneOf('kv', KV_PRECISIONS),
    weights: options.oneOf('weights', WEIGHTS),
    device: driver === 'none' ? assumedDevice(memoryOf(options)) : await deviceHere(driver, memoryOf(options)),
    storage: await storageHere(),
  };
  const entry = findModel(name);
  return { source: name, ...(await inspected(name, entry, settings, options.flag('offline'))) };
}

async function inspected(
  name: string,
  entry: CatalogueModel | null,
  settings: InspectOptions,
  offline: boolean,
): Promise<Inspection> {
  // Nothing is to be fetched for what is in the package.
  const local = modelPath(name);
  if (entry && entry.kind !== 'embedded' && (offline || !entry.shape)) return inspectEntry(entry, settings);
  const repository = entry?.kind === 'repository' ? entry.source : isRepositoryName(name) && !existsSync(name) && name;
  const from = repository ? modelOrigin(repository) : local;
  const remote = repository !== false || /^https?:/i.test(local);
  if (offline && remote && !(await (await openModelStore()).find(from))?.complete) {
    throw new ReckonError('bad-option', `Nothing is known of ${name} without fetching it.`, {
      hint: 'Leave out --offline.',
    });
  }
  const token = process.env.RECKON_TOKEN || process.env.HF_TOKEN;
  try {
    const source = await sourceOf(from, token ? { token } : {});
    return await inspectSource(source, settings, entry);
  } catch (error) {
    if (!entry || !isReckonError(error, 'network')) throw error;
    const known = inspectEntry(entry, settings);
    return {
      ...known,
      assumed: ['It could not be reached: these are the figures of the catalogue.', ...known.assumed],
    };
  }
}

/** A GPU that somebody has in mind. */
function assumedDevice(memoryBytes: number | undefined): FitDevice | null {
  if (memoryBytes === undefined) return null;
  return { name: 'a GPU', software: false, tuning: 'gpu', limits: TYPICAL_LIMITS, memoryBytes };
}

/** Null where there is no GPU that anything could be asked of. */
async function deviceHere(
  driver: 'auto' | 'system' | 'software',
  memory: number | undefined,
): Promise<FitDevice | null> {
  let api: Awaited<ReturnType<typeof openNodeGpu>>;
  try {
    api = await openNodeGpu({ driver });
  } catch (error) {
    if (!isReckonError(error, 'no-webgpu') && !isReckonError(error, 'no-adapter')) throw error;
    process.stderr.write(`reckon: ${error.message}\n`);
    return null;
  }
  const gpu = await openGpu({ gpu: api.gpu });
  try {
    const { flops32, bandwidth, dispatchSeconds } = await calibrationOf(gpu);
    const { name, software, tuning, limits } = gpu.profile;
    const memoryBytes = memory ?? (software ? totalmem() : undefined);
    return { name, software, tuning, limits, memoryBytes, figures: { flops: flops32, bandwidth, dispatchSeconds } };
  } finally {
    gpu.close();
  }
}

/** Room in the file system of the person's own files. */
async function storageHere(): Promise<{ free: number | null }> {
  try {
    const { bavail, bsize } = await statfs(homedir());
    return { free: bavail * bsize };
  } catch {
    return { free: null };
  }
}

const POWERS = 'kMGT';

/** "8G", "8 GB", "512M": powers of 1000. */
function memoryOf(options: Options): number | undefined {
  const value = options.text('memory');
  if (value === undefined) return undefined;
  const [, digits, prefix = ''] = /^(\d+(?:\.\d+)?)\s*([kKMGT]?)i?B?$/.exec(value.trim()) ?? [];
  if (digits === undefined || Number(digits) === 0) {
    throw new ReckonError('bad-option', `--memory is ${JSON.stringify(value)}; it must be an amount such as 8G.`);
  }
  return Number(digits) * 1000 ** (POWERS.indexOf(prefix.replace('K', 'k')) + 1 || 0);
}

function prose(report: Inspection): string {
  const { memory, tokensPerSecond: speed } = report;
  const lines = [
    `${report.name}: ${report.architecture}, ${report.format}, ${report.quantization}`,
    `parameters  ${formatCount(report.parameters)}`,
    `weights     ${formatBytes(report.weightBytes)} stored, ${formatBytes(memory.weights)} in GPU memory`,
    `KV          ${formatBytes(report.kvBytesPerToken)} a token in ${report.kv}; context up to ${report.maxContext} tokens`,
    `fits        ${report.fits ? 'yes' : 'no'}`,
    ...report.reasons.map((reason) => `            ${reason}`),
    ...report.suggestions.map((suggestion) => `try         ${suggestion}`),
    ...(speed
      ? [`expect      ${formatCount(speed.one)}tokens/s with one lane, ${formatCount(speed.all)}with ${report.lanes}`]
      : []),
    ...report.assumed.map((assumption) => `assumed     ${assumption}`),
  ];
  return `${lines.join('\n')}\n`;
}

function table(models: readonly CatalogueModel[]): string {
  const rows = models.map(({ id, source, downloadBytes, webLlm, licence, shape }) => {
    const size =
      downloadBytes === null ? `${formatCount((webLlm?.memoryMB ?? 0) * 1e6)}B in memory` : formatBytes(downloadBytes);
    return `${id.padEnd(48)} ${size.padStart(10)}  ${(shape ? 'reckon' : 'web-llm').padEnd(8)} ${licence.name.padEnd(22)} ${source}`;
  });
  return `${rows.join('\n')}\n`;
}
