/**
 * The engine's definition in the plainest form: float64 arithmetic, one token at a time, no batching, no pages on any
 * GPU. A second implementation of `Engine` and `Lane`, slow but true: strategies are tested on it, and other engines can be
 * held against it.
 */

import { readJournal, writeJournal } from '../../src/engine/journal.ts';
import type {
  DeviceProfile,
  Engine,
  FinishReason,
  GenerateOptions,
  Generation,
  KvCapacity,
  Lane,
  LaneJournal,
  Ledger,
  LedgerSnapshot,
  TokenEvent,
  TokenIds,
} from '../../src/engine/types.ts';
import { ReckonError } from '../../src/errors.ts';
import { addCosts, totalCost, zeroCosts } from '../../src/ledger/cost.ts';
import type { Codec } from './codec.ts';
import type { ReferenceDecoder } from './decoder.ts';
import { sample } from './sampler.ts';

export interface ReferenceEngineOptions {
  decoder: ReferenceDecoder;
  codec: Codec;
  stopTokens: readonly number[];
  maxContext: number;
  /** Default 16. */
  pageSize?: number;
  /** Default: what 256 longest lanes need. */
  totalPages?: number;
  /**
   * Bytes of weights are shared by the lanes that work at the time, as in a batch, and `choose` computes its row again.
   * Default false: each row reads all weights, and none is computed twice.
   */
  shareWeights?: boolean;
  /** Draws charged beyond a stop, as by an engine that reads back late; never beyond `maxTokens`. Default 0. */
  runAhead?: number;
}

type Session = ReturnType<ReferenceDecoder['session']>;

/** Lets every other lane have its turn. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function logSoftmax(logits: Float64Array): Float64Array {
  let max = Number.NEGATIVE_INFINITY;
  for (const x of logits) max = Math.max(max, x);
  let sum = 0;
  for (const x of logits) sum += Math.exp(x - max);
  const shift = max + Math.log(sum);
  return logits.map((x) => x - shift);
}

class RowLedger implements Ledger {
  rows = 0;
  sampled = 0;
  readonly classes = zeroCosts();

  snapshot(): LedgerSnapshot {
    const { flops, bytes } = totalCost(this.classes);
    return { rows: this.rows, sampled: this.sampled, flops, bytes, classes: structuredClone(this.classes) };
  }
}

/** Text of generated tokens up to the first stop string; holds back what may become one. */
class StopText {
  readonly #stops: readonly string[];
  #held = '';

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  push(text: string, last: boolean): { text: string; stopped: boolean } {
    this.#held += text;
    const at = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((index) => index >= 0);
    if (at.length > 0) return { text: this.#held.slice(0, Math.min(...at)), stopped: true };
    let keep = last ? 0 : this.#held.length;
    while (keep > 0 && !this.#stops.some((stop) => stop.startsWith(this.#held.slice(-keep)))) keep--;
    const out = this.#held.slice(0, this.#held.length - keep);
    this.#held = this.#held.slice(out.length);
    return { text: out, stopped: false };
  }
}

const IDENTITY = { model: 'float64 reference' };

class ReferenceLane implements Lane {
  readonly id: number;
  readonly ledger = new RowLedger();
  attention = { kind: 'dense' } as const;
  readonly #engine: ReferenceEngine;
  #session: Session;
  #tokens: number[];
  /** Tokens the session has read, and the logits after the last of them. */
  #read: number;
  #logits: Float64Array | null;
  #busy = false;
  #disposed = false;

  constructor(engine: ReferenceEngine, from?: ReferenceLane, tokens: readonly number[] = []) {
    this.#engine = engine;
    this.id = engine.nextId++;
    this.#session = from ? from.#session.clone() : engine.options.decoder.session();
    this.#tokens = from ? [...from.#tokens] : [...tokens];
    this.#read = from ? from.#read : 0;
    this.#logits = from ? from.#logits : null;
    engine.lanes.add(this);
  }

  get length(): number {
    return this.#tokens.length;
  }

  get tokens(): TokenIds {
    return [...this.#tokens];
  }

  #alive(): void {
    if (this.#disposed) throw new ReckonError('lane-disposed', `Lane ${this.id} was disposed.`);
  }

  /** Exactly one thing at a time, and nothing after disposal. */
  #start(): void {
    this.#alive();
    if (this.#busy) throw new ReckonError('lane-busy', `Lane ${this.id} is busy.`);
    this.#busy = true;
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** Reads one token and returns the logits after it. */
  #push(session: Session, token: number, position: number): Float64Array {
    this.#charge(position);
    return session.push(token);
  }

  /** The cost of a row: all weights, and what it attends to. */
  #charge(position: number): void {
    const { hiddenSize, intermediateSize, heads, kvHeads, headDim, layers, vocabSize } =
      this.#engine.options.decoder.config;
    const weights =
      layers * (hiddenSize * headDim * (2 * heads + 2 * kvHeads) + 3 * hiddenSize * intermediateSize) +
      hiddenSize * vocabSize;
    const cost = zeroCosts();
    const readers = this.#engine.options.shareWeights ? [...this.#engine.lanes].filter(({ busy }) => busy).length : 1;
    cost.linear = { flops: 2 * weights, bytes: (8 * weights) / Math.max(1, readers) };
    cost.attention = {
      flops: 4 * layers * heads * headDim * (position + 1),
      bytes: 16 * layers * kvHeads * headDim * (position + 1),
    };
    cost.kvWrite = { flops: 0, bytes: 16 * layers * kvHeads * headDim };
    for (const ledger of [this.ledger, this.#engine.ledger]) {
      ledger.rows++;
      addCosts(ledger.classes, cost);
    }
  }

  /** Logits after the last token. */
  async #ready(): Promise<Float64Array> {
    if (this.#tokens.length === 0) {
      throw new ReckonError('bad-option', `Lane ${this.id} is empty.`, { hint: 'Append a prompt first.' });
    }
    if (this.#read === this.#tokens.length && !this.#logits) this.#session.truncate(--this.#read);
    while (this.#read < this.#tokens.length) {
      this.#logits = this.#push(this.#session, this.#tokens[this.#read]!, this.#read);
      this.#read++;
      await turn();
      this.#alive();
    }
    return this.#logits!;
  }

  #room(more: number): void {
    const { maxContext } = this.#engine.capacity;
    if (this.length + more <= maxContext) return;
    throw new ReckonError('over-capacity', `Lane ${this.id} would hold ${this.length + more} of ${maxContext} tokens.`);
  }

  save(): LaneJournal {
    this.#alive();
    return writeJournal(IDENTITY, { tokens: this.#tokens, given: 0, attention: this.attention });
  }

  async append(input: TokenIds | string): Promise<void> {
    this.#start();
    try {
      const ids = typeof input === 'string' ? this.#engine.encode(input) : Array.from(input);
      this.#room(ids.length);
      this.#tokens.push(...ids);
      if (ids.length > 0) this.#logits = null;
      if (this.length > 0) await this.#ready();
    } finally {
      this.#busy = false;
    }
  }

  generate(options: GenerateOptions = {}): Generation {
    return this.#generate(options);
  }

  async *#generate(options: GenerateOptions): AsyncGenerator<TokenEvent, FinishReason, undefined> {
    this.#start();
    let count = 0;
    let limit = 0;
    try {
      const { maxContext } = this.#engine.capacity;
      limit = Math.min(options.maxTokens ?? maxContext, maxContext - this.length);
      const stopTokens = new Set(options.stopTokens ?? this.#engine.options.stopTokens);
      const stopText = new StopText(options.stopStrings ?? []);
      const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
      for (; count < limit; count++) {
        if (options.signal?.aborted) return 'abort';
        const logits = await this.#ready();
        if (options.signal?.aborted) return 'abort';
        const position = this.length;
        const token = sample(logits, { ...options, seed }, { position, present: this.#tokens });
        this.ledger.sampled++;
        this.#engine.ledger.sampled++;
        this.#tokens.push(token);
        const ends = stopTokens.has(token);
        const shown = ends ? '' : this.#engine.decode([token]);
        const { text, stopped } = stopText.push(shown, ends || count + 1 === limit);
        yield { token, logprob: logSoftmax(logits)[token]!, text, position };
        if (ends || stopped) return 'stop';
      }
      return 'length';
    } finally {
      // The draw it stopped at is in the count where nothing stopped it, else not yet.
      const ahead = Math.min(this.#engine.options.runAhead ?? 0, limit - count - 1);
      for (let i = 0; i < ahead; i++) {
        this.#charge(this.length + i);
        this.ledger.sampled++;
        this.#engine.ledger.sampled++;
      }
      this.#busy = false;
    }
  }

  async score(continuation: TokenIds): Promise<Float32Array> {
    this.#start();
    try {
      this.#room(continuation.length);
      let logits = await this.#ready();
      const session = this.#session.clone();
      const scores = new Float32Array(continuation.length);
      for (const [i, token] of Array.from(continuation).entries()) {
        scores[i] = logSoftmax(logits)[token]!;
        logits = this.#push(session, token, this.length + i);
        await turn();
        this.#alive();
      }
      return scores;
    } finally {
      this.#busy = false;
    }
  }

  async choose(among: TokenIds): Promise<Float32Array> {
    this.#start();
    try {
      const logprobs = logSoftmax(await this.#ready());
      await turn();
      if (this.#engine.options.shareWeights) this.#charge(this.length - 1);
      return Float32Array.from(among, (token) => Math.exp(logprobs[token]!));
    } finally {
      this.#busy = false;
    }
  }

  fork(count: number): Lane[] {
    this.#start();
    this.#busy = false;
    return Array.from({ length: count }, () => new ReferenceLane(this.#engine, this));
  }

  truncate(length: number): void {
    this.#start();
    this.#busy = false;
    if (length >= this.length) return;
    this.#tokens.length = length;
    this.#logits = null;
    if (this.#read > length) {
      this.#session.truncate(length);
      this.#read = length;
    }
  }

  /** Whatever it is doing ends with `lane-disposed`. */
  dispose(): void {
    this.#disposed = true;
    this.#engine.lanes.delete(this);
  }
}

export class ReferenceEngine implements Engine {
  readonly options: ReferenceEngineOptions;
  readonly ledger = new RowLedger();
  /** Lanes open now: a run that leaves one behind has leaked it. */
  readonly lanes = new Set<ReferenceLane>();
  nextId = 0;
  readonly device: DeviceProfile = {
    name: 'float64 reference',
    vendor: '',
    architecture: '',
    software: true,
    tuning: 'cpu',
    features: { f16: false, subgroups: false, timestamps: false },
    limits: {
      maxBufferSize: 0,
      maxStorageBufferBindingSize: 0,
      maxComputeWorkgroupStorageSize: 0,
      maxComputeInvocationsPerWorkgroup: 0,
      maxComputeWorkgroupsPerDimension: 0,
    },
  };

  constructor(options: ReferenceEngineOptions) {
    this.options = options;
  }

  get capacity(): KvCapacity {
    const { decoder, maxContext, pageSize = 16 } = this.options;
    const { layers, kvHeads, headDim } = decoder.config;
    const totalPages = this.options.totalPages ?? 256 * Math.ceil(maxContext / pageSize);
    const used = [...this.lanes].reduce((sum, lane) => sum + Math.ceil(lane.length / pageSize), 0);
    return {
      pageSize,
      totalPages,
      freePages: Math.max(0, totalPages - used),
      bytesPerToken: 16 * layers * kvHeads * headDim,
      maxContext,
      maxLanes: 256,
    };
  }

  open(): Lane {
    return new ReferenceLane(this);
  }

  restore(journal: LaneJournal): Lane {
    const { decoder, maxContext } = this.options;
    const { tokens } = readJournal(journal, IDENTITY, { vocabulary: decoder.config.vocabSize, maxContext });
    return new ReferenceLane(this, undefined, tokens);
  }

  encode(text: string): number[] {
    return this.options.codec.encode(text);
  }

  decode(tokens: TokenIds): string {
    return this.options.codec.decode(tokens);
  }

  admit(plan: { lanes: number; shared: number; length: number }): void {
    const { pageSize, freePages, maxContext, maxLanes } = this.capacity;
    const common = Math.floor(plan.shared / pageSize);
    const pages = common + plan.lanes * (Math.ceil(plan.length / pageSize) - common);
    if (plan.length <= maxContext && plan.lanes <= maxLanes && pages <= freePages) return;
    throw new ReckonError(
      'over-capacity',
      `${plan.lanes} lanes of ${plan.length} tokens need ${pages} pages; ${freePages} are free, the context is ${maxContext}.`,
    );
  }

  dispose(): void {
    this.lanes.clear();
  }
}
