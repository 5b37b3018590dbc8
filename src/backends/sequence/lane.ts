/** A lane over a backend that has one sequence: it keeps its tokens, and has them computed when it is asked for something. */
import type {
  AttentionPolicy,
  FinishReason,
  GenerateOptions,
  Generation,
  Lane,
  LaneJournal,
  TokenEvent,
  TokenIds,
} from '../../engine/types.ts';
import { checkNumber, ReckonError } from '../../errors.ts';
import { resolveSampling } from '../../kernels/sample.ts';
import { CountLedger } from './counts.ts';
import { drawToken, logProbabilities } from './draw.ts';
import type { SequenceEngine } from './engine.ts';

const DENSE: AttentionPolicy = { kind: 'dense' };

export class SequenceLane implements Lane {
  readonly id: number;
  readonly ledger: CountLedger;
  readonly #engine: SequenceEngine;
  readonly #tokens: number[];
  #busy = false;
  #disposed = false;
  /** Rejects what it is doing when it is disposed. */
  #drop: (error: ReckonError) => void = () => {};

  constructor(engine: SequenceEngine, id: number, tokens: readonly number[] = []) {
    this.#engine = engine;
    this.id = id;
    this.#tokens = [...tokens];
    this.ledger = new CountLedger(engine.ledger);
  }

  get length(): number {
    return this.#tokens.length;
  }

  get tokens(): TokenIds {
    return this.#tokens;
  }

  get attention(): AttentionPolicy {
    return DENSE;
  }

  set attention(policy: AttentionPolicy) {
    this.#engine.checkPolicy(policy);
  }

  /** Computed with whatever is asked for next: until then it costs nothing. */
  async append(input: TokenIds | string): Promise<void> {
    this.#ready('append');
    const added = this.#engine.tokensOf(input);
    this.#checkRoom(added.length);
    for (const token of added) this.#tokens.push(token);
  }

  generate(options: GenerateOptions = {}): Generation {
    this.#ready('generate');
    this.#checkStarted('generate');
    const engine = this.#engine;
    const room = engine.capacity.maxContext - this.length;
    const most = options.maxTokens ?? room;
    checkNumber('maxTokens', most, { min: options.maxTokens === undefined ? 0 : 1, integer: true });
    const settings = {
      sampling: resolveSampling(options, engine.vocabulary),
      count: Math.min(room, most),
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
    this.#ready('generate');
    this.#busy = true;
    try {
      for (let left = count; left > 0; left--) {
        const logits = await this.#logits(this.#tokens, signal);
        if (logits === null) return 'abort';
        const position = this.length;
        const { token, logprob } = drawToken(logits, sampling, this.#tokens, position);
        this.ledger.addDraw();
        this.#tokens.push(token);
        // A stop token ends the text; it is not part of it.
        const piece = stops.has(token) ? { text: text.flush(), stopped: true } : text.push(token);
        const shown = piece.stopped || left > 1 ? piece.text : piece.text + text.flush();
        yield { token, logprob, text: shown, position };
        if (piece.stopped) return 'stop';
      }
      return 'length';
    } finally {
      this.#busy = false;
    }
  }

  async score(continuation: TokenIds): Promise<Float32Array> {
    const tokens = this.#engine.tokensOf(continuation);
    return this.#working('score', Math.max(0, tokens.length - 1), async () => {
      const scores = new Float32Array(tokens.length);
      for (const [i, token] of tokens.entries()) {
        const logits = await this.#logits([...this.#tokens, ...tokens.slice(0, i)]);
        scores[i] = logProbabilities(logits, [token])[0]!;
      }
      return scores;
    });
  }

  async choose(among: TokenIds): Promise<Float32Array> {
    const tokens = this.#engine.tokensOf(among);
    return this.#working('choose', 0, async () => {
      const logits = await this.#logits(this.#tokens);
      return Float32Array.from(logProbabilities(logits, tokens), Math.exp);
    });
  }

  fork(count: number): Lane[] {
    this.#ready('fork');
    checkNumber('fork count', count, { min: 0, integer: true });
    return Array.from({ length: count }, () => this.#engine.open(this.#tokens));
  }

  truncate(length: number): void {
    this.#ready('truncate');
    this.#tokens.length = checkNumber('truncate length', length, { min: 0, max: this.length, integer: true });
  }

  save(): LaneJournal {
    return this.#engine.save(this.#tokens, this.attention);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#drop(new ReckonError('lane-disposed', `Lane ${this.id} was disposed while it was working.`));
    this.#engine.close(this);
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
    const given = this.#engine.logits(this, wanted, () => signal?.aborted === true || this.#disposed);
    given.catch(() => {});
    try {
      return await Promise.race([given, left]);
    } finally {
      signal?.removeEventListener('abort', leave);
      this.#drop = () => {};
    }
  }

  async #working<T>(what: string, more: number, work: () => Promise<T>): Promise<T> {
    this.#ready(what);
    this.#checkStarted(what);
    this.#checkRoom(more);
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }

  #checkStarted(what: string): void {
    if (this.length > 0) return;
    throw new ReckonError('bad-option', `${what}() on an empty lane; there is nothing to go on from.`, {
      hint: 'Append a prompt first.',
    });
  }

  #checkRoom(more: number): void {
    const { maxContext } = this.#engine.capacity;
    if (this.length + more <= maxContext) return;
    throw new ReckonError(
      'over-capacity',
      `The lane would hold ${this.length + more} tokens; its context ends at ${maxContext}.`,
      { hint: 'Shorten the prompt, truncate the lane, or load the model with a longer context.' },
    );
  }

  #ready(what: string): void {
    if (this.#disposed) {
      throw new ReckonError('lane-disposed', `${what}() on lane ${this.id}, which was disposed.`, {
        hint: 'Open or fork a new lane.',
      });
    }
    if (!this.#busy) return;
    throw new ReckonError('lane-busy', `${what}() on lane ${this.id} while it is still working.`, {
      hint: 'A lane does one thing at a time: await what it does, or end the generation first.',
    });
  }
}
