/** A lane on a server: it keeps its tokens and sends them as the prompt of each request; the server knows what it has cached. */

import type { LaneJournal } from '../../engine/journal.ts';
import type {
  AttentionPolicy,
  FinishReason,
  GenerateOptions,
  Generation,
  Lane,
  TokenEvent,
  TokenIds,
} from '../../engine/types.ts';
import { checkNumber, isReckonError, ReckonError, unsupportedError } from '../../errors.ts';
import { type ResolvedSampling, resolveSampling } from '../../kernels/sample.ts';
import { CountLedger } from '../sequence/counts.ts';
import type { ServerEngine } from './engine.ts';

const DENSE: AttentionPolicy = { kind: 'dense' };

/** Sampling in the names of vLLM and of llama.cpp: servers pass over those they do not know. */
function asked(sampling: ResolvedSampling): Record<string, unknown> {
  const { temperature, topK, topP, minP, repetitionPenalty, seed, biases } = sampling;
  return {
    temperature,
    top_p: topP,
    top_k: topK === 0 ? -1 : topK,
    min_p: minP,
    repetition_penalty: repetitionPenalty,
    repeat_penalty: repetitionPenalty,
    seed: seed % 2 ** 31,
    ...(biases.length > 0
      ? { logit_bias: Object.fromEntries(biases.map(([token, bias]) => [token, Math.max(-100, Math.min(100, bias))])) }
      : {}),
  };
}

export class ServerLane implements Lane {
  readonly id: number;
  readonly ledger: CountLedger;
  readonly #engine: ServerEngine;
  readonly #tokens: number[];
  readonly #closed = new AbortController();
  #busy = false;

  constructor(engine: ServerEngine, id: number, tokens: readonly number[] = []) {
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
    if (policy.kind === 'dense') return;
    throw unsupportedError(
      this.#engine.device.name,
      'policies',
      `choosing which keys a lane attends to (${policy.kind})`,
    );
  }

  async append(input: TokenIds | string): Promise<void> {
    this.#ready('append');
    const added = this.#engine.tokensOf(input);
    this.#checkRoom(added.length);
    for (const token of added) this.#tokens.push(token);
  }

  generate(options: GenerateOptions = {}): Generation {
    this.#started('generate');
    const room = this.#engine.capacity.maxContext - this.length;
    const most = options.maxTokens ?? room;
    checkNumber('maxTokens', most, { min: options.maxTokens === undefined ? 0 : 1, integer: true });
    const sampling = resolveSampling(options, this.#engine.vocabulary);
    return this.#generate(options, sampling, Math.min(room, most));
  }

  async *#generate(
    { stopTokens, stopStrings = [], signal }: GenerateOptions,
    sampling: ResolvedSampling,
    count: number,
  ): AsyncGenerator<TokenEvent, FinishReason, undefined> {
    this.#ready('generate');
    if (signal?.aborted) return 'abort';
    if (count === 0) return 'length';
    const engine = this.#engine;
    const stops = stopTokens ? new Set(engine.tokensOf(stopTokens)) : engine.stopTokens;
    const text = engine.textSink(stopStrings);
    this.#busy = true;
    try {
      const ends = signal ? AbortSignal.any([signal, this.#closed.signal]) : this.#closed.signal;
      const body = { ...asked(sampling), prompt: [...this.#tokens], max_tokens: count, stop_token_ids: [...stops] };
      this.ledger.addRows(this.length);
      let left = count;
      for await (const { tokens, finish } of engine.stream(body, ends)) {
        for (const { token, logprob } of tokens) {
          const position = this.length;
          this.#tokens.push(token);
          this.ledger.addDraw();
          this.ledger.addRows(1);
          left--;
          const piece = stops.has(token) ? { text: text.flush(), stopped: true } : text.push(token);
          yield { token, logprob, text: piece.stopped || left > 0 ? piece.text : piece.text + text.flush(), position };
          if (piece.stopped) return 'stop';
          if (left === 0) return 'length';
        }
        // Some servers keep the token that ended it to themselves.
        if (finish) return finish;
      }
      return 'stop';
    } catch (error) {
      if (this.#closed.signal.aborted) throw this.#disposed('while it was working');
      if (signal?.aborted && isReckonError(error, 'aborted')) return 'abort';
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  async score(continuation: TokenIds): Promise<Float32Array> {
    this.#started('score');
    const added = this.#engine.tokensOf(continuation);
    this.#checkRoom(added.length);
    if (added.length === 0) return new Float32Array(0);
    this.#busy = true;
    try {
      return Float32Array.from((await this.#echo(added)).slice(-added.length));
    } finally {
      this.#busy = false;
    }
  }

  /** A request for each candidate, all at once: the server shares what they have in common. */
  async choose(among: TokenIds): Promise<Float32Array> {
    this.#started('choose');
    const candidates = this.#engine.tokensOf(among);
    this.#checkRoom(1);
    this.#busy = true;
    try {
      return Float32Array.from(
        await Promise.all(candidates.map(async (token) => Math.exp((await this.#echo([token])).at(-1) as number))),
      );
    } finally {
      this.#busy = false;
    }
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
    return this.#engine.save(this.#tokens);
  }

  dispose(): void {
    this.#closed.abort();
    this.#engine.close(this);
  }

  async #echo(added: readonly number[]): Promise<number[]> {
    const prompt = [...this.#tokens, ...added];
    this.ledger.addRows(prompt.length);
    try {
      return await this.#engine.echo(prompt, this.#closed.signal);
    } catch (error) {
      throw this.#closed.signal.aborted ? this.#disposed('while it was working') : error;
    }
  }

  #disposed(when: string): ReckonError {
    return new ReckonError('lane-disposed', `Lane ${this.id} was disposed ${when}.`, {
      hint: 'Open or fork a new lane.',
    });
  }

  #started(what: string): void {
    this.#ready(what);
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
      {
        hint: 'Shorten the prompt, or truncate the lane.',
      },
    );
  }

  #ready(what: string): void {
    if (this.#closed.signal.aborted) throw this.#disposed(`before ${what}()`);
    if (!this.#busy) return;
    throw new ReckonError('lane-busy', `${what}() on lane ${this.id} while it is still working.`, {
      hint: 'A lane does one thing at a time: await what it does, or end the generation first.',
    });
  }
}
