/** What a checkpoint is, and whether it will run here: from its headers, or from the catalogue without fetching anything. */
import {
  type CatalogueModel,
  type FitDevice,
  type FitPlan,
  type FitReport,
  loadedAs,
  type StorageRoom,
  suggestions,
  willItRun,
} from '../catalogue/index.ts';
import { type CheckpointSource, KNOWN_ARCHITECTURES } from '../checkpoint/index.ts';
import {
  KV_PRECISIONS,
  type KvPrecision,
  kvBytesPerToken,
  parameterCounts,
  type WeightPrecision,
} from '../cost/shapes.ts';
import { ReckonError } from '../errors.ts';
import { describeModel } from './describe.ts';

export interface InspectOptions {
  /** Lanes at a time. Default 8. */
  readonly lanes?: number | undefined;
  /** Tokens each grows to. Default 4,096, less where the model's own context ends before. */
  readonly length?: number | undefined;
  /** Default f16. */
  readonly kv?: KvPrecision | undefined;
  /** How weights are to lie in GPU memory. Default: quantised ones as they are stored, all others in f16. */
  readonly weights?: WeightPrecision | undefined;
  /** Null: none is at hand. */
  readonly device: FitDevice | null;
  /** Null: not known. */
  readonly storage: StorageRoom | null;
  readonly signal?: AbortSignal | undefined;
}

export interface Inspection extends FitReport {
  readonly name: string;
  readonly architecture: string;
  readonly format: string;
  /** The publisher's name for it ("q4f16_1", "Q4_K"), or the type of floats ("BF16"). */
  readonly quantization: string;
  readonly parameters: number;
  /** Of the weights as they are stored. */
  readonly weightBytes: number;
  /** In the precision that is asked about. */
  readonly kvBytesPerToken: number;
  readonly maxContext: number;
  readonly lanes: number;
  readonly length: number;
  readonly kv: KvPrecision;
  readonly suggestions: readonly string[];
}

const LANES = 8;
const LENGTH = 4096;

function planOf({ lanes = LANES, length, kv = 'f16' }: InspectOptions, maxContext: number): FitPlan {
  if (!KV_PRECISIONS.includes(kv)) {
    throw new ReckonError('bad-option', `kv is ${JSON.stringify(kv)}; it must be one of ${KV_PRECISIONS.join(', ')}.`);
  }
  return { lanes, length: length ?? Math.min(LENGTH, maxContext), kv };
}

/**
 * Reads a checkpoint's configuration and headers, a few hundred kilobytes at most, and tells whether it will run.
 * @param entry the catalogue's word on the same repository, where there is one.
 * @throws ReckonError what reading throws: `network`, `bad-checkpoint`, `unknown-architecture`, `access-denied` …
 */
export async function inspectSource(
  source: CheckpointSource,
  options: InspectOptions,
  entry: CatalogueModel | null = null,
): Promise<Inspection> {
  const { shape, weightBytes, loadedBytes, loaded, ...facts } = await describeModel(source, options.signal);
  const plan = planOf(options, shape.maxContext);
  const weights = options.weights ?? loaded;
  const model = {
    shape,
    weights,
    // What is quantised stays so, in the form that kernels read.
    ...(weights === loaded && loaded !== 'f16' ? { weightBytes: loadedBytes } : {}),
    downloadBytes: weightBytes,
  };
  return {
    ...facts,
    ...plan,
    parameters: parameterCounts(shape).total,
    weightBytes,
    kvBytesPerToken: kvBytesPerToken(shape, plan.kv),
    maxContext: shape.maxContext,
    ...willItRun(model, plan, options.device, options.storage),
    suggestions: suggestions(model, plan, options.device, options.storage, entry),
  };
}

/**
 * The same of an entry of the catalogue, from what is written down here.
 * @throws ReckonError `unknown-architecture` for one that only another backend runs.
 */
export function inspectEntry(entry: CatalogueModel, options: InspectOptions): Inspection {
  const { shape, architecture, downloadBytes } = entry;
  if (!shape || architecture === null || downloadBytes === null || !KNOWN_ARCHITECTURES.includes(architecture)) {
    const needs = entry.webLlm ? ` It needs about ${entry.webLlm.memoryMB} MB of GPU memory there.` : '';
    throw new ReckonError(
      'unknown-architecture',
      `${entry.id} is of an architecture that Reckon's decoder does not know.`,
      {
        hint: entry.webLlm
          ? `web-llm runs it: load it with the backend "web-llm".${needs}`
          : `Known: ${KNOWN_ARCHITECTURES.join(', ')}.`,
        details: { architecture, webLlm: entry.webLlm?.id ?? null },
      },
    );
  }
  const loaded = loadedAs(entry.stored);
  const plan = planOf(options, entry.context);
  const weights = options.weights ?? loaded;
  const model = { shape: { ...shape, maxContext: entry.context }, weights, downloadBytes };
  return {
    name: entry.id,
    architecture,
    format: entry.format,
    quantization: /^q/.test(entry.stored) ? entry.stored : entry.stored.toUpperCase(),
    parameters: parameterCounts(shape).total,
    weightBytes: downloadBytes,
    kvBytesPerToken: kvBytesPerToken(shape, plan.kv),
    maxContext: entry.context,
    ...plan,
    ...willItRun(model, plan, options.device, options.storage),
    suggestions: suggestions(model, plan, options.device, options.storage, entry),
  };
}
