import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { catalogueEntry } from '../../src/cost/catalogue.ts';
import { deviceCost, deviceModel } from '../../src/cost/device-cost.ts';
import { evenPlan } from '../../src/cost/plan.ts';
import { accountsOf } from '../../src/lab/accounts.ts';
import { ACCOUNT_NAMES } from '../../src/lab/experiment.ts';
import type { ProblemSamples } from '../../src/lab/gather.ts';
import type { Setting } from '../../src/lab/store.ts';
import { madeResults } from './made.ts';

const shape = catalogueEntry('Qwen3-0.6B');
const setting: Setting = { ...madeResults().header.setting, shape, precision: { weights: 'f16', kv: 'f16' } };
const account = (id: string) => accountsOf(ACCOUNT_NAMES, setting).find((one) => one.id === id)!;

function problem(lengths: readonly number[], promptTokens = 40): ProblemSamples {
  return {
    task: 'countdown',
    difficulty: 3,
    index: 0,
    thinking: 64,
    kv: 'dense',
    promptTokens,
    prompt: { flops: 1000, bytes: 100 },
    samples: lengths.map((tokens, seed) => ({
      seed,
      reasoning: '',
      answer: '',
      correct: false,
      tokens,
      finish: 'stop',
      logprob: { sum: 0, count: 0 },
      cost: { flops: 10 * tokens, bytes: 2 * tokens },
    })),
  };
}

const lengthsArbitrary = fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 10 });

describe('accounts', () => {
  it('are there as far as the setting tells what they need', () => {
    const ids = (over: Partial<Setting>) => accountsOf(ACCOUNT_NAMES, { ...setting, ...over }).map(({ id }) => id);
    expect(ids({})).toEqual(['measured-paper', 'measured-device', 'paper', 'paper-code', 'device']);
    expect(ids({ intensity: null })).toEqual(['measured-paper', 'paper', 'paper-code']);
    expect(ids({ shape: null })).toEqual(['measured-paper', 'measured-device']);
    expect(accountsOf(['paper'], setting).map(({ id }) => id)).toEqual(['paper']);
  });

  it("the paper's is Eq. 4 with the means of length and squared length over the samples", () => {
    const [P, D, r, I] = [596049920, 57344, 2, 562.5];
    fc.assert(
      fc.property(lengthsArbitrary, fc.integer({ min: 1, max: 32 }), fc.nat(500), (lengths, N, c) => {
        const first = lengths.reduce((sum, n) => sum + n, 0) / lengths.length;
        const second = lengths.reduce((sum, n) => sum + n * n, 0) / lengths.length;
        const expected =
          2 * N * P * first +
          2 * r * N * c * D * first +
          r * N * D * second +
          2 * I * c * D * first +
          I * N * D * second;
        expect(account('paper').eflops(problem(lengths, c), N) / expected).toBeCloseTo(1, 9);
      }),
    );
  });

  it("the authors' code gives what they print: 8B is left to the cost room, the small one here", () => {
    // Qwen3-0.6B, prompt 128, 4096 tokens, dense, N = 1: 2·P·n with their P of 0.752e9, and attention of 16 heads.
    const compute = 2 * 0.752e9 * 4096 + 2 * (2 * 128 + 4096) * 4096 * 16 * 3584;
    const memory = 2 * (2 * 128 + 4096) * 4096 * 8 * 3584 * 562.5;
    expect(account('paper-code').eflops(problem([4096, 4096], 128), 1) / (compute + memory)).toBeCloseTo(1, 12);
  });

  it("the device's is the device's form where all samples are alike, and reads weights for the longest", () => {
    const model = deviceModel(shape, setting.precision);
    const plan = (tokens: number, n: number) => evenPlan(40, tokens, n, { kind: 'dense' });
    const cost = (tokens: number, n: number) => deviceCost(model, plan(tokens, n), {}, { intensity: 10 }).total * 1e12;
    expect(account('device').eflops(problem([300, 300, 300]), 2)).toBeCloseTo(cost(300, 2), -3);
    // One chain of 100 or 300 tokens, evenly; two together run 300 steps.
    expect(account('device').eflops(problem([100, 300]), 1)).toBeCloseTo((cost(100, 1) + cost(300, 1)) / 2, -3);
    const together = account('device').eflops(problem([100, 300]), 2);
    expect(together).toBeLessThan(cost(100, 1) + cost(300, 1));
    expect(together).toBeGreaterThan(cost(300, 1));
  });

  it('what was measured grows by a mean chain with every chain', () => {
    fc.assert(
      fc.property(lengthsArbitrary, fc.integer({ min: 1, max: 32 }), (lengths, n) => {
        const chain = lengths.reduce((sum, tokens) => sum + tokens, 0) / lengths.length;
        const expected = 1000 + 10 * n * chain + 10 * (100 + 2 * n * chain);
        expect(account('measured-device').eflops(problem(lengths), n) / expected).toBeCloseTo(1, 9);
      }),
    );
  });
});
