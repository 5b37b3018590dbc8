/**
 * Reckon: a reasoning runtime for the browser's GPU. This is the package's door.
 *
 * @example
 * const model = await loadModel('https://…/my-model/');
 * const run = model.reason({ prompt: 'Use 3 5 7 to make 22.', strategy: { name: 'best-of-n', n: 8 } });
 * for await (const event of run) if (event.type === 'token') show(event.lane, event.text);
 * console.log((await run.result).text);
 */
export type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionMessageParam,
  ChatCompletionRequest,
  ChatCompletions,
  CompletionUsage,
} from './api/chat-types.ts';
export { type Inspection, type InspectOptions, inspectEntry, inspectSource } from './api/inspect.ts';
export { type LoadedModel, loadModel } from './api/load-model.ts';
export { sourceOf } from './api/source.ts';
export { keepOnThisDevice, openModelStore } from './api/store.ts';
export type {
  ChatMessage,
  LoadOptions,
  LoadProgress,
  Model,
  ModelInfo,
  ModelSource,
  ReasonRequest,
  ReasonRun,
} from './api/types.ts';
export { type CatalogueModel, type FitDevice, MODELS as catalogue, type StorageRoom } from './catalogue/index.ts';
export type {
  CheckpointSource,
  DownloadOptions,
  DownloadProgress,
  ModelStore,
  RepositoryReference,
  StorageSpace,
  StoredModel,
} from './checkpoint/index.ts';
export type { RunAccount } from './cost/account.ts';
export type { DeviceCalibration } from './cost/calibrate.ts';
export type {
  AttentionPolicy,
  DeviceProfile,
  Engine,
  FinishReason,
  GenerateOptions,
  Generation,
  KvCapacity,
  Lane,
  LaneJournal,
  Ledger,
  LedgerSnapshot,
  Sampling,
  TokenEvent,
  TokenIds,
} from './engine/types.ts';
export { isReckonError, ReckonError, type ReckonErrorCode } from './errors.ts';
export { COST_CLASSES, type Cost, type CostByClass, type CostClass } from './ledger/cost.ts';
export type { Budget } from './strategies/budget.ts';
export { runStrategy, strategies } from './strategies/index.ts';
export type {
  Answer,
  Candidate,
  ReasoningEvent,
  Strategy,
  StrategyContext,
  ThinkingDialect,
} from './strategies/types.ts';
export { type Problem, problemFromText, type Task, taskById, tasks, type Verdict } from './tasks/index.ts';
export { connectWorker, type WorkerConnection, type WorkerStore } from './worker/client.ts';
