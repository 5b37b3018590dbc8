/** Errors as a reader needs them: what happened, why, and what to do. */
import { KV_PRECISIONS, type KvPrecision } from '../src/cost/shapes.ts';
import { isReckonError, type ReckonErrorCode } from '../src/errors.ts';

export interface Trouble {
  readonly what: string;
  readonly why: string;
  readonly todo: string;
  /** The engine is gone; only loading again brings it back. */
  readonly reload: boolean;
  /** A precision of the KV in which more would fit. */
  readonly smallerKv?: KvPrecision;
}

const BROWSERS =
  'Use a current Chrome, Edge or Opera, Safari 26 or later, or Firefox 141 or later on Windows (145 on a Mac with Apple silicon).';
const LINUX =
  'In Chrome on Linux, WebGPU may have to be switched on: open chrome://flags/#enable-unsafe-webgpu, choose Enabled and restart.';

/** Why there is no WebGPU at all, before any worker is started; null where there is. */
export function missingWebGpu(scope: { isSecureContext: boolean; hasGpu: boolean; platform: string }): Trouble | null {
  if (scope.hasGpu) return null;
  const what = 'This page cannot run here: the browser offers no WebGPU.';
  if (!scope.isSecureContext) {
    return {
      what,
      why: 'Browsers offer WebGPU only to pages from https:// or from this computer itself, and this page came over plain http://.',
      todo: 'Open it as http://localhost, or serve it over https.',
      reload: false,
    };
  }
  const why =
    'Reckon computes on the graphics processor, which a page reaches through WebGPU; this browser lacks it or has it switched off.';
  return { what, why, todo: /linux/i.test(scope.platform) ? `${BROWSERS} ${LINUX}` : BROWSERS, reload: false };
}

const WHAT: Partial<Record<ReckonErrorCode, string>> = {
  'no-webgpu': 'This page cannot run here: the browser offers no WebGPU.',
  'no-adapter': 'The browser has WebGPU, but found no graphics processor for it.',
  'device-lost': 'The connection to the graphics processor was lost.',
  'gpu-out-of-memory': 'The graphics processor ran out of memory.',
  'gpu-validation': 'The graphics driver refused a step of the computation.',
  'bad-checkpoint': "The model's files cannot be read.",
  'unknown-architecture': 'The model is of a kind that Reckon does not know.',
  'bad-tokenizer': "The model's vocabulary cannot be read.",
  network: "The model's files could not be fetched.",
  'access-denied': 'The model is not open to everyone.',
  'corrupt-download': 'What arrived is not what its publisher says it is.',
  storage: 'The model could not be kept on this device.',
  unsupported: 'This model runs in an engine that cannot do that.',
  'over-capacity': 'The run does not fit.',
  'limit-exceeded': 'The run is larger than this graphics processor allows.',
  'bad-option': 'A setting is out of range.',
  'bad-problem': 'The puzzle cannot be posed.',
  'bad-journal': 'What was saved of a chain of thought cannot be taken up again.',
};

const REMEDY: Partial<Record<ReckonErrorCode, string>> = {
  'no-webgpu': BROWSERS,
  'no-adapter': `Update the graphics driver, or switch hardware acceleration on in the browser's settings. ${LINUX}`,
  'device-lost': 'Load the model again. Everything shown so far stays on the page.',
  'gpu-out-of-memory':
    'Use fewer lanes or a shorter thinking limit, close other pages that use graphics, and load again.',
  'access-denied': 'Accept its licence on its page, then give an access token below the field for its name.',
  'over-capacity': 'Use fewer lanes or a shorter thinking limit.',
};

const SERVED = 'Check that the page is still being served, then load again.';

/** Whether an address is one of the page's own; what is not told is. */
function isOwn(url: unknown): boolean {
  const { location } = globalThis;
  if (typeof url !== 'string' || !location || !URL.canParse(url)) return true;
  return new URL(url).origin === location.origin;
}

/** After these the engine cannot be used any more. */
const FATAL = new Set<ReckonErrorCode>(['device-lost', 'gpu-out-of-memory', 'gpu-validation', 'internal']);

/**
 * An error as a reader needs it.
 * @param during whether a model was being loaded or a run was under way.
 */
export function explain(error: unknown, during: 'load' | 'run'): Trouble {
  const fallback = during === 'load' ? 'The model could not be loaded.' : 'The run ended with an error.';
  if (!isReckonError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    return { what: fallback, why: message, todo: 'Load the model again.', reload: true };
  }
  const reload = during === 'load' ? error.code !== 'no-webgpu' : FATAL.has(error.code);
  const hint = error.hint;
  const why = hint && error.message.endsWith(hint) ? error.message.slice(0, -hint.length).trim() : error.message;
  const served = error.code === 'network' && isOwn(error.details.url) ? SERVED : undefined;
  const todo =
    served ?? REMEDY[error.code] ?? hint ?? (reload ? 'Load the model again.' : 'Change the settings and run again.');
  const smallerKv = KV_PRECISIONS.find((kv) => kv === error.details.smallerKv);
  return { what: WHAT[error.code] ?? fallback, why, todo, reload, ...(smallerKv ? { smallerKv } : {}) };
}
