/** What crosses the worker boundary: plain data, and errors with their codes. */

import type { LoadOptions, LoadProgress, ModelInfo, ReasonRequest } from '../api/types.ts';
import type {
  DownloadOptions,
  DownloadProgress,
  ModelOrigin,
  RepositoryReference,
  StorageSpace,
  StoredModel,
} from '../checkpoint/index.ts';
import { ReckonError, type ReckonErrorCode } from '../errors.ts';
import type { Answer, ReasoningEvent } from '../strategies/types.ts';

/** A result or an error. Structured clone would keep an error's message and lose its code. */
export type Outcome<T> = { ok: true; value: T } | { ok: false; error: PlainError };

export interface PlainError {
  code: ReckonErrorCode;
  /** Without the hint. */
  message: string;
  hint: string | null;
  details: Record<string, unknown>;
}

/** The load options that can be sent; progress and abort have ways of their own. */
export type SentLoadOptions = Omit<LoadOptions, 'onProgress' | 'signal' | 'gpu'>;
/** A request without its signal. */
export type SentRequest = Omit<ReasonRequest, 'signal'>;

/** What names a stored model, as plain data. */
export type SentModel = string | RepositoryReference | ModelOrigin | StoredModel;

/** The store's part of the worker's face. */
export interface StoreHost {
  storedModels(): Promise<Outcome<StoredModel[]>>;
  storageSpace(): Promise<Outcome<StorageSpace>>;
  deleteModel(model: SentModel): Promise<Outcome<void>>;
  verifyModel(id: number, model: SentModel): Promise<Outcome<string[]>>;
  downloadModel(
    id: number,
    model: string | RepositoryReference | ModelOrigin,
    options: Omit<DownloadOptions, 'signal' | 'onProgress'>,
    onProgress: (progress: DownloadProgress) => void,
  ): Promise<Outcome<StoredModel>>;
}

/** The worker's face. Ids are the caller's: they name what `abort` ends. */
export interface WorkerHost extends StoreHost {
  load(
    id: number,
    source: string | File[] | RepositoryReference | ModelOrigin,
    options: SentLoadOptions,
    onProgress: (progress: LoadProgress) => void,
  ): Promise<Outcome<ModelInfo>>;
  /** Events arrive in batches, in order; the outcome is sent when the last of them has been taken. */
  reason(
    id: number,
    model: number,
    request: SentRequest,
    onEvents: (events: ReasoningEvent[]) => void,
  ): Promise<Outcome<Answer>>;
  abort(id: number): void;
  dispose(model: number): void;
}

export function plainError(error: unknown): PlainError {
  if (error instanceof ReckonError) {
    const { code, message, hint, details } = error;
    const text = hint === undefined ? message : message.slice(0, -(hint.length + 1));
    return { code, message: text, hint: hint ?? null, details: cloneable(details) };
  }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error), hint: null, details: {} };
}

export function thrownError({ code, message, hint, details }: PlainError): ReckonError {
  return new ReckonError(code, message, { ...(hint === null ? {} : { hint }), details });
}

export async function outcomeOf<T>(work: () => Promise<T> | T): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, error: plainError(error) };
  }
}

export function unwrap<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw thrownError(outcome.error);
}

/** Details may hold what cannot be cloned; the message has said the essential. */
function cloneable(details: Record<string, unknown>): Record<string, unknown> {
  try {
    return structuredClone(details);
  } catch {
    return {};
  }
}
