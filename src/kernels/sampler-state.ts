/** How each lane draws: settings checked, packed and kept on the GPU, where the sampling kernel reads them. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';

/** The sampling settings of a call, all optional (`Sampling` of the engine has this shape). */
export interface SamplingInput {
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  seed?: number;
  biases?: ReadonlyMap<number, number>;
}

/** Settings complete and checked. Biases are sorted by token; −Infinity bans. */
export interface ResolvedSampling {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly seed: number;
  readonly biases: readonly (readonly [token: number, bias: number])[];
}

export interface SamplerLimits {
  /** Tokens the model knows. At most 2^20. */
  vocab: number;
  /** Lane slots. */
  slots: number;
  /** Biases all slots have room for together. */
  maxBiases: number;
}

/** u32 words of a slot's settings (`Params` in shaders/sample/draw.wesl). */
export const SLOT_WORDS = 8;
/** What a ban is on the GPU: far below any logit, and finite, as shaders may assume all numbers to be. */
const BAN = -3e38;
/** Finite biases stay well clear of bans. */
const MAX_BIAS = 1e30;
/** 1 / T in f32 without overflow: temperatures below are as good as greedy. */
const MAX_INVERSE_TEMPERATURE = 1e30;

/**
 * Checks sampling settings and fills in the defaults; a missing seed is drawn.
 * @param vocab tokens the model knows.
 * @throws ReckonError `bad-option` naming the setting, its value and what it may be.
 */
export function resolveSampling(input: SamplingInput, vocab: number): ResolvedSampling {
  const temperature = finite('temperature', input.temperature ?? 1, { min: 0 });
  const topK = checkNumber('topK', input.topK ?? 0, { min: 0, integer: true });
  const topP = checkNumber('topP', input.topP ?? 1, { min: 0, max: 1 });
  const minP = checkNumber('minP', input.minP ?? 0, { min: 0, max: 1 });
  const repetitionPenalty = finite('repetitionPenalty', input.repetitionPenalty ?? 1, { min: 0, exclusiveMin: true });
  const seed = checkNumber('seed', input.seed ?? drawSeed(), { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
  return { temperature, topK, topP, minP, repetitionPenalty, seed, biases: resolveBiases(input.biases, vocab) };
}

function resolveBiases(biases: ReadonlyMap<number, number> | undefined, vocab: number): [number, number][] {
  if (biases === undefined || biases.size === 0) return [];
  let bans = 0;
  for (const [token, bias] of biases) {
    if (!Number.isInteger(token) || token < 0 || token >= vocab) {
      throw new ReckonError('bad-option', `biases names token ${token}; the model knows tokens 0 to ${vocab - 1}.`, {
        details: { token, vocab },
      });
    }
    if (bias === Number.NEGATIVE_INFINITY) bans++;
    else if (!(Math.abs(bias) <= MAX_BIAS)) {
      throw new ReckonError('bad-option', `The bias of token ${token} is ${bias}; it must be a finite number.`, {
        hint: 'Use -Infinity to ban a token; to force one, ban all others.',
        details: { token, bias },
      });
    }
  }
  if (bans === vocab) {
    throw new ReckonError('bad-option', `biases bans all ${vocab} tokens: nothing is left to draw.`, {
      hint: 'Leave at least one token unbanned.',
    });
  }
  return [...biases].sort(([a], [b]) => a - b);
}

/** A checked number that must also survive as f32. */
function finite(name: string, value: unknown, range: { min: number; exclusiveMin?: boolean }): number {
  return checkNumber(name, value, { ...range, max: 1e30 });
}

/** 53 random bits. */
function drawSeed(): number {
  const [low, high] = crypto.getRandomValues(new Uint32Array(2));
  return (high! >>> 11) * 2 ** 32 + low!;
}

/** Key of the random stream of a seed: low word xor a multiplicative hash of the high one. */
export function streamKey(seed: number): number {
  const high = Math.floor(seed / 2 ** 32);
  return ((seed % 2 ** 32) ^ Math.imul(high, 0x9e3779b9)) >>> 0;
}

/** Writes a slot's settings as the kernel reads them: `SLOT_WORDS` words. Biases: pairs `first` … of the pool. */
export function packSlot(into: Uint32Array, sampling: ResolvedSampling, vocab: number, firstBias: number): void {
  const words = new Float32Array(into.buffer, into.byteOffset, SLOT_WORDS);
  const { temperature, topK, topP, minP } = sampling;
  words[0] = temperature === 0 ? 0 : Math.min(1 / temperature, MAX_INVERSE_TEMPERATURE);
  words[1] = Math.max(Math.log(minP), BAN);
  into[2] = topP >= 1 ? 0 : Math.min(Math.max(Math.round(topP * 2 ** 32), 1), 2 ** 32 - 1);
  into[3] = topK >= vocab ? 0 : topK;
  words[4] = sampling.repetitionPenalty;
  into[5] = streamKey(sampling.seed);
  into[6] = firstBias;
  into[7] = sampling.biases.length;
}

/** What a slot's draws compel: passes over the logits row, and whether each also reads the tokens held. */
export interface DrawShape {
  readonly topK: boolean;
  readonly topP: boolean;
  readonly greedy: boolean;
  readonly penalty: boolean;
}

interface Slot {
  sampling: ResolvedSampling;
  /** First pair in the pool. */
  first: number;
}

/**
 * Settings, biases and held tokens of all lane slots on the GPU. Uploads go through the queue: they hold for steps
 * submitted later, and never disturb one that was.
 */
export class SamplerState {
  /** [slots] × SLOT_WORDS, then the pool of (token, f32 bias) pairs from word `poolWord` on. */
  readonly settings: GPUBuffer;
  /** [slots][seenWords] bits. */
  readonly seen: GPUBuffer;
  readonly seenWords: number;
  readonly poolWord: number;
  readonly limits: SamplerLimits;

  readonly #gpu: Gpu;
  readonly #slots: (Slot | undefined)[] = [];
  readonly #pool: Uint32Array<ArrayBuffer>;
  readonly #packed = new Uint32Array(SLOT_WORDS);
  /** Pairs of the pool up to the last one in use. */
  #used = 0;

  constructor(gpu: Gpu, limits: SamplerLimits) {
    for (const name of ['vocab', 'slots'] as const) checkNumber(name, limits[name], { min: 1, integer: true });
    checkNumber('maxBiases', limits.maxBiases, { min: 0, integer: true });
    this.#gpu = gpu;
    this.limits = limits;
    this.seenWords = Math.ceil(limits.vocab / 32);
    this.poolWord = limits.slots * SLOT_WORDS;
    this.#pool = new Uint32Array(limits.maxBiases * 2);
    this.settings = gpu.buffer('sampler settings', (this.poolWord + limits.maxBiases * 2) * 4);
    this.seen = gpu.buffer('sampler seen tokens', limits.slots * this.seenWords * 4);
  }

  /**
   * From the next step on, the lane in `slot` draws by `sampling`.
   * @throws ReckonError `bad-option` when its biases do not fit into what the pool has left; the slot keeps what it had.
   */
  setSlot(slot: number, sampling: ResolvedSampling): void {
    this.#check(slot);
    const first = this.#place(slot, sampling.biases);
    this.#slots[slot] = { sampling, first };
    this.#uploadSlot(slot);
  }

  /** Gives the slot's biases back to the pool. */
  clearSlot(slot: number): void {
    this.#check(slot);
    this.#slots[slot] = undefined;
  }

  /**
   * Sets the tokens that the lane in `slot` holds, for the repetition penalty; replaces what was set or drawn before.
   * Needed only where the penalty is not 1, before its first draw; the kernel adds what it draws.
   */
  setSeen(slot: number, tokens: Iterable<number>): void {
    this.#check(slot);
    const bits = new Uint32Array(this.seenWords);
    for (const token of tokens) {
      if (!(token >= 0 && token < this.limits.vocab)) {
        throw new ReckonError(
          'internal',
          `Lane slot ${slot} cannot hold token ${token}: there are ${this.limits.vocab}.`,
        );
      }
      bits[token >>> 5]! |= 1 << (token & 31);
    }
    this.#gpu.device.queue.writeBuffer(this.seen, slot * this.seenWords * 4, bits);
  }

  /** What drawing for `slot` takes. */
  draw(slot: number): DrawShape {
    const sampling = this.#slots[slot]?.sampling;
    if (!sampling) throw new ReckonError('internal', `Lane slot ${slot} has no sampling settings.`);
    const greedy = sampling.temperature === 0;
    return {
      greedy,
      topK: !greedy && sampling.topK > 0 && sampling.topK < this.limits.vocab,
      topP: !greedy && sampling.topP < 1,
      penalty: sampling.repetitionPenalty !== 1,
    };
  }

  dispose(): void {
    this.#gpu.free(this.settings);
    this.#gpu.free(this.seen);
  }

  #check(slot: number): void {
    if (!Number.isInteger(slot) || slot < 0 || slot >= this.limits.slots) {
      throw new ReckonError('internal', `There is no lane slot ${slot}: ${this.limits.slots} exist.`);
    }
  }

  /** Puts biases into the pool and returns their first pair; moves the others together when the end is reached. */
  #place(slot: number, biases: ResolvedSampling['biases']): number {
    if (biases.length === 0) return 0;
    const { maxBiases } = this.limits;
    let others = 0;
    for (const [i, other] of this.#slots.entries()) if (i !== slot && other) others += other.sampling.biases.length;
    if (others + biases.length > maxBiases) {
      throw new ReckonError(
        'bad-option',
        `biases has ${biases.length} entries; there is room for ${maxBiases - others} (${maxBiases} for all lanes together).`,
        {
          hint: 'Bias fewer tokens, run fewer lanes with biases at once, or open the engine with a larger maxBiases.',
          details: { asked: biases.length, free: maxBiases - others, maxBiases },
        },
      );
    }
    const held = this.#slots[slot];
    if (held && held.sampling.biases.length >= biases.length) {
      this.#write(held.first, biases);
      return held.first;
    }
    if (this.#used + biases.length > maxBiases) this.#compact(slot);
    const first = this.#used;
    this.#used += biases.length;
    this.#write(first, biases);
    return first;
  }

  /** Rewrites the pool without holes and without the biases of `except`. */
  #compact(except: number): void {
    this.#used = 0;
    for (const [i, slot] of this.#slots.entries()) {
      if (i === except || !slot || slot.sampling.biases.length === 0) continue;
      slot.first = this.#used;
      this.#used += slot.sampling.biases.length;
      this.#write(slot.first, slot.sampling.biases);
      this.#uploadSlot(i);
    }
  }

  #write(first: number, biases: ResolvedSampling['biases']): void {
    const values = new Float32Array(this.#pool.buffer);
    let at = first * 2;
    for (const [token, bias] of biases) {
      this.#pool[at++] = token;
      values[at++] = bias === Number.NEGATIVE_INFINITY ? BAN : bias;
    }
    const { queue } = this.#gpu.device;
    queue.writeBuffer(this.settings, (this.poolWord + first * 2) * 4, this.#pool, first * 2, biases.length * 2);
  }

  #uploadSlot(slot: number): void {
    const { sampling, first } = this.#slots[slot]!;
    packSlot(this.#packed, sampling, this.limits.vocab, first);
    this.#gpu.device.queue.writeBuffer(this.settings, slot * SLOT_WORDS * 4, this.#packed);
  }
}
