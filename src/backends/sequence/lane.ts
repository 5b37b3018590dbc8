/** A lane over a backend that has one sequence: it keeps its tokens, and has them computed when it is asked for something. */
import type {
  FinishReason,
  GenerateOptions,
  Generation,
  Lane,
  LaneJournal,
  TokenEvent,
  TokenIds,
} from '../../engine/types.ts';
import type { ReckonError } from '../../errors.ts';
import { resolveSampling } from '../../kernels/sample.ts';
import { drawToken, logProbabilities } from './draw.ts';
import type { SequenceEngine } from './engine.ts';
import { TokenLane } from './token-lane.ts';

export class SequenceLane extends TokenLane<SequenceEngine> implements Lane {
  /** Rejects what it is doing when it is disposed. */
  #drop: (error: ReckonError) => void = () => {};

  generate(options: GenerateOptions = {}): Generation {
    this.started('generate');
    const { engine } = this;
    const count = this.mostOf(options.maxTokens);
    const settings = {
      sampling: resolveSampling(options, engine.vocabulary),
      count,
      stops: options.stopTokens ? new Set(engine.tokensOf(options.stopTokens)) : engine.stopTokens,
      text: engine.textSink(options.stopStrings ?? []),
      signal: options.signal,
    };
    return this.#generate(settings);
  }

  async *#generate(settings: {
    sampling: ReturnType<typeof resolveSampling>;
    count: number;
    stops: ReadonlySet<number>;
    text: ReturnType<SequenceEngine['textSink']>;
    signal: AbortSignal | undefined;
  }): AsyncGenerator<TokenEvent, FinishReason, undefined> {
    const { sampling, count, stops, text, signal } = settings;
    this.ready('generate');
    this.busy = true;
    try {
      for (let left = count; left > 0; left--) {
        const logits = await this.#logits(this.held, signal);
        if (logits === null) return 'abort';
        const position = this.length;
        const { token, logprob } = drawToken(logits, sampling, this.held, position);
        this.ledger.addDraw();
        this.held.push(token);
        // A stop token ends the text; it is not part of it.
        const piece = stops.has(token) ? { text: text.flush(), stopped: true } : text.push(token);
        const shown = piece.stopped || left > 1 ? piece.text : piece.text + text.flush();
        yield { token, logprob, text: shown, position };
        if (piece.stopped) return 'stop';
      }
      return 'length';
    } finally {
      this.busy = false;
    }
  }

  async score(continuation: TokenIds): Promise<Float32Array> {
    const tokens = this.engine.tokensOf(continuation);
    return this.working('score', Math.max(0, tokens.length - 1), async () => {
      const scores = new Float32Array(tokens.length);
      for (const [i, token] of tokens.entries()) {
        const logits = await this.#logits([...this.held, ...tokens.slice(0, i)]);
        scores[i] = logProbabilities(logits, [token])[0]!;
      }
      return scores;
    });
  }

  async choose(among: TokenIds): Promise<Float32Array> {
    const tokens = this.engine.tokensOf(among);
    return this.working('choose', 0, async () => {
      const logits = await this.#logits(this.held);
      return Float32Array.from(logProbabilities(logits, tokens), Math.exp);
    });
  }

  save(): LaneJournal {
    return this.engine.save(this.held, this.attention);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.#drop(this.dropped());
    this.engine.close(this);
  }

  #logits(tokens: readonly number[]): Promise<Float32Array>;
  #logits(tokens: readonly number[], signal: AbortSignal | undefined): Promise<Float32Array | null>;
  /** Null when `signal` comes first. What the backend has begun it ends, but nobody waits for it. */
  async #logits(tokens: readonly number[], signal?: AbortSignal): Promise<Float32Array | null> {
    if (signal?.aborted) return null;
    let leave = () => {};
    const left = new Promise<null>((resolve, reject) => {
      this.#drop = reject;
      leave = () => resolve(null);
      signal?.addEventListener('abort', leave, { once: true });
    });
    // Taken now: the lane may have moved on when its turn comes.
    const wanted = [...tokens];
    const given = this.engine.logits(this, wanted, () => signal?.aborted === true || this.disposed);
    given.catch(() => {});
    try {
      return await Promise.race([given, left]);
    } finally {
      signal?.removeEventListener('abort', leave);
      this.#drop = () => {};
    }
  }
}
