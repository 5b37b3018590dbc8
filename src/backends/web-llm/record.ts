/** web-llm's own description of a model, and what its configuration tells. */
import type { ModelRecord } from '@mlc-ai/web-llm';
import type { CheckpointSource } from '../../checkpoint/index.ts';
import { kvElements, type ModelShape } from '../../cost/shapes.ts';
import { isReckonError, ReckonError } from '../../errors.ts';
import type { WebLlm } from './package.ts';

/** @throws ReckonError `bad-option` naming those that come near. */
export function recordOf(webLlm: WebLlm, id: string): ModelRecord {
  const list = webLlm.prebuiltAppConfig.model_list;
  const wanted = id.toLowerCase();
  const found = list.find(({ model_id, model }) => {
    return model_id.toLowerCase() === wanted || model.toLowerCase().endsWith(`/${wanted}`);
  });
  if (found) return found;
  const near = list.filter(({ model_id }) => model_id.toLowerCase().includes(wanted.split('-')[0] ?? wanted));
  throw new ReckonError('bad-option', `web-llm has no model ${JSON.stringify(id.slice(0, 120))}.`, {
    hint:
      near.length > 0
        ? `Near it: ${near
            .slice(0, 8)
            .map(({ model_id }) => model_id)
            .join(', ')}.`
        : 'See its prebuiltAppConfig.',
    details: { model: id.slice(0, 120) },
  });
}

/** Where the files of a record lie: web-llm adds the path of the hub to addresses that have none. */
export function baseOf({ model }: ModelRecord): string {
  const base = model.endsWith('/') ? model : `${model}/`;
  return base.includes('/resolve/') ? base : `${base}resolve/main/`;
}

export interface MlcFacts {
  readonly architecture: string;
  /** As far as the configuration tells it: what it does not is NaN. */
  readonly shape: ModelShape;
  /** KV bytes of a token at two bytes an element; 0 where the configuration does not tell. */
  readonly bytesPerToken: number;
  readonly stopTokens: readonly number[];
}

const numberOf = (value: unknown): number | undefined => (typeof value === 'number' && value > 0 ? value : undefined);

function shapeOf(name: string, config: Record<string, unknown>): ModelShape {
  const size = (field: string) => numberOf(config[field]) ?? Number.NaN;
  const [hiddenSize, heads] = [size('hidden_size'), size('num_attention_heads')];
  return {
    name,
    layers: size('num_hidden_layers'),
    hiddenSize,
    intermediateSize: size('intermediate_size'),
    heads,
    kvHeads: numberOf(config.num_key_value_heads) ?? heads,
    headDim: numberOf(config.head_dim) ?? hiddenSize / heads,
    vocabSize: size('vocab_size'),
    tiedEmbeddings: config.tie_word_embeddings === true,
    qkNorm: false,
    qkvBias: config.attention_bias === true,
    maxContext: size('context_window_size'),
  };
}

/**
 * Reads `mlc-chat-config.json`.
 * @throws ReckonError `network`, `bad-checkpoint`.
 */
export async function readFacts(source: CheckpointSource, signal: AbortSignal | undefined): Promise<MlcFacts> {
  const text = await source.text('mlc-chat-config.json', signal ? { signal } : {});
  let config: Record<string, unknown>;
  try {
    config = JSON.parse(text) as Record<string, unknown>;
    if (typeof config !== 'object' || config === null) throw new TypeError('It is no object.');
  } catch (cause) {
    if (isReckonError(cause)) throw cause;
    throw new ReckonError('bad-checkpoint', `mlc-chat-config.json of ${source.name} is not JSON.`, { cause });
  }
  const shape = shapeOf(source.name, (config.model_config ?? {}) as Record<string, unknown>);
  const bytes = 2 * kvElements(shape);
  const template = (config.conv_template ?? {}) as { stop_token_ids?: unknown };
  const ends = [template.stop_token_ids, config.eos_token_id].flat().filter((id): id is number => Number.isInteger(id));
  return {
    architecture: typeof config.model_type === 'string' ? config.model_type : 'unknown',
    shape,
    bytesPerToken: Number.isFinite(bytes) ? bytes : 0,
    stopTokens: [...new Set(ends)],
  };
}
