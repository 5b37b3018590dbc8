/** The package `@mlc-ai/web-llm`, which is fetched only when it is wanted, and its errors in Reckon's words. */
import { isReckonError, ReckonError, type ReckonErrorCode } from '../../errors.ts';

export type WebLlm = typeof import('@mlc-ai/web-llm');

/** @throws ReckonError `unsupported` where it is not installed. */
export async function loadPackage(): Promise<WebLlm> {
  try {
    return await import('@mlc-ai/web-llm');
  } catch (cause) {
    throw new ReckonError('unsupported', 'The package @mlc-ai/web-llm could not be loaded.', {
      hint: 'Install it beside Reckon: npm install @mlc-ai/web-llm.',
      details: { feature: 'web-llm' },
      cause,
    });
  }
}

/** By the names of its error classes; minifiers leave them, since each sets its own. */
const CODES: Readonly<Record<string, ReckonErrorCode>> = {
  ModelNotFoundError: 'bad-option',
  WebGPUNotAvailableError: 'no-webgpu',
  WebGPUNotFoundError: 'no-webgpu',
  ShaderF16SupportError: 'limit-exceeded',
  FeatureSupportError: 'limit-exceeded',
  DeviceLostError: 'device-lost',
  ContextWindowSizeExceededError: 'over-capacity',
  ModelNotLoadedError: 'device-lost',
  MissingModelWasmError: 'bad-checkpoint',
  IntegrityError: 'corrupt-download',
  ArtifactManifestError: 'bad-checkpoint',
  UnsupportedTokenizerFilesError: 'bad-tokenizer',
};

const HINTS: Partial<Record<ReckonErrorCode, string>> = {
  'limit-exceeded': 'Choose its q4f32_1 variant, which needs no 16-bit arithmetic.',
  'device-lost': 'Load the model again.',
  network: 'Check the connection and try again.',
};

/**
 * What web-llm threw, typed.
 * @param doing in words, for the message: "loading X".
 */
export function typedError(error: unknown, doing: string): ReckonError {
  if (isReckonError(error)) return error;
  const { name = '', message = String(error) } = error instanceof Error ? error : {};
  const offline = /fetch|network|cache\.add|status code/i.test(message);
  const code = CODES[name] ?? (offline ? 'network' : 'internal');
  const hint = HINTS[code];
  return new ReckonError(code, `web-llm failed at ${doing}: ${message.replace(/\.?\s*$/, '')}.`, {
    ...(hint === undefined ? {} : { hint }),
    details: { backend: 'web-llm', name },
    cause: error,
  });
}
