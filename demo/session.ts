/** The engine's life as a page sees it: one worker, one model, loaded, ready, lost, loaded again. */
import type { LoadOptions, LoadProgress, Model, ModelInfo, ModelSource } from '../src/api/types.ts';
import type { KvPrecision } from '../src/cost/shapes.ts';
import { isReckonError } from '../src/errors.ts';
import { connectWorker } from '../src/worker/client.ts';
import { choiceName, DEFAULT_CHOICE, type ModelChoice, referenceOf } from './models/choice.ts';
import { explain, missingWebGpu, type Trouble } from './trouble.ts';

export type ModelState =
  | { readonly phase: 'loading'; readonly progress: LoadProgress | null }
  | { readonly phase: 'ready'; readonly info: ModelInfo }
  /** It was ready once, and is no more. */
  | { readonly phase: 'lost'; readonly info: ModelInfo; readonly trouble: Trouble }
  | { readonly phase: 'failed'; readonly trouble: Trouble };

interface Loaded {
  readonly model: Model;
  /** Rejects when the worker dies, which nothing else would tell. */
  readonly died: Promise<never>;
}

/** How a choice is to be loaded, beyond what is the same for all. */
export type ChoiceOptions = Pick<LoadOptions, 'precision' | 'quantize' | 'kvBytes' | 'maxLanes'>;

export class Session {
  readonly #changed: (state: ModelState) => void;
  #choice: ModelChoice = DEFAULT_CHOICE;
  #options: ChoiceOptions = {};
  #state: ModelState = { phase: 'loading', progress: null };
  #worker: Worker | null = null;
  #loaded: Loaded | null = null;

  /** @param changed called with each new state. */
  constructor(changed: (state: ModelState) => void) {
    this.#changed = changed;
  }

  /** Name of what is loaded or being loaded. */
  get name(): string {
    return choiceName(this.#choice);
  }

  /** Another model instead of the one there is. */
  async choose(choice: ModelChoice, options: ChoiceOptions = {}): Promise<void> {
    this.#choice = choice;
    this.#options = options;
    await this.load();
  }

  /** The same model, with its KV in another precision. */
  async keepKvIn(kv: KvPrecision): Promise<void> {
    await this.choose(this.#choice, { ...this.#options, precision: { ...this.#options.precision, kv } });
  }

  get loaded(): Loaded | null {
    return this.#loaded;
  }

  /** Starts a fresh worker and loads the chosen model into it. Never rejects: what went wrong is the state. */
  async load(): Promise<void> {
    this.dispose();
    const missing = missingWebGpu({
      isSecureContext,
      hasGpu: 'gpu' in navigator && Boolean(navigator.gpu),
      platform: navigator.userAgent,
    });
    if (missing) return this.#set({ phase: 'failed', trouble: missing });
    this.#set({ phase: 'loading', progress: null });
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'reckon' });
    this.#worker = worker;
    const died = new Promise<never>((_, reject) => {
      worker.onerror = (event) => reject(new Error(event.message || "The engine's worker could not be started."));
    });
    died.catch((error) => {
      if (this.#worker === worker) this.fail(error);
    });
    try {
      const onProgress = (progress: LoadProgress) => {
        if (this.#worker === worker && !this.#loaded) this.#set({ phase: 'loading', progress });
      };
      const model = await Promise.race([
        connectWorker(worker).loadModel(sourceOf(this.#choice), {
          onProgress,
          calibrate: true,
          ...this.#options,
          ...(this.#choice.kind === 'web-llm' ? { backend: 'web-llm' } : {}),
        }),
        died,
      ]);
      if (this.#worker !== worker) return;
      this.#loaded = { model, died };
      this.#set({ phase: 'ready', info: model.info });
    } catch (error) {
      if (this.#worker === worker) this.fail(error);
    }
  }

  /** Takes note of an error of the engine. True when it ended the engine, false when the model can go on. */
  fail(error: unknown): boolean {
    const state = this.#state;
    if (state.phase === 'ready') {
      const trouble = explain(error, 'run');
      if (!trouble.reload) return false;
      this.dispose();
      this.#set({ phase: 'lost', info: state.info, trouble });
    } else if (state.phase === 'loading') {
      if (isReckonError(error, 'aborted')) return true;
      this.dispose();
      this.#set({ phase: 'failed', trouble: explain(error, 'load') });
    }
    return true;
  }

  dispose(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#loaded = null;
  }

  #set(state: ModelState): void {
    this.#state = state;
    this.#changed(state);
  }
}

/** What the engine is given for a choice. */
function sourceOf(choice: ModelChoice): ModelSource {
  switch (choice.kind) {
    case 'embedded':
      return new URL(choice.path, document.baseURI);
    case 'files':
      return choice.files;
    case 'remote':
      return referenceOf(choice.origin);
    case 'web-llm':
      return choice.id;
  }
}
