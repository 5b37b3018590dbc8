/** Load options, checked and filled in before anything is read. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { KvPrecision, Precision, Precisions } from '../kernels/precision.ts';
import type { SummaryKind } from '../kernels/summary.ts';
import type { LoadOptions } from './types.ts';

export interface ResolvedLoadOptions {
  readonly precision: Precisions;
  readonly quantize: '4bit' | '8bit' | null;
  readonly thinkingMarkers: readonly [open: string, close: string] | undefined;
  readonly maxLanes: number;
  /** Undefined: as long as the model allows, up to `DEFAULT_CONTEXT`. */
  readonly maxContext: number | undefined;
  readonly kvBytes: number;
  readonly summary: SummaryKind | null;
}

/** A checkpoint may allow contexts far beyond what a page has use for; longer ones are asked for by name. */
export const DEFAULT_CONTEXT = 32768;
const DEFAULT_LANES = 64;
const MAX_LANES = 256;
const DEFAULT_KV_BYTES = 256 * 2 ** 20;
const WEIGHT_PRECISIONS: readonly Precision[] = ['f16', 'f32'];
const QUANTIZE: readonly unknown[] = ['4bit', '8bit', undefined, null];
const KV_PRECISIONS: readonly KvPrecision[] = ['f16', 'f32', 'int8'];

function precisionOf<P extends KvPrecision>(name: string, value: unknown, known: readonly P[]): P | 'f16' {
  if (value === undefined) return 'f16';
  const found = known.find((precision) => precision === value);
  if (found !== undefined) return found;
  throw new ReckonError('bad-option', `precision.${name} is ${JSON.stringify(value)}.`, {
    hint: `It must be one of: ${known.join(', ')}.`,
    details: { name: `precision.${name}`, value },
  });
}

function markersOf(value: unknown): readonly [open: string, close: string] | undefined {
  if (value === undefined) return undefined;
  const ok = Array.isArray(value) && value.length === 2 && value.every((one) => typeof one === 'string' && one !== '');
  if (ok) return value as unknown as readonly [string, string];
  throw new ReckonError('bad-option', `thinkingMarkers is ${JSON.stringify(value)?.slice(0, 80)}.`, {
    hint: 'It must be two texts: what begins the thinking, and what ends it.',
    details: { name: 'thinkingMarkers' },
  });
}

function summaryOf(summary: LoadOptions['summary']): SummaryKind | null {
  if (summary === undefined) return 'mean';
  if (summary === null || summary === 'mean' || summary === 'minmax') return summary;
  throw new ReckonError('bad-option', `summary is ${JSON.stringify(summary)}.`, {
    hint: "It must be 'mean', 'minmax', or null for none.",
    details: { name: 'summary', value: summary },
  });
}

/** @throws ReckonError `bad-option` naming the setting, its value and its range. */
export function resolveLoadOptions(options: LoadOptions): ResolvedLoadOptions {
  const { precision, quantize, maxLanes, maxContext, kvBytes } = options;
  if (!QUANTIZE.includes(quantize)) {
    throw new ReckonError('bad-option', `quantize is ${JSON.stringify(quantize)}.`, {
      hint: 'It must be "4bit", "8bit", or left out.',
      details: { name: 'quantize', value: quantize },
    });
  }
  return {
    thinkingMarkers: markersOf(options.thinkingMarkers),
    precision: {
      weights: precisionOf('weights', precision?.weights, WEIGHT_PRECISIONS),
      kv: precisionOf('kv', precision?.kv, KV_PRECISIONS),
    },
    quantize: quantize ?? null,
    maxLanes: checkNumber('maxLanes', maxLanes ?? DEFAULT_LANES, { min: 1, max: MAX_LANES, integer: true }),
    maxContext: maxContext === undefined ? undefined : checkNumber('maxContext', maxContext, { min: 2, integer: true }),
    summary: summaryOf(options.summary),
    kvBytes: checkNumber('kvBytes', kvBytes ?? DEFAULT_KV_BYTES, { min: 1 }),
  };
}
