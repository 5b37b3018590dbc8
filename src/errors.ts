/**
 * Every error Reckon throws on purpose. Each says what was wrong, where, and what to do about it, and carries a
 * stable `code` so that programs can react without reading English.
 */
export type ReckonErrorCode =
  | 'no-webgpu'
  | 'no-adapter'
  | 'device-lost'
  | 'gpu-validation'
  | 'gpu-out-of-memory'
  | 'limit-exceeded'
  | 'bad-checkpoint'
  | 'unknown-architecture'
  | 'bad-tokenizer'
  | 'network'
  /** The server wants a token, or a better one. */
  | 'access-denied'
  /** What arrived, twice, is not what its publisher says it is. */
  | 'corrupt-download'
  /** The place where models are kept: full, in use by another, unreadable. */
  | 'storage'
  | 'over-capacity'
  | 'lane-busy'
  | 'lane-disposed'
  | 'bad-option'
  | 'bad-problem'
  /** A lane's journal that is damaged, or of another model, revision or precision. */
  | 'bad-journal'
  /** This engine lacks what was asked for; `details.feature` names it. */
  | 'unsupported'
  | 'aborted'
  | 'internal';

export interface ReckonErrorOptions {
  /** What the reader can do about it, as a full sentence. */
  hint?: string;
  /** Facts a program may want (names, sizes, limits). Plain data: it crosses the worker boundary. */
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** Base of all errors thrown on purpose. `message` reads "what was wrong, where. What to do." */
export class ReckonError extends Error {
  readonly code: ReckonErrorCode;
  readonly hint: string | undefined;
  readonly details: Record<string, unknown>;

  constructor(code: ReckonErrorCode, message: string, options: ReckonErrorOptions = {}) {
    const text = options.hint ? `${message} ${options.hint}` : message;
    super(text, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ReckonError';
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}

/** True for a `ReckonError`, also one that crossed a worker boundary and lost its prototype. */
export function isReckonError(error: unknown, code?: ReckonErrorCode): error is ReckonError {
  if (!(error instanceof Error) || !('code' in error) || error.name !== 'ReckonError') return false;
  return code === undefined || error.code === code;
}

/**
 * The refusal of what an engine does not have.
 * @param feature as the engine's `lacks` names it.
 * @param what in words, behind "has no way of".
 */
export function unsupportedError(engine: string, feature: string, what: string): ReckonError {
  return new ReckonError('unsupported', `${engine} has no way of ${what}.`, {
    hint: "Leave it out, or load a model that Reckon's own decoder knows.",
    details: { engine, feature },
  });
}

/** The error for a run that its own `AbortSignal` ended. */
export function abortedError(what: string, signal?: AbortSignal): ReckonError {
  return new ReckonError('aborted', `${what} was aborted.`, { cause: signal?.reason });
}

/** Throws the typed abort error when `signal` has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw abortedError(what, signal);
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/**
 * Checks one numeric setting.
 * @returns the value, so that checks read as assignments.
 * @throws ReckonError `bad-option` naming the setting, the value and the range.
 */
export function checkNumber(
  name: string,
  value: unknown,
  range: { min: number; max?: number; integer?: boolean; exclusiveMin?: boolean },
): number {
  const { min, max = Number.POSITIVE_INFINITY, integer = false, exclusiveMin = false } = range;
  const ok =
    typeof value === 'number' &&
    !Number.isNaN(value) &&
    (exclusiveMin ? value > min : value >= min) &&
    value <= max &&
    (!integer || Number.isInteger(value));
  if (ok) return value;
  const kind = integer ? 'a whole number' : 'a number';
  const low = exclusiveMin ? `above ${min}` : `at least ${min}`;
  const high = max === Number.POSITIVE_INFINITY ? '' : ` and at most ${max}`;
  throw new ReckonError('bad-option', `${name} is ${shown(value)}; it must be ${kind} ${low}${high}.`, {
    details: { name, value },
  });
}
