/**
 * Will it run? Weights, KV and working memory of a model against what a device admits and a disk has room for, before the first
 * byte is fetched. The same on the page, on the command line and in programs; without a GPU it says what it assumed.
 */
import { capacityMessage, tokensText } from '../cost/capacity.ts';
import {
  type KvPrecision,
  kvBytesPerToken,
  type ModelShape,
  type WeightPrecision,
  weightBytes,
} from '../cost/shapes.ts';
import { checkNumber, isReckonError } from '../errors.ts';
import { PAGE_SIZE } from '../kernels/step.ts';
import { planCache } from '../kv/index.ts';
import { scratchBytes } from '../model/scratch.ts';
import { stepLimits } from '../model/step-limits.ts';
import { expectedSpeed, type Speed } from './speed.ts';
import { deviceOf, type FitDevice, type StorageRoom } from './surroundings.ts';
import { bytesText } from './words.ts';

/** What is to be loaded. */
export interface FitModel {
  readonly shape: ModelShape;
  /** How its weights will lie in GPU memory. */
  readonly weights: WeightPrecision;
  /** Bytes they take there, where that is known better than from shape and precision. */
  readonly weightBytes?: number;
  /** Bytes still to be fetched and kept on this device; 0 where it is here. Null: not known. */
  readonly downloadBytes: number | null;
}

/** What it is wanted for. */
export interface FitPlan {
  /** Lanes at a time, 1 to 256. */
  readonly lanes: number;
  /** Tokens that each grows to, prompt included. */
  readonly length: number;
  readonly kv: KvPrecision;
}

export interface FitReport {
  readonly fits: boolean;
  /** What there is to say, for people: the sum first, then whatever stands in the way. */
  readonly reasons: readonly string[];
  /** What was taken for granted, since nothing here tells it. */
  readonly assumed: readonly string[];
  /** Bytes of GPU memory. */
  readonly memory: {
    readonly weights: number;
    readonly kv: number;
    readonly scratch: number;
    readonly total: number;
    readonly available: number;
  };
  /** What the device may be expected to generate; null without measured figures, or where it does not fit. */
  readonly tokensPerSecond: Speed | null;
}

/**
 * Whether the model runs here as planned, and why not.
 * @param device null: no GPU is at hand; one is assumed.
 * @param storage null: it is not known how much room there is for the download.
 * @throws ReckonError `bad-option` for a plan that makes no sense.
 */
export function willItRun(
  model: FitModel,
  plan: FitPlan,
  device: FitDevice | null,
  storage: StorageRoom | null,
): FitReport {
  const lanes = checkNumber('lanes', plan.lanes, { min: 1, max: 256, integer: true });
  const length = checkNumber('length', plan.length, { min: 2, integer: true });
  const { shape } = model;
  const { limits, memoryBytes, tuning, assumed } = deviceOf(device);
  const weights = model.weightBytes ?? weightBytes(shape, model.weights);
  const sizes = stepLimits({ tuning, limits }, shape, { maxLanes: lanes, maxContext: length });
  const scratch = scratchBytes(shape, sizes);
  const bytesPerToken = kvBytesPerToken(shape, plan.kv);
  const pages = Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
  const kv = lanes * pages * bytesPerToken;
  const total = weights + scratch + kv;

  const problems: string[] = [];
  if (length > shape.maxContext) {
    problems.push(
      `Lanes of ${tokensText(length)} tokens are longer than the ${tokensText(shape.maxContext)} that the model was made for.`,
    );
  }
  const piece = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  const left = memoryBytes - weights - scratch;
  if (left <= 0) {
    problems.push(
      `Weights and working memory alone need ${bytesText(weights + scratch)}, and ${bytesText(memoryBytes)} are there.`,
    );
  } else {
    const room = kvRoom(shape, bytesPerToken, left, piece);
    const message = capacityMessage(
      { lanes, length },
      { bytes: room, bytesPerToken, precision: plan.kv, pageSize: PAGE_SIZE },
    );
    if (message !== null) problems.push(`${message}.`);
  }
  const fetched = model.downloadBytes ?? 0;
  const free = storage?.free ?? Number.POSITIVE_INFINITY;
  if (fetched > free) {
    problems.push(`It takes ${bytesText(fetched)} to fetch, and ${bytesText(free)} can still be kept on this device.`);
  }
  const fits = problems.length === 0;
  return {
    fits,
    reasons: [
      `${bytesText(weights)} of weights, ${bytesText(kv)} of KV for ${lanes} × ${tokensText(length)} tokens and ${bytesText(scratch)} to work in make ${bytesText(total)}; about ${bytesText(memoryBytes)} can be used.`,
      ...problems,
    ],
    assumed,
    memory: { weights, kv, scratch, total, available: memoryBytes },
    tokensPerSecond: fits ? expectedSpeed(shape, model.weights, plan, device?.figures) : null,
  };
}

/** Bytes of KV that the device admits: what memory is left, as far as each layer's buffers hold it. */
function kvRoom(shape: ModelShape, bytesPerToken: number, left: number, piece: number): number {
  try {
    return planCache({
      kvBytesPerToken: Math.ceil(bytesPerToken / shape.layers) * shape.layers,
      pageSize: PAGE_SIZE,
      maxContext: shape.maxContext,
      layers: shape.layers,
      memoryBudgetBytes: left,
      maxBufferBytes: piece,
      kvHeads: shape.kvHeads,
    }).bytes;
  } catch (error) {
    // Not even a page.
    if (isReckonError(error, 'over-capacity') || isReckonError(error, 'limit-exceeded')) return 0;
    throw error;
  }
}
