/** The engine on this machine's GPU: opens lanes, runs their tasks, reuses prefixes, says what fits. */
import { ReckonError } from '../errors.ts';
import type { DeviceProfile, Gpu } from '../gpu/index.ts';
import { PAGE_SIZE } from '../kernels/step.ts';
import { admit, LanePages, PagePool, PrefixCache } from '../kv/index.ts';
import type { Decoder } from '../model/decoder.ts';
import type { AttentionSupport } from './attention.ts';
import type { TextSink } from './generate-task.ts';
import { type EngineIdentity, type LaneJournal, readJournal, writeJournal } from './journal.ts';
import { GpuLane } from './lane.ts';
import { RunningLedger } from './lane-ledger.ts';
import { Pages } from './pages.ts';
import { PolicyHistory } from './policy-history.ts';
import { Scheduler } from './scheduler.ts';
import { Sequence } from './sequence.ts';
import type { StepRecord } from './stepper.ts';
import type { Task } from './task.ts';
import type { AttentionPolicy, Engine, KvCapacity, Lane, Ledger, TokenIds } from './types.ts';

/** Text of the loaded model, as far as the engine needs it. */
export interface TextCodec {
  encode(text: string): number[];
  decode(tokens: readonly number[]): string;
  /** A fresh detokenizer that watches for stop strings. */
  sink(stopStrings: readonly string[]): TextSink;
}

export interface EngineParts {
  gpu: Gpu;
  decoder: Decoder;
  codec: TextCodec;
  /** Ends a generation that names no stop tokens of its own. */
  stopTokens: readonly number[];
  /** What cached prefixes and journals are valid for: model, revision, precisions. */
  identity: EngineIdentity;
}

export class GpuEngine implements Engine {
  readonly device: DeviceProfile;
  readonly stopTokens: ReadonlySet<number>;
  readonly vocabulary: number;
  readonly #gpu: Gpu;
  readonly #decoder: Decoder;
  readonly #codec: TextCodec;
  readonly #pool: PagePool;
  readonly #prefix: PrefixCache;
  readonly #scheduler: Scheduler;
  readonly #sequences = new Set<Sequence>();
  readonly #ledger = new RunningLedger();
  readonly #identity: EngineIdentity;
  #nextId = 0;
  #disposed = false;

  constructor({ gpu, decoder, codec, stopTokens, identity }: EngineParts) {
    this.#gpu = gpu;
    this.#decoder = decoder;
    this.#codec = codec;
    this.#identity = identity;
    this.device = gpu.profile;
    this.vocabulary = decoder.config.vocabSize;
    this.stopTokens = new Set(stopTokens);
    this.#pool = new PagePool(decoder.totalPages, PAGE_SIZE);
    this.#prefix = new PrefixCache(this.#pool, JSON.stringify(identity));
    const pages = new Pages(this.#pool, this.#prefix, this.#sequences);
    this.#scheduler = new Scheduler(gpu, decoder, pages, this.#ledger);
  }

  get capacity(): KvCapacity {
    return {
      pageSize: PAGE_SIZE,
      totalPages: this.#decoder.totalPages,
      freePages: this.#pool.free,
      bytesPerToken: this.#decoder.kvBytesPerToken,
      precision: this.#decoder.precisions.kv,
      maxContext: this.#decoder.maxContext,
      maxLanes: this.#decoder.limits.slots,
    };
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** What attention policies may ask for. */
  get attentionSupport(): AttentionSupport {
    return { layers: this.#decoder.config.layers, summaries: this.#decoder.summary !== null };
  }

  /** Most draws a lane can ask for at once: what a step leaves where every other lane decodes. */
  get maxDraws(): number {
    return this.#decoder.limits.maxSamples - this.#decoder.limits.slots;
  }

  open(): Lane {
    this.#gpu.throwIfFailed();
    const sequence = new Sequence(this.#nextId++, [], 0, new LanePages(this.#pool));
    this.#sequences.add(sequence);
    return new GpuLane(this, sequence);
  }

  restore(journal: LaneJournal): Lane {
    this.#gpu.throwIfFailed();
    const { maxContext } = this.capacity;
    const state = readJournal(journal, this.#identity, { vocabulary: this.vocabulary, maxContext });
    const sequence = new Sequence(this.#nextId++, [...state.tokens], state.given, new LanePages(this.#pool));
    sequence.history = PolicyHistory.from(state.history);
    // Checks the policy, before the lane holds anything.
    const lane = new GpuLane(this, sequence, state.attention);
    this.#sequences.add(sequence);
    this.reusePrefix(sequence);
    return lane;
  }

  admit(plan: { lanes: number; shared: number; length: number }): void {
    admit(plan, this.capacity);
  }

  encode(text: string): number[] {
    return this.#codec.encode(text);
  }

  decode(tokens: TokenIds): string {
    return this.#codec.decode([...tokens]);
  }

  /** Calls `listener` with what was measured of every step, as its results arrive. Returns the way to take it back. */
  onStep(listener: (record: StepRecord) => void): () => void {
    return this.#scheduler.onStep(listener);
  }

  /** Whether lanes with pages in common read them together; the tokens are the same. For benchmarks. Default true. */
  get sharePrompt(): boolean {
    return this.#scheduler.sharePrompt;
  }

  set sharePrompt(share: boolean) {
    this.#scheduler.sharePrompt = share;
  }

  /**
   * Has a lane hold tokens as if they had been read, with whatever lies in its pages for KV: for benchmarks, which ask how long
   * a step takes and not what it says.
   * @throws ReckonError `over-capacity` when they do not fit.
   */
  pretend(lane: Lane, tokens: TokenIds): void {
    const sequence = [...this.#sequences].find(({ id }) => id === lane.id);
    if (!sequence || sequence.tokens.length > 0) throw new ReckonError('internal', 'Only an empty lane can pretend.');
    const held = tokens.length - 1;
    sequence.pages.prepareWrite(0, held);
    sequence.pages.commit(held);
    sequence.history.note(held, null);
    for (const token of tokens) sequence.tokens.push(token);
  }

  /** Forgets cached prefixes, so that prompts are computed anew (benchmarks). */
  clearPrefixes(): void {
    this.#prefix.clear();
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const sequence of [...this.#sequences]) {
      sequence.task?.fail(
        new ReckonError('lane-disposed', `The engine was disposed while lane ${sequence.id} was working.`),
      );
      this.close(sequence);
    }
    this.#prefix.clear();
    this.#gpu.close();
  }

  // What lanes need of the engine.

  start(task: Task): void {
    this.#scheduler.start(task);
  }

  /** A copy of a sequence that shares its pages. */
  branch(sequence: Sequence, ledger?: RunningLedger): Sequence {
    const copy = new Sequence(this.#nextId++, [...sequence.tokens], sequence.given, sequence.pages.fork(), ledger);
    copy.history = sequence.history.copy();
    this.#sequences.add(copy);
    return copy;
  }

  /** A lane's journal. */
  save({ tokens, given, history }: Sequence, attention: AttentionPolicy): LaneJournal {
    const known = history.plain(Math.max(0, tokens.length - 1));
    return writeJournal(this.#identity, { tokens, given, attention, history: known });
  }

  close(sequence: Sequence): void {
    if (!this.#sequences.delete(sequence)) return;
    sequence.disposed = true;
    sequence.pages.dispose();
  }

  /** Token ids of text or ids, checked against the vocabulary. */
  tokensOf(input: TokenIds | string): number[] {
    const tokens = typeof input === 'string' ? this.encode(input) : [...input];
    for (const token of tokens) {
      if (!Number.isInteger(token) || token < 0 || token >= this.vocabulary) {
        throw new ReckonError(
          'bad-option',
          `${token} is not a token of this model, whose ids are 0 … ${this.vocabulary - 1}.`,
        );
      }
    }
    return tokens;
  }

  textSink(stopStrings: readonly string[]): TextSink {
    return this.#codec.sink(stopStrings);
  }

  /** Lets a lane without KV start from pages that an equal prompt left behind, as far as its own would be dense. */
  reusePrefix(sequence: Sequence): void {
    const dense = Math.min(sequence.tokens.length, sequence.history.denseUntil(0) + 1);
    const { pages, length } = this.#prefix.match(sequence.tokens.slice(0, dense));
    sequence.adopt(pages, length);
  }

  /**
   * Keeps a prompt's full pages for lanes to come, as far as they were computed densely. Not what a lane wrote itself: that
   * is rarely a prompt again.
   */
  offerPrefix(sequence: Sequence): void {
    const length = Math.min(sequence.given, sequence.pages.length, sequence.history.denseUntil(0));
    const full = Math.floor(length / PAGE_SIZE);
    if (full > 0) this.#prefix.insert(sequence.tokens.slice(0, full * PAGE_SIZE), sequence.pages.pages.slice(0, full));
  }
}
