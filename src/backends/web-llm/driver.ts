/**
 * web-llm's engine as one sequence. Its low-level call forwards token ids and then draws one; a logit processor sees the logits
 * before the draw, which is all that is wanted: the draw itself is thrown away, and lanes draw their own.
 */
import type { ChatOptions, InitProgressReport, LogitProcessor, MLCEngine, ModelRecord } from '@mlc-ai/web-llm';
import { abortedError, ReckonError, throwIfAborted } from '../../errors.ts';
import type { SequenceDriver } from '../sequence/driver.ts';
import { typedError, type WebLlm } from './package.ts';

export interface OpenOptions {
  readonly record: ModelRecord;
  /** Longest sequence, tokens. */
  readonly context: number;
  readonly bytesPerToken: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((report: InitProgressReport) => void) | undefined;
}

/** Settings of a draw that nobody uses: in range, and quick. */
const NEUTRAL: ChatOptions = {
  temperature: 1,
  top_p: 1,
  repetition_penalty: 1,
  frequency_penalty: 0,
  presence_penalty: 0,
};

/** Keeps the logits of the last forward pass. */
class Witness implements LogitProcessor {
  #seen: Float32Array | null = null;

  processLogits = (logits: Float32Array): Float32Array => {
    this.#seen = Float32Array.from(logits);
    return logits;
  };

  processSampledToken = (): void => {};

  resetState = (): void => {};

  /** @throws ReckonError `internal` when nothing was seen: the package has changed its ways. */
  take(): Float32Array {
    const seen = this.#seen;
    this.#seen = null;
    if (seen) return seen;
    throw new ReckonError('internal', 'web-llm forwarded tokens and showed no logits.', {
      hint: 'Use a version of @mlc-ai/web-llm that this version of Reckon names as its peer.',
    });
  }
}

/**
 * Loads a model into web-llm, which fetches and caches it in its own way.
 * @throws ReckonError `network`, `no-webgpu`, `limit-exceeded`, `device-lost`, `aborted`, `internal` …
 */
export async function openDriver(webLlm: WebLlm, options: OpenOptions): Promise<SequenceDriver> {
  const { record, context, bytesPerToken, signal, onProgress } = options;
  const id = record.model_id;
  const doing = `loading ${id}`;
  throwIfAborted(signal, doing);
  const witness = new Witness();
  const engine = new webLlm.MLCEngine({
    appConfig: { ...webLlm.prebuiltAppConfig, model_list: [record] },
    logitProcessorRegistry: new Map([[id, witness]]),
    logLevel: 'WARN',
    ...(onProgress ? { initProgressCallback: onProgress } : {}),
  });
  // Ends the fetching; there is nothing to wait for.
  const leave = () => void engine.unload().catch(() => {});
  signal?.addEventListener('abort', leave, { once: true });
  try {
    await engine.reload(id, { ...NEUTRAL, context_window_size: context });
    throwIfAborted(signal, doing);
    // One token tells how long rows of logits are: configurations have been known to say otherwise.
    await engine.forwardTokensAndSample([0], true);
    const vocabulary = witness.take().length;
    return driverOver(engine, witness, { vocabulary, maxContext: context, bytesPerToken });
  } catch (error) {
    leave();
    if (signal?.aborted) throw abortedError(doing, signal);
    throw typedError(error, doing);
  } finally {
    signal?.removeEventListener('abort', leave);
  }
}

function driverOver(
  engine: MLCEngine,
  witness: Witness,
  facts: Pick<SequenceDriver, 'vocabulary' | 'maxContext' | 'bytesPerToken'>,
): SequenceDriver {
  return {
    name: 'web-llm',
    ...facts,
    async reset() {
      await engine.resetChat().catch((error: unknown) => {
        throw typedError(error, 'starting a sequence');
      });
    },
    async forward(tokens) {
      try {
        await engine.forwardTokensAndSample([...tokens], tokens.length > 1);
      } catch (error) {
        throw typedError(error, `computing ${tokens.length} tokens`);
      }
      return witness.take();
    },
    dispose() {
      void engine.unload().catch(() => {});
    },
  };
}
