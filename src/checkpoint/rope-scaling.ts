/** `rope_scaling`, as it is called in `config.json`: how a model's rotations were stretched beyond the context it began with. */
import { Fields, type JsonObject } from './json.ts';

/**
 * A change to the rotary frequencies fᵢ = θ^(−2i/d), d elements being rotated. Meanings are those of transformers
 * (`modeling_rope_utils.py`); `attentionFactor` multiplies sine and cosine.
 */
export type RopeScaling =
  /** fᵢ / factor. */
  | { readonly type: 'linear'; readonly factor: number }
  /** Long wavelengths divided by `factor`, short ones kept, those between blended. */
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxContext: number;
    }
  /** A ramp between dimensions that turn `betaFast` and `betaSlow` times within the original context. */
  | {
      readonly type: 'yarn';
      readonly factor: number;
      readonly originalMaxContext: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      /** The ends of the ramp are rounded outwards to whole dimensions. */
      readonly truncate: boolean;
      readonly attentionFactor: number;
    }
  /**
   * fᵢ / factorᵢ, one for each of the d/2 frequencies. The short list is for engines whose longest lane is within
   * `originalMaxContext`, the long one for all others: keys of one cache are rotated by one list.
   */
  | {
      readonly type: 'longrope';
      readonly shortFactors: readonly number[];
      readonly longFactors: readonly number[];
      readonly originalMaxContext: number;
      readonly attentionFactor: number;
    };

const FACTOR = { min: 1, max: 4096 };
const CONTEXT = { min: 1, max: 1 << 24, integer: true };

export interface RopeContext {
  readonly file: string;
  /** Elements of a head that are rotated. */
  readonly rotaryDim: number;
  /** `max_position_embeddings`. */
  readonly maxPositions: number;
  /** Makes the error for a scaling that is well formed but not supported. */
  readonly unsupported: (what: string, details: Record<string, unknown>) => Error;
}

/** The object that describes RoPE: `rope_scaling`, or `rope_parameters` as newer transformers write it; null when neither is. */
function ropeObject(fields: Fields): { name: string; json: JsonObject } | null {
  for (const name of ['rope_scaling', 'rope_parameters']) {
    const value = fields.raw(name);
    if (value === undefined || value === null) continue;
    if (typeof value !== 'object' || Array.isArray(value)) throw fields.error(name, 'an object or null');
    return { name, json: value as JsonObject };
  }
  return null;
}

/** θ from `rope_theta`, wherever it stands. @throws ReckonError `bad-checkpoint`. */
export function ropeThetaOf(fields: Fields, file: string, fallback?: number): number {
  const rule = { min: 1, max: 1e12, ...(fallback === undefined ? {} : { fallback }) };
  const parameters = fields.raw('rope_parameters');
  if (fields.raw('rope_theta') !== undefined || !parameters) return fields.number('rope_theta', rule);
  return new Fields(parameters as JsonObject, `${file}, rope_parameters`).number('rope_theta', rule);
}

/**
 * @param fields Of `config.json`.
 * @throws ReckonError `bad-checkpoint` for malformed fields, `unknown-architecture` for kinds that are not known.
 */
export function ropeScalingOf(fields: Fields, context: RopeContext): RopeScaling | null {
  const found = ropeObject(fields);
  if (!found) return null;
  const own = new Fields(found.json, `${context.file}, ${found.name}`);
  const type: unknown = found.json.rope_type ?? found.json.type ?? 'default';
  switch (type) {
    case 'default':
      return null;
    case 'linear':
      return { type: 'linear', factor: own.number('factor', FACTOR) };
    case 'llama3':
      return llama3(own, context);
    case 'yarn':
      return yarn(own, context);
    case 'longrope':
    case 'su':
      return longrope(own, fields, context);
    default:
      throw context.unsupported(`${found.name} asks for RoPE of type ${JSON.stringify(type)?.slice(0, 80)}`, {
        field: found.name,
        type,
      });
  }
}

function llama3(own: Fields, { maxPositions }: RopeContext): RopeScaling {
  const lowFreqFactor = own.number('low_freq_factor', { min: 1e-3, max: 1e3 });
  const highFreqFactor = own.number('high_freq_factor', { min: 1e-3, max: 1e3 });
  if (highFreqFactor <= lowFreqFactor) throw own.error('high_freq_factor', `above low_freq_factor (${lowFreqFactor})`);
  return {
    type: 'llama3',
    factor: own.number('factor', FACTOR),
    lowFreqFactor,
    highFreqFactor,
    originalMaxContext: own.number('original_max_position_embeddings', { ...CONTEXT, fallback: maxPositions }),
  };
}

/** How much longer rotations spread attention out: 0.1 · m · ln factor + 1 (YaRN, https://arxiv.org/abs/2309.00071, §3.4). */
function magnitude(factor: number, scale = 1): number {
  return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
}

/**
 * The factor is taken as it is written, as vLLM, llama.cpp and the models' own guides mean it; transformers before 5 took
 * max_position_embeddings / original_max_position_embeddings instead.
 */
function yarn(own: Fields, { maxPositions }: RopeContext): RopeScaling {
  const factor = own.number('factor', FACTOR);
  const optional = (name: string, rule: { min: number; max: number }) =>
    (own.raw(name) ?? null) === null ? undefined : own.number(name, rule);
  const scale = optional('mscale', { min: 0, max: 100 });
  const scaleAll = optional('mscale_all_dim', { min: 0, max: 100 });
  const made = scale && scaleAll ? magnitude(factor, scale) / magnitude(factor, scaleAll) : magnitude(factor);
  const betaSlow = own.number('beta_slow', { min: 1e-3, max: 1e4, fallback: 1 });
  return {
    type: 'yarn',
    factor,
    originalMaxContext: own.number('original_max_position_embeddings', { ...CONTEXT, fallback: maxPositions }),
    betaFast: own.number('beta_fast', { min: betaSlow, max: 1e4, fallback: Math.max(32, betaSlow) }),
    betaSlow,
    truncate: own.boolean('truncate', true),
    attentionFactor: optional('attention_factor', { min: 1e-3, max: 1e3 }) ?? made,
  };
}

function longrope(own: Fields, fields: Fields, { rotaryDim, maxPositions }: RopeContext): RopeScaling {
  const factors = (name: string): number[] => {
    const value = own.raw(name);
    const positive = (one: unknown) => typeof one === 'number' && one > 0 && one < 1e6;
    if (!Array.isArray(value) || value.length !== rotaryDim / 2 || !value.every(positive)) {
      throw own.error(name, `a list of ${rotaryDim / 2} numbers above 0`);
    }
    return value as number[];
  };
  // Phi-3 keeps the original context beside rope_scaling, others within it.
  const within = (own.raw('original_max_position_embeddings') ?? null) !== null;
  const originalMaxContext = (within ? own : fields).number('original_max_position_embeddings', {
    ...CONTEXT,
    fallback: maxPositions,
  });
  // Phi-3's ratio of contexts goes before a factor that is written out.
  const ratio = maxPositions / originalMaxContext;
  const factor = within && own.raw('factor') !== undefined ? own.number('factor', FACTOR) : ratio;
  const made = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalMaxContext));
  return {
    type: 'longrope',
    shortFactors: factors('short_factor'),
    longFactors: factors('long_factor'),
    originalMaxContext,
    attentionFactor: own.number('attention_factor', { min: 1e-3, max: 1e3, fallback: made }),
  };
}

/** `rope_scaling` as `ropeScalingOf` reads it back. */
export function ropeScalingJson(scaling: RopeScaling | null): JsonObject | null {
  if (!scaling) return null;
  const { type } = scaling;
  switch (type) {
    case 'linear':
      return { rope_type: type, factor: scaling.factor };
    case 'llama3':
      return {
        rope_type: type,
        factor: scaling.factor,
        low_freq_factor: scaling.lowFreqFactor,
        high_freq_factor: scaling.highFreqFactor,
        original_max_position_embeddings: scaling.originalMaxContext,
      };
    case 'yarn':
      return {
        rope_type: type,
        factor: scaling.factor,
        original_max_position_embeddings: scaling.originalMaxContext,
        beta_fast: scaling.betaFast,
        beta_slow: scaling.betaSlow,
        truncate: scaling.truncate,
        attention_factor: scaling.attentionFactor,
      };
    case 'longrope':
      return {
        rope_type: type,
        short_factor: scaling.shortFactors,
        long_factor: scaling.longFactors,
        original_max_position_embeddings: scaling.originalMaxContext,
        attention_factor: scaling.attentionFactor,
      };
  }
}
