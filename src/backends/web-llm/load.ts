/** Loads a model into web-llm and gives it Reckon's face. */
import type { ModelRecord } from '@mlc-ai/web-llm';
import { chatCompletions } from '../../api/chat.ts';
import { textCodec } from '../../api/codec.ts';
import { promptOf } from '../../api/load-model.ts';
import { reason } from '../../api/reason.ts';
import type { Reasoner } from '../../api/request.ts';
import type { LoadOptions, Model, ModelInfo, ReasonRequest } from '../../api/types.ts';
import { findModel } from '../../catalogue/index.ts';
import { urlSource } from '../../checkpoint/index.ts';
import { parameterCounts } from '../../cost/shapes.ts';
import { checkNumber } from '../../errors.ts';
import { detectDialect, loadChatTemplate, loadTokenizer } from '../../text/index.ts';
import { SequenceEngine } from '../sequence/engine.ts';
import { adapterProfile } from './adapter.ts';
import { openDriver } from './driver.ts';
import { loadPackage } from './package.ts';
import { baseOf, readFacts, recordOf } from './record.ts';

export interface WebLlmOptions extends LoadOptions {
  /** A model that web-llm's own list does not have: its files and its compiled library. */
  record?: ModelRecord;
}

const CONTEXT = 4096;

/**
 * Loads one of web-llm's models. Of the options `maxContext`, `onProgress` and `signal` count; the others mean nothing here.
 * Lanes take turns, nobody counts FLOPs and bytes, and attention is dense: `engine.lacks` says so.
 * @param model an id of web-llm's, or its repository.
 * @throws ReckonError `unsupported` without the package; `bad-option`, `network`, `no-webgpu`, `limit-exceeded`, `aborted` …
 */
export async function loadWebLlm(model: string, options: WebLlmOptions = {}): Promise<Model> {
  const { signal, onProgress } = options;
  onProgress?.({ phase: 'configuration', loaded: 0, total: 0 });
  const webLlm = await loadPackage();
  const record = options.record ?? recordOf(webLlm, model);
  const source = urlSource(baseOf(record));
  const read = signal ? { signal } : {};
  const facts = await readFacts(source, signal);
  const [tokenizer, chat, device] = await Promise.all([
    loadTokenizer(source, read),
    loadChatTemplate(source, read),
    adapterProfile(),
  ]);
  const most = record.overrides?.context_window_size ?? CONTEXT;
  const context = checkNumber('maxContext', options.maxContext ?? most, { min: 2, max: most, integer: true });
  const entry = findModel(record.model_id);
  const total = entry?.downloadBytes ?? 0;
  const driver = await openDriver(webLlm, {
    record,
    context,
    bytesPerToken: facts.bytesPerToken,
    signal,
    onProgress: ({ progress }) => onProgress?.({ phase: 'weights', loaded: Math.round(progress * total), total }),
  });
  const dialect = detectDialect(chat, tokenizer);
  const engine = new SequenceEngine({
    driver,
    codec: textCodec(tokenizer, dialect),
    stopTokens: facts.stopTokens,
    device,
  });
  const info: Omit<ModelInfo, 'capacity'> = {
    name: record.model_id,
    backend: 'web-llm',
    architecture: facts.architecture,
    parameters: entry?.shape ? parameterCounts(entry.shape).total : Number.NaN,
    weightBytes: entry?.downloadBytes ?? Number.NaN,
    precision: { weights: /-q[34]f/.test(record.model_id) ? 'int4' : 'f16', kv: 'f16' },
    vocabulary: driver.vocabulary,
    layers: facts.shape.layers,
    shape: { ...(entry?.shape ?? facts.shape), name: record.model_id },
    maxContext: context,
    device,
  };
  const reasoner: Reasoner = {
    engine,
    dialect,
    sampling: {},
    prompt: (messages, enableThinking) => promptOf(messages, chat, tokenizer, dialect, enableThinking),
  };
  const run = (request: ReasonRequest) => reason(reasoner, request);
  onProgress?.({ phase: 'ready', loaded: total, total });
  return {
    get info() {
      return { ...info, capacity: engine.capacity };
    },
    engine,
    chat: { completions: chatCompletions(info.name, run) },
    reason: run,
    dispose: () => engine.dispose(),
  };
}
