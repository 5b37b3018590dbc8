import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { resolveSampling, Sampler } from '../../src/kernels/sample.ts';
import { streamKey } from '../../src/kernels/sampler-state.ts';
import { testGpu } from '../support/gpu.ts';
import {
  checkAgainstDefinition,
  checkBadLogits,
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
  it.each([5, 80, 1000])('follows the definition with %i tokens', async (vocab) => {
    await checkAgainstDefinition(gpu, vocab, 64);
  });

  it('does so with wide workgroups', async () => {
    await checkAgainstDefinition(gpu, 700, 16, undefined, 256);
  });

  it('follows the definition with large vocabularies', async () => {
    const settings = [{ temperature: 0 }, { temperature: 0.6, topK: 20, topP: 0.95 }, { temperature: 1, topP: 0.9 }];
    await checkAgainstDefinition(gpu, 32_000, 4, settings);
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
