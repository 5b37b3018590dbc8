/**
 * An engine on an OpenAI-compatible server: a strategy or an experiment that outgrows one GPU runs there unchanged. Lanes are real
 * requests, batched by the server; what it caches of a prompt that lanes share is its own affair.
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
import { CountLedger } from '../sequence/counts.ts';
import type { Completion, CompletionsClient } from './client.ts';
import { ServerLane } from './lane.ts';

export interface ServerEngineParts {
  readonly client: CompletionsClient;
  /** As the server names it. */
  readonly model: string;
  readonly codec: TextCodec;
  readonly stopTokens: readonly number[];
  readonly vocabulary: number;
  readonly maxContext: number;
}

/** Requests at a time that strategies may have; the server queues what it cannot take. */
const LANES = 256;

const NOWHERE: DeviceProfile['limits'] = {
  maxBufferSize: 0,
  maxStorageBufferBindingSize: 0,
  maxComputeWorkgroupStorageSize: 0,
  maxComputeInvocationsPerWorkgroup: 0,
  maxComputeWorkgroupsPerDimension: 0,
};

export class ServerEngine implements Engine {
  readonly lacks: readonly EngineFeature[] = ['costs', 'policies'];
  readonly device: DeviceProfile;
  readonly ledger = new CountLedger();
  readonly stopTokens: ReadonlySet<number>;
  readonly vocabulary: number;
  readonly #parts: ServerEngineParts;
  readonly #identity: EngineIdentity;
  readonly #lanes = new Set<ServerLane>();
  #nextId = 0;

  constructor(parts: ServerEngineParts) {
    const { client, model, stopTokens, vocabulary } = parts;
    this.#parts = parts;
    this.#identity = { backend: 'server', model };
    this.stopTokens = new Set(stopTokens);
    this.vocabulary = vocabulary;
    this.device = {
      name: client.name,
      vendor: '',
      architecture: '',
      software: false,
      tuning: 'gpu',
      features: { f16: false, subgroups: false, timestamps: false },
      limits: NOWHERE,
    };
  }

  get capacity(): KvCapacity {
    const { maxContext } = this.#parts;
    // Whether it has room at the moment, only the server knows; it lets requests wait.
    const totalPages = LANES * Math.ceil(maxContext / PAGE_SIZE);
    return { pageSize: PAGE_SIZE, totalPages, freePages: totalPages, bytesPerToken: 0, maxContext, maxLanes: LANES };
  }

  open(tokens: readonly number[] = []): ServerLane {
    const lane = new ServerLane(this, this.#nextId++, tokens);
    this.#lanes.add(lane);
    return lane;
  }

  restore(journal: LaneJournal): ServerLane {
    const { vocabulary, maxContext } = this.#parts;
    const { tokens, attention } = readJournal(journal, this.#identity, { vocabulary, maxContext });
    const lane = this.open(tokens);
    lane.attention = attention;
    return lane;
  }

  save(tokens: readonly number[]): LaneJournal {
    return writeJournal(this.#identity, { tokens, given: 0, attention: { kind: 'dense' } });
  }

  admit(plan: { lanes: number; shared: number; length: number }): void {
    admit(plan, this.capacity);
  }

  encode(text: string): number[] {
    return this.#parts.codec.encode(text);
  }

  decode(tokens: TokenIds): string {
    return this.#parts.codec.decode([...tokens]);
  }

  dispose(): void {
    for (const lane of [...this.#lanes]) lane.dispose();
  }

  // What lanes need of the engine.

  /** @throws ReckonError `unsupported` */
  checkPolicy(policy: AttentionPolicy): void {
    if (policy.kind === 'dense') return;
    throw unsupportedError(this.device.name, 'policies', `choosing which keys a lane attends to (${policy.kind})`);
  }

  close(lane: ServerLane): void {
    this.#lanes.delete(lane);
  }

  stream(body: Record<string, unknown>, signal: AbortSignal): AsyncGenerator<Completion, void, undefined> {
    return this.#parts.client.stream({ model: this.#parts.model, ...body }, signal);
  }

  echo(prompt: readonly number[], signal: AbortSignal): Promise<number[]> {
    return this.#parts.client.echo({ model: this.#parts.model }, prompt, signal);
  }

  textSink(stopStrings: readonly string[]) {
    return this.#parts.codec.sink(stopStrings);
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
}
