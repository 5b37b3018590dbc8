/** `reckon/server`: models on OpenAI-compatible servers (vLLM, llama.cpp's), behind Reckon's face. */
import { chatCompletions } from '../../api/chat.ts';
import { textCodec } from '../../api/codec.ts';
import { promptOf } from '../../api/load-model.ts';
import { reason } from '../../api/reason.ts';
import type { Reasoner } from '../../api/request.ts';
import { sourceOf } from '../../api/source.ts';
import type { Model, ModelSource, ReasonRequest } from '../../api/types.ts';
import { parameterCount, readGenerationDefaults, readModelConfig } from '../../checkpoint/index.ts';
import { shapeOf } from '../../cost/shapes.ts';
import { checkNumber, ReckonError } from '../../errors.ts';
import { detectDialect, loadChatTemplate, loadTokenizer } from '../../text/index.ts';
import { CompletionsClient } from './client.ts';
import { ServerEngine } from './engine.ts';

export interface ServerOptions {
  /**
   * Where the model's text files are (`config.json`, `tokenizer.json`, `tokenizer_config.json`, `generation_config.json`): its repository,
   * an address or a folder. Prompts go to the server as token ids, made here. No weights are read.
   */
  files: ModelSource;
  /** As the server names it. Default: the only one it has. */
  model?: string;
  /** The server's key. */
  token?: string;
  /** Longest lane. Default: what the server tells, or the model's own. */
  maxContext?: number;
  signal?: AbortSignal;
}

/**
 * A model on a server. Lanes are requests; FLOPs and bytes are not counted and attention is the server's (`engine.lacks`). `score` and
 * `choose` need a server that echoes prompts with log-probabilities, as vLLM does.
 * @param url where `v1/completions` is, with or without the `v1`.
 * @throws ReckonError `network`, `access-denied`, `bad-option`, `bad-checkpoint`, `bad-tokenizer`, `aborted`.
 */
export async function connectServer(url: string, options: ServerOptions): Promise<Model> {
  const { signal, token } = options;
  const read = signal ? { signal } : {};
  const client = new CompletionsClient(url, { token });
  const served = chosen(await client.models(signal), options.model, client.name);
  const source = await sourceOf(options.files, read);
  const config = await readModelConfig(source, read);
  const [tokenizer, chat] = await Promise.all([loadTokenizer(source, read), loadChatTemplate(source, read)]);
  const defaults = await readGenerationDefaults(source, config, tokenizer, read);
  const most = Math.min(served.maxContext ?? config.model.maxContext, config.model.maxContext);
  const maxContext = checkNumber('maxContext', options.maxContext ?? most, { min: 2, max: most, integer: true });
  const dialect = detectDialect(chat, tokenizer);
  const engine = new ServerEngine({
    client,
    model: served.id,
    codec: textCodec(tokenizer, dialect),
    stopTokens: defaults.stopTokens,
    vocabulary: config.model.vocabSize,
    maxContext,
  });
  const { temperature, topK, topP, minP, repetitionPenalty } = defaults;
  const reasoner: Reasoner = {
    engine,
    dialect,
    sampling: { temperature, topK, topP, minP, repetitionPenalty },
    prompt: (messages, enableThinking) => promptOf(messages, chat, tokenizer, dialect, enableThinking),
  };
  const run = (request: ReasonRequest) => reason(reasoner, request);
  const info = {
    name: served.id,
    backend: 'server' as const,
    architecture: config.model.architecture,
    parameters: parameterCount(config.model),
    weightBytes: Number.NaN,
    precision: { weights: 'f16', kv: 'f16' } as const,
    vocabulary: config.model.vocabSize,
    layers: config.model.layers,
    shape: shapeOf(config.model, served.id),
    maxContext,
    device: engine.device,
  };
  return {
    get info() {
      return { ...info, capacity: engine.capacity };
    },
    engine,
    chat: { completions: chatCompletions(served.id, run) },
    reason: run,
    dispose: () => engine.dispose(),
  };
}

function chosen(
  models: readonly { id: string; maxContext: number | null }[],
  name: string | undefined,
  server: string,
): { id: string; maxContext: number | null } {
  const found = name === undefined ? models[0] : models.find(({ id }) => id === name);
  if (found && (name !== undefined || models.length === 1)) return found;
  const there =
    models
      .map(({ id }) => id)
      .slice(0, 20)
      .join(', ') || 'none';
  throw new ReckonError(
    'bad-option',
    name === undefined ? `${server} has ${models.length} models.` : `${server} has no model ${JSON.stringify(name)}.`,
    {
      hint: `Name one of: ${there}.`,
      details: { server },
    },
  );
}
