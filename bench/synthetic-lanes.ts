/** An engine on random weights whose lanes are told that they hold as many tokens as asked for. */
import { type ModelConfig, streamTensors, syntheticSource } from '../src/checkpoint/index.ts';
import { GpuEngine } from '../src/engine/engine.ts';
import type { StepRecord } from '../src/engine/stepper.ts';
import type { AttentionPolicy, Lane } from '../src/engine/types.ts';
import { type Gpu, openGpu } from '../src/gpu/index.ts';
import type { KvPrecision } from '../src/kernels/precision.ts';
import { PAGE_SIZE } from '../src/kernels/step.ts';
import { Decoder } from '../src/model/decoder.ts';
import { kvBytesPerToken } from '../src/model/kv-cache.ts';
import { uploadWeights } from '../src/model/weights.ts';
import { openNodeGpu } from '../src/node/gpu.ts';
import { median } from './statistics.ts';

/** How lanes came by their context: each on its own; or forked from one prompt, which they read together or each for itself. */
export const PROMPTS = ['own', 'together', 'apart'] as const;
export type PromptKind = (typeof PROMPTS)[number];

export interface Measured {
  /** Of a token for every lane, median; GPU time where there are timestamps. */
  msPerStep: number;
  /** What the ledger says a step moves, weights included. */
  bytesPerStep: number;
  /** Of it, what choices of blocks move: the scan of summaries or keys, scores, and lists. */
  searchBytesPerStep: number;
}

export class SyntheticLanes {
  readonly #gpu: Gpu;
  readonly #engine: GpuEngine;

  private constructor(gpu: Gpu, engine: GpuEngine) {
    this.#gpu = gpu;
    this.#engine = engine;
  }

  static async open(
    config: ModelConfig,
    kv: KvPrecision,
    { lanes, longest, held }: { lanes: number; longest: number; held: number },
    driver: 'auto' | 'system' | 'software',
    kernels: 'gpu' | 'serial' | undefined,
  ): Promise<SyntheticLanes> {
    const { gpu: api } = await openNodeGpu({ driver });
    const gpu = await openGpu({ gpu: api, timestamps: true });
    const source = syntheticSource(config, { seed: 1, dtype: 'F16' });
    const weights = await uploadWeights(gpu, config, { precision: 'f16' }, streamTensors(source, config));
    const decoder = await Decoder.create(
      gpu,
      config,
      weights,
      { weights: 'f16', kv },
      {
        maxLanes: lanes,
        maxContext: longest,
        // Whole pages, with summaries.
        kvBytes: (1.1 * held + lanes * PAGE_SIZE) * kvBytesPerToken(config, kv),
        prefillRows: 8,
        ...(kernels ? { serialAttention: kernels === 'serial' } : {}),
      },
    );
    for (const { summaries } of decoder.cache.flat()) if (summaries) fillRandom(gpu, summaries, kv === 'f32' ? 4 : 2);
    const engine = new GpuEngine({
      gpu,
      decoder,
      codec: {
        encode: () => [],
        decode: () => '',
        sink: () => ({ push: () => ({ text: '', stopped: false }), flush: () => '' }),
      },
      stopTokens: [],
      identity: { model: 'bench' },
    });
    return new SyntheticLanes(gpu, engine);
  }

  get device(): string {
    return this.#gpu.profile.name;
  }

  /** @throws ReckonError `over-capacity` where the lanes do not fit. */
  async measure(
    lanes: number,
    context: number,
    policy: AttentionPolicy,
    prompt: PromptKind,
    steps: number,
  ): Promise<Measured> {
    const engine = this.#engine;
    engine.admit({ lanes, shared: prompt === 'own' ? 0 : context, length: context + steps + 2 });
    const tokens = Array.from({ length: context }, (_, i) => i % engine.vocabulary);
    engine.sharePrompt = prompt !== 'apart';
    const opened = Array.from({ length: prompt === 'own' ? lanes : 1 }, () => engine.open());
    const records: StepRecord[] = [];
    const before = engine.ledger.snapshot().classes.search.bytes;
    const stop = engine.onStep((record) => records.push(record));
    try {
      for (const lane of opened) engine.pretend(lane, tokens);
      if (prompt !== 'own') opened.push(...opened[0]!.fork(lanes - 1));
      for (const lane of opened) lane.attention = policy;
      await Promise.all(opened.map((lane, i) => drain(lane, steps + 1, i)));
    } finally {
      stop();
      for (const lane of opened) lane.dispose();
    }
    const rounds = roundsOf(records, lanes);
    const searched = engine.ledger.snapshot().classes.search.bytes - before;
    return {
      msPerStep: median(rounds.map(({ ms }) => ms)),
      bytesPerStep: median(rounds.map(({ bytes }) => bytes)),
      searchBytesPerStep: searched / (steps + 1),
    };
  }

  dispose(): void {
    this.#engine.dispose();
  }
}

/**
 * Rounds in which every lane got a token, but the first, which warms up. A round is a step, or several where the partial results
 * of all lanes do not fit one.
 */
function roundsOf(records: readonly StepRecord[], lanes: number): { ms: number; bytes: number }[] {
  const rounds: { ms: number; bytes: number }[] = [];
  let [rows, ms, bytes] = [0, 0, 0];
  for (const { decodeRows, gpuMs, stepMs, bytes: moved } of records) {
    rows += decodeRows;
    ms += gpuMs ?? stepMs;
    bytes += moved;
    if (rows < lanes) continue;
    rounds.push({ ms: (ms * lanes) / rows, bytes: (bytes * lanes) / rows });
    [rows, ms, bytes] = [0, 0, 0];
  }
  return rounds.slice(1);
}

/** Numbers of ±0.5 … 1, the same megabyte over and over. */
function fillRandom(gpu: Gpu, buffer: GPUBuffer, bytes: 2 | 4): void {
  const words = new Uint32Array(2 ** 18);
  for (let i = 0; i < words.length; i++) {
    const bits = Math.floor(Math.random() * 2 ** 32);
    words[i] = bytes === 4 ? (bits & 0x807fffff) | 0x3f000000 : (bits & 0x83ff83ff) | 0x38003800;
  }
  for (let at = 0; at < buffer.size; at += words.byteLength) {
    gpu.device.queue.writeBuffer(buffer, at, words, 0, Math.min(words.byteLength, buffer.size - at) / 4);
  }
}

async function drain(lane: Lane, tokens: number, seed: number): Promise<void> {
  for await (const _ of lane.generate({ maxTokens: tokens, stopTokens: [], seed })) void _;
}
