/** The `Lane` of the GPU engine: checks what is asked, turns it into tasks, and keeps the sequence consistent. */
import { checkNumber, ReckonError } from '../errors.ts';
import { resolveSampling } from '../kernels/sample.ts';
import { resolveAttention, type Sparsity } from './attention.ts';
import type { GpuEngine } from './engine.ts';
import { GenerateTask } from './generate-task.ts';
import type { Sequence } from './sequence.ts';
import { FeedTask, type Wanted } from './task.ts';
import type {
  AttentionPolicy,
  FinishReason,
  GenerateOptions,
  Generation,
  Lane,
  LaneJournal,
  Ledger,
  TokenEvent,
  TokenIds,
} from './types.ts';

export class GpuLane implements Lane {
  readonly #engine: GpuEngine;
  readonly #sequence: Sequence;
  #attention: AttentionPolicy = { kind: 'dense' };
  #policy: Sparsity | null = null;

  constructor(engine: GpuEngine, sequence: Sequence, attention: AttentionPolicy = { kind: 'dense' }) {
    this.#engine = engine;
    this.#sequence = sequence;
    this.attention = attention;
  }

  get attention(): AttentionPolicy {
    return this.#attention;
  }

  set attention(policy: AttentionPolicy) {
    this.#policy = resolveAttention(policy, this.#engine.attentionSupport);
    this.#attention = policy;
  }

  get id(): number {
    return this.#sequence.id;
  }

  get length(): number {
    return this.#sequence.tokens.length;
  }

  get tokens(): TokenIds {
    return this.#sequence.tokens;
  }

  get ledger(): Ledger {
    return this.#sequence.ledger;
  }

  async append(input: TokenIds | string): Promise<void> {
    this.#ready('append');
    const engine = this.#engine;
    const sequence = this.#sequence;
    const added = engine.tokensOf(input);
    const before = sequence.tokens.length;
    const { maxContext } = engine.capacity;
    if (before + added.length > maxContext) {
      throw new ReckonError(
        'over-capacity',
        `The lane would hold ${before + added.length} tokens; its context ends at ${maxContext}.`,
        { hint: 'Shorten the prompt, truncate the lane, or load the model with a longer context.' },
      );
    }
    if (added.length === 0) return;
    const givenBefore = sequence.given;
    if (sequence.given === before) sequence.given += added.length;
    for (const token of added) sequence.tokens.push(token);
    if (before === 0) engine.reusePrefix(sequence);
    // The last token is left for what comes next: whatever draws after it computes it anyway.
    const task = new FeedTask(sequence, sequence.tokens.length - 1);
    if (task.trivial) return;
    try {
      await this.#run(task);
    } catch (error) {
      if (!sequence.disposed) {
        this.truncate(before);
        sequence.given = givenBefore;
      }
      throw error;
    }
    engine.offerPrefix(sequence);
  }

  generate(options: GenerateOptions = {}): Generation {
    this.#ready('generate');
    const engine = this.#engine;
    const sequence = this.#sequence;
    const { maxContext } = engine.capacity;
    if (sequence.tokens.length === 0) {
      throw new ReckonError('bad-option', 'This lane is empty; there is nothing to continue.', {
        hint: 'Append a prompt first.',
      });
    }
    const room = maxContext - sequence.tokens.length;
    const maxTokens = Math.min(
      room,
      options.maxTokens === undefined ? room : checkNumber('maxTokens', options.maxTokens, { min: 1, integer: true }),
    );
    const sampling = resolveSampling(options, engine.vocabulary);
    const task = new GenerateTask(sequence, {
      sampling,
      policy: this.#policy,
      maxTokens,
      maxContext,
      stopTokens: options.stopTokens ? new Set(engine.tokensOf(options.stopTokens)) : engine.stopTokens,
      text: engine.textSink(options.stopStrings ?? []),
      signal: options.signal,
    });
    if (options.signal?.aborted) task.end('abort');
    else if (maxTokens === 0) task.end('length');
    else this.#start(task);
    return new TaskGeneration(task);
  }

  async score(continuation: TokenIds): Promise<Float32Array> {
    const tokens = this.#engine.tokensOf(continuation);
    const from = this.length;
    const wanted = tokens.map((token, i) => ({ position: from - 1 + i, targets: [token] }));
    return this.#probe('score', tokens.slice(0, -1), wanted);
  }

  async choose(among: TokenIds): Promise<Float32Array> {
    const targets = this.#engine.tokensOf(among);
    const limit = this.#engine.maxDraws;
    if (targets.length > limit) {
      throw new ReckonError(
        'bad-option',
        `choose() was given ${targets.length} tokens; at most ${limit} are possible.`,
      );
    }
    const logprobs = await this.#probe('choose', [], [{ position: this.length - 1, targets }]);
    return logprobs.map((logprob) => Math.exp(logprob));
  }

  fork(count: number): Lane[] {
    this.#ready('fork');
    checkNumber('fork count', count, { min: 0, integer: true });
    return Array.from(
      { length: count },
      () => new GpuLane(this.#engine, this.#engine.branch(this.#sequence), this.#attention),
    );
  }

  truncate(length: number): void {
    this.#ready('truncate');
    const sequence = this.#sequence;
    checkNumber('truncate length', length, { min: 0, max: sequence.tokens.length, integer: true });
    sequence.tokens.length = length;
    sequence.given = Math.min(sequence.given, length);
    sequence.settle();
  }

  save(): LaneJournal {
    if (this.#sequence.disposed) this.#ready('save');
    return this.#engine.save(this.#sequence, this.attention);
  }

  dispose(): void {
    const sequence = this.#sequence;
    if (sequence.disposed) return;
    sequence.disposed = true;
    sequence.task?.fail(new ReckonError('lane-disposed', `Lane ${this.id} was disposed while it was working.`));
    this.#engine.close(sequence);
  }

  /** Log-probabilities on a scratch copy, which shares this lane's pages and charges its ledger. */
  async #probe(what: string, added: readonly number[], wanted: readonly Wanted[]): Promise<Float32Array> {
    this.#ready(what);
    if (this.length === 0) {
      throw new ReckonError('bad-option', `${what}() on an empty lane; there is nothing to go on from.`, {
        hint: 'Append a prompt first.',
      });
    }
    const { maxContext } = this.#engine.capacity;
    if (this.length + added.length > maxContext) {
      throw new ReckonError(
        'over-capacity',
        `${what}() would need ${this.length + added.length} tokens of context; there are ${maxContext}.`,
      );
    }
    if (wanted.every(({ targets }) => targets.length === 0)) return new Float32Array(0);
    const scratch = this.#engine.branch(this.#sequence, this.#sequence.ledger);
    scratch.tokens.push(...added);
    const task = new FeedTask(scratch, scratch.tokens.length, wanted);
    try {
      scratch.task = task;
      this.#engine.start(task);
      return await task.result;
    } finally {
      this.#engine.close(scratch);
    }
  }

  async #run(task: FeedTask): Promise<void> {
    this.#start(task);
    await task.result;
  }

  #start(task: FeedTask | GenerateTask): void {
    this.#sequence.task = task;
    try {
      this.#engine.start(task);
    } catch (error) {
      this.#sequence.task = null;
      throw error;
    }
  }

  #ready(what: string): void {
    if (this.#sequence.disposed) {
      throw new ReckonError('lane-disposed', `${what}() on lane ${this.id}, which was disposed.`, {
        hint: 'Open or fork a new lane.',
      });
    }
    if (this.#sequence.task) {
      throw new ReckonError('lane-busy', `${what}() on lane ${this.id} while it is still working.`, {
        hint: 'A lane does one thing at a time: await the append, or end the generation first.',
      });
    }
  }
}

/** Iterating starts nothing: the task already runs. Leaving the iteration early ends it. */
class TaskGeneration implements Generation {
  readonly #task: GenerateTask;

  constructor(task: GenerateTask) {
    this.#task = task;
  }

  [Symbol.asyncIterator](): AsyncIterator<TokenEvent, FinishReason, undefined> {
    const task = this.#task;
    const events = task.events.read();
    return {
      next: () => events.next(),
      // Not left to a generator's `finally`, which never runs where nothing was read before.
      return: async (value) => {
        task.end('abort');
        return events.return(value as FinishReason);
      },
    };
  }
}
