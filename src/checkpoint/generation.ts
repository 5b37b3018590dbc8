/** `generation_config.json`: how the model's makers mean it to be sampled, and which tokens end its turn. */
import type { ModelConfig } from './config.ts';
import { Fields, type JsonObject, parseJson } from './json.ts';

/** A model's own settings; each can be overridden per call. The meanings are those of `Sampling`. */
export interface GenerationDefaults {
  /** Ascending, without repetition. */
  readonly stopTokens: readonly number[];
  /** 0 when the makers ask for greedy decoding. */
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
}

/** Tokens that end a turn by convention, where a tokenizer has them. */
const END_TOKENS = [
  '<|im_end|>',
  '<|endoftext|>',
  '<|eot_id|>',
  '<|end_of_text|>',
  '</s>',
  '<|end|>',
  '<｜end▁of▁sentence｜>',
];

/** What a tokenizer knows of ends. */
export interface EndTokens {
  idOf(token: string): number | undefined;
  /** The token that its configuration names as the end. */
  readonly eos?: number | undefined;
}

/** `eos_token_id`: a number, a list, or nothing. */
function endIds(fields: Fields, vocabSize: number): number[] {
  const value = fields.raw('eos_token_id');
  const ids: unknown[] = value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];
  const ok = ids.every((id): id is number => Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabSize);
  if (!ok) throw fields.error('eos_token_id', `one or more token ids below ${vocabSize}`);
  return ids;
}

/**
 * @param generation `generation_config.json` as text or parsed; `undefined` where the checkpoint has none.
 * @param config `config.json` as text or parsed: older checkpoints keep the end token there.
 * @throws ReckonError `bad-checkpoint` naming the field that is out of range.
 */
export function parseGenerationDefaults(
  generation: string | JsonObject | undefined,
  config: { readonly model: Pick<ModelConfig, 'vocabSize'>; readonly json: string | JsonObject },
  tokenizer: EndTokens,
): GenerationDefaults {
  const file = 'generation_config.json';
  const fields = new Fields(typeof generation === 'string' ? parseJson(generation, file) : (generation ?? {}), file);
  const own = new Fields(
    typeof config.json === 'string' ? parseJson(config.json, 'config.json') : config.json,
    'config.json',
  );
  const { vocabSize } = config.model;
  const stops = new Set([...endIds(fields, vocabSize), ...endIds(own, vocabSize)]);
  for (const id of [tokenizer.eos, ...END_TOKENS.map((token) => tokenizer.idOf(token))]) {
    if (id !== undefined && id < vocabSize) stops.add(id);
  }
  const temperature = fields.number('temperature', { min: 0, max: 100, fallback: 1 });
  return {
    stopTokens: [...stops].sort((a, b) => a - b),
    temperature: fields.boolean('do_sample', true) ? temperature : 0,
    topK: fields.number('top_k', { min: 0, max: 1 << 24, integer: true, fallback: 0 }),
    topP: fields.number('top_p', { min: 0, max: 1, fallback: 1 }),
    minP: fields.number('min_p', { min: 0, max: 1, fallback: 0 }),
    repetitionPenalty: fields.number('repetition_penalty', { min: 0.01, max: 100, fallback: 1 }),
  };
}
