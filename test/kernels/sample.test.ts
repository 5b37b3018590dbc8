import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { resolveSampling, Sampler } from '../../src/kernels/sample.ts';
import { type SamplingInput, streamKey } from '../../src/kernels/sampler-state.ts';
import { testGpu } from '../support/gpu.ts';
import {
  checkAgainstDefinition,
  checkBadLogits,
  checkBiasPool,
  checkDistribution,
  checkForced,
  checkKeptSets,
  checkNeighbours,
  checkPenaltyAndBiases,
  checkRandomBits,
} from './cases/sample.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

describe('random bits', () => {
  it('are Philox2x32-10, and Gumbel variates of them hold over the whole range', async () => {
    await checkRandomBits(gpu);
  });
});

describe('drawing', () => {
  it.each([
    [5, 64],
    [80, 64],
    [1000, 24],
  ])('follows the definition with %i tokens', async (vocab, rows) => {
    await checkAgainstDefinition(gpu, vocab, rows);
  });

  it('follows the definition with large vocabularies', async () => {
    const settings = [{ temperature: 0 }, { temperature: 0.6, topK: 20, topP: 0.95 }, { temperature: 1, topP: 0.9 }];
    await checkAgainstDefinition(gpu, 32_000, 2, settings);
    await checkAgainstDefinition(gpu, 151_936, 1, [{ temperature: 1, topP: 0.9, minP: 0.001, topK: 5000 }]);
  });

  it('keeps exactly the tokens that top-k, top-p and min-p leave, ties included', async () => {
    await checkKeptSets(gpu);
  });

  it('is distributed as the softmax', async () => {
    await checkDistribution(gpu);
  });

  it('knows penalties, biases and bans, and keeps what it drew', async () => {
    await checkPenaltyAndBiases(gpu);
  });

  it('is the same alone and among others', async () => {
    await checkNeighbours(gpu);
  });

  it('never draws a token that has no finite logit', async () => {
    await checkBadLogits(gpu);
  });
});

describe('scoring', () => {
  it.each([5, 1000, 32_000])('gives the log-probability of any of %i tokens', async (vocab) => {
    await checkForced(gpu, vocab);
  });
});

describe('settings', () => {
  const vocab = 50;
  const refusal = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      if (isReckonError(error, 'bad-option')) return error.message;
      throw error;
    }
    return 'accepted';
  };

  it('have defaults that change nothing, and a seed of their own', () => {
    const { seed, ...rest } = resolveSampling({}, vocab);
    expect(rest).toEqual({ temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, biases: [] });
    expect(Number.isSafeInteger(seed) && seed >= 0).toBe(true);
    expect(resolveSampling({}, vocab).seed).not.toBe(seed);
  });

  it.each([
    [{ temperature: -1 }, 'temperature is -1'],
    [{ temperature: Number.NaN }, 'temperature is NaN'],
    [{ temperature: Number.POSITIVE_INFINITY }, 'temperature is Infinity'],
    [{ topK: 1.5 }, 'topK is 1.5'],
    [{ topK: -1 }, 'topK is -1'],
    [{ topP: 1.01 }, 'topP is 1.01'],
    [{ topP: Number.NaN }, 'topP is NaN'],
    [{ minP: -0.1 }, 'minP is -0.1'],
    [{ repetitionPenalty: 0 }, 'repetitionPenalty is 0'],
    [{ seed: -1 }, 'seed is -1'],
    [{ seed: 2 ** 53 }, 'seed is 9007199254740992'],
    [{ biases: new Map([[vocab, 1]]) }, 'token 50'],
    [{ biases: new Map([[0.5, 1]]) }, 'token 0.5'],
    [{ biases: new Map([[3, Number.NaN]]) }, 'bias of token 3 is NaN'],
    [{ biases: new Map([[3, Number.POSITIVE_INFINITY]]) }, 'bias of token 3 is Infinity'],
    [
      { biases: new Map(Array.from({ length: vocab }, (_, i) => [i, Number.NEGATIVE_INFINITY] as const)) },
      'all 50 tokens',
    ],
  ])('are refused where they make no sense: %o', (input, said) => {
    expect(refusal(() => resolveSampling(input, vocab))).toContain(said);
  });

  it('turn 53 bits of seed into different keys', () => {
    const keys = [0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 52, 2 ** 53 - 1].map(streamKey);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys[0]).toBe(0);
    expect(keys[2]).toBe(0x9e3779b9);
  });

  it('share the bias pool between slots: freed and moved together, never lost', async () => {
    await checkBiasPool(gpu);
  });

  it('of a sampler are checked', async () => {
    const shape = { vocab, slots: 2, maxSamples: 4, maxBiases: 8 };
    for (const bad of [{ vocab: 0 }, { slots: 0 }, { maxSamples: 0.5 }, { maxBiases: -1 }, { vocab: 2 ** 21 }]) {
      const error: unknown = await Sampler.create(gpu, { ...shape, ...bad }).catch((reason: unknown) => reason);
      expect(isReckonError(error, 'bad-option')).toBe(true);
    }
    const wide: unknown = await Sampler.create(gpu, shape, { workgroup: 2 ** 16 }).catch((reason: unknown) => reason);
    expect(isReckonError(wide, 'limit-exceeded')).toBe(true);
  });
});

describe('cost', () => {
  it('counts the passes that a draw makes over its row', async () => {
    const sampler = await Sampler.create(gpu, { vocab: 1000, slots: 32, maxSamples: 1, maxBiases: 0 });
    const bytes = (input: SamplingInput) => {
      sampler.state.setSlot(0, resolveSampling(input, 1000));
      const cost = { flops: 0, bytes: 0 };
      sampler.addDrawCost(0, cost);
      expect(cost.flops).toBeGreaterThan(0);
      return cost.bytes;
    };
    expect(sampler.forcedCost.bytes).toBe(4000);
    expect(bytes({ temperature: 0, topK: 5 })).toBe(4000);
    expect(bytes({})).toBe(8000);
    expect(bytes({ topK: 1000 })).toBe(8000);
    expect(bytes({ topK: 5 })).toBe(24_000);
    expect(bytes({ topK: 5, topP: 0.9 })).toBe(40_000);
    expect(bytes({ repetitionPenalty: 1.1 })).toBe(2 * (4000 + 128));
    sampler.dispose();
  });
});
