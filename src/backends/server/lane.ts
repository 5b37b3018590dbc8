/** A lane on a server: it keeps its tokens and sends them as the prompt of each request; the server knows what it has cached. */
import type {
  FinishReason,
  GenerateOptions,
  Generation,
  Lane,
  LaneJournal,
  TokenEvent,
  TokenIds,
} from '../../engine/types.ts';
import { isReckonError } from '../../errors.ts';
import { type ResolvedSampling, resolveSampling } from '../../kernels/sample.ts';
import { TokenLane } from '../sequence/token-lane.ts';
import type { ServerEngine } from './engine.ts';

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

export class ServerLane extends TokenLane<ServerEngine> implements Lane {
  readonly #closed = new AbortController();

  generate(options: GenerateOptions = {}): Generation {
    this.started('generate');
    const count = this.mostOf(options.maxTokens);
    return this.#generate(options, resolveSampling(options, this.engine.vocabulary), count);
  }

  async *#generate(
    { stopTokens, stopStrings = [], signal }: GenerateOptions,
    sampling: ResolvedSampling,
    count: number,
  ): AsyncGenerator<TokenEvent, FinishReason, undefined> {
    this.ready('generate');
    if (signal?.aborted) return 'abort';
    if (count === 0) return 'length';
    const engine = this.engine;
    const stops = stopTokens ? new Set(engine.tokensOf(stopTokens)) : engine.stopTokens;
    const text = engine.textSink(stopStrings);
    this.busy = true;
    try {
      const ends = signal ? AbortSignal.any([signal, this.#closed.signal]) : this.#closed.signal;
      const body = { ...asked(sampling), prompt: [...this.held], max_tokens: count, stop_token_ids: [...stops] };
      this.ledger.addRows(this.length);
      let left = count;
      for await (const { tokens, finish } of engine.stream(body, ends)) {
        for (const { token, logprob } of tokens) {
          const position = this.length;
          this.held.push(token);
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
      if (this.disposed) throw this.dropped();
      if (signal?.aborted && isReckonError(error, 'aborted')) return 'abort';
      throw error;
    } finally {
      this.busy = false;
    }
  }

  async score(continuation: TokenIds): Promise<Float32Array> {
    const added = this.engine.tokensOf(continuation);
    return this.working('score', added.length, async () =>
      Float32Array.from(added.length === 0 ? [] : (await this.#echo(added)).slice(-added.length)),
    );
  }

  /** A request for each candidate, all at once: the server shares what they have in common. */
  async choose(among: TokenIds): Promise<Float32Array> {
    const candidates = this.engine.tokensOf(among);
    return this.working('choose', 1, async () =>
      Float32Array.from(
        await Promise.all(candidates.map(async (token) => Math.exp((await this.#echo([token])).at(-1) as number))),
      ),
    );
  }

  save(): LaneJournal {
    return this.engine.save(this.held);
  }

  dispose(): void {
    this.disposed = true;
    this.#closed.abort();
    this.engine.close(this);
  }

  async #echo(added: readonly number[]): Promise<number[]> {
    const prompt = [...this.held, ...added];
    this.ledger.addRows(prompt.length);
    try {
      return await this.engine.echo(prompt, this.#closed.signal);
    } catch (error) {
      throw this.disposed ? this.dropped() : error;
    }
  }
}
