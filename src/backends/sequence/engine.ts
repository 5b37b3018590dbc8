/**
 * An engine over a backend that has one sequence. Lanes are told apart here and take turns there: strategies run unchanged,
 * one lane after the other, and a fork computes what it shares anew. What such an engine cannot do it refuses by name.
 */
import type { TextCodec } from '../../engine/engine.ts';
import { type EngineIdentity, type LaneJournal, readJournal, writeJournal } from '../../engine/journal.ts';
import type {
  AttentionPolicy,
  DeviceProfile,
  Engine,
  EngineFeature,
  KvCapacity,
  TokenIds,
} from '../../engine/types.ts';
import { ReckonError, unsupportedError } from '../../errors.ts';
import { PAGE_SIZE } from '../../kernels/step.ts';
import { admit } from '../../kv/index.ts';
import { CountLedger } from './counts.ts';
import type { SequenceDriver } from './driver.ts';
import { SequenceLane } from './lane.ts';
import { Sequence } from './sequence.ts';
import { Turns } from './turns.ts';

export interface SequenceEngineParts {
  readonly driver: SequenceDriver;
  readonly codec: TextCodec;
  readonly stopTokens: readonly number[];
  readonly device: DeviceProfile;
}

/** Lanes wait without KV: as many may be open as anybody will want. */
const LANES = 256;

export class SequenceEngine implements Engine {
  readonly lacks: readonly EngineFeature[] = ['batching', 'costs', 'policies'];
  readonly device: DeviceProfile;
  readonly ledger = new CountLedger();
  readonly stopTokens: ReadonlySet<number>;
  readonly #driver: SequenceDriver;
  readonly #codec: TextCodec;
  readonly #sequence: Sequence;
  readonly #turns = new Turns();
  readonly #lanes = new Set<SequenceLane>();
  #nextId = 0;
  #disposed = false;

  constructor({ driver, codec, stopTokens, device }: SequenceEngineParts) {
    this.#driver = driver;
    this.#codec = codec;
    this.device = device;
    this.stopTokens = new Set(stopTokens);
    this.#sequence = new Sequence(driver);
  }

  get #identity(): EngineIdentity {
    return { backend: this.#driver.name };
  }

  get vocabulary(): number {
    return this.#driver.vocabulary;
  }

  get capacity(): KvCapacity {
    const { maxContext, bytesPerToken } = this.#driver;
    // None of it is taken by lanes that wait.
    const totalPages = LANES * Math.ceil(maxContext / PAGE_SIZE);
    return { pageSize: PAGE_SIZE, totalPages, freePages: totalPages, bytesPerToken, maxContext, maxLanes: 1 };
  }

  open(tokens: readonly number[] = []): SequenceLane {
    if (this.#disposed) {
      throw new ReckonError('device-lost', 'This engine was disposed.', { hint: 'Load the model again.' });
    }
    const lane = new SequenceLane(this, this.#nextId++, tokens);
    this.#lanes.add(lane);
    return lane;
  }

  restore(journal: LaneJournal): SequenceLane {
    const { vocabulary } = this;
    const { maxContext } = this.#driver;
    const { tokens, attention } = readJournal(journal, this.#identity, { vocabulary, maxContext });
    this.checkPolicy(attention);
    return this.open(tokens);
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

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const lane of [...this.#lanes]) lane.dispose();
    // Behind what is under way, which would not expect it.
    void this.#turns.take(this, async () => this.#driver.dispose());
  }

  // What lanes need of the engine.

  save(tokens: readonly number[], attention: AttentionPolicy): LaneJournal {
    return writeJournal(this.#identity, { tokens, given: 0, attention });
  }

  close(lane: SequenceLane): void {
    this.#lanes.delete(lane);
  }

  /** @throws ReckonError `unsupported` */
  checkPolicy(policy: AttentionPolicy): void {
    if (policy.kind === 'dense') return;
    throw unsupportedError(this.#driver.name, 'policies', `choosing which keys a lane attends to (${policy.kind})`);
  }

  /** @throws ReckonError `bad-option` for tokens that the model does not have. */
  tokensOf(input: TokenIds | string): number[] {
    const tokens = typeof input === 'string' ? this.encode(input) : [...input];
    const stray = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= this.vocabulary);
    if (stray === undefined) return tokens;
    throw new ReckonError(
      'bad-option',
      `${stray} is not a token of this model, whose ids are 0 … ${this.vocabulary - 1}.`,
    );
  }

  textSink(stopStrings: readonly string[]) {
    return this.#codec.sink(stopStrings);
  }

  /**
   * Logits behind `tokens` when it is the lane's turn.
   * @param late true when by then nobody wants them any more.
   */
  logits(lane: SequenceLane, tokens: readonly number[], late: () => boolean): Promise<Float32Array> {
    return this.#turns.take(lane, async () => {
      if (late()) throw new ReckonError('aborted', 'Nobody waits for this any more.');
      return this.#sequence.logitsBehind(tokens, lane.ledger.addRows);
    });
  }
}
