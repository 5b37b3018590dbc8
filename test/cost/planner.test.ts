import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAttention } from '../../src/cost/attention.ts';
import {
  accuracyPrior,
  catalogueEntry,
  deviceCost,
  deviceModel,
  evenPlan,
  kvBytesPerToken,
  type PlannerModel,
  type PlannerRequest,
  planRun,
  weightBytes,
} from '../../src/cost/index.ts';
import { PLAN_LIMITS } from '../../src/cost/planner-types.ts';
import { isReckonError } from '../../src/errors.ts';

const f16 = { weights: 'f16', kv: 'f16' } as const;

function model(name: string): PlannerModel {
  const { parameters, evidence } = accuracyPrior(name, 'aime24')!;
  return { shape: catalogueEntry(name), accuracy: parameters, evidence, precision: f16 };
}

const MODELS = ['Qwen3-0.6B', 'Qwen3-1.7B', 'Qwen3-4B'].map(model);
const LAPTOP = { figures: { flops: 4e12, bandwidth: 2e11, dispatchSeconds: 4e-6 }, memoryBytes: 12 * 2 ** 30 };
const BASE: PlannerRequest = { prompt: 200, models: MODELS, device: LAPTOP, budget: {}, trials: [1, 4, 16] };

const limit = (from: number, to: number) =>
  fc.option(
    fc.double({ min: Math.log(from), max: Math.log(to), noNaN: true }).map((x) => Math.exp(x)),
    { nil: undefined },
  );
const budgets = fc
  .record({ tokens: limit(10, 1e6), seconds: limit(0.1, 1e4), eflops: limit(1e13, 1e18), bytes: limit(1e10, 1e16) })
  .map((limits) => Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined)));

const requests = fc.record({
  budget: budgets,
  selection: fc.constantFrom('verifier' as const, 'majority' as const),
  attentions: fc.constantFrom(['dense'], ['dense', 'block:16x16'], ['block:16x64', 'window:4+508']),
  memory: fc.integer({ min: 2, max: 40 }),
});

function requestOf({
  budget,
  selection,
  attentions,
  memory,
}: typeof requests extends fc.Arbitrary<infer T> ? T : never) {
  return {
    ...BASE,
    budget,
    selection,
    attentions: attentions.map(parseAttention),
    device: { ...LAPTOP, memoryBytes: memory * 2 ** 30 },
  } satisfies PlannerRequest;
}

/** The advice, or null where nothing fits. */
function tryPlan(request: PlannerRequest) {
  try {
    return planRun(request);
  } catch (error) {
    if (isReckonError(error, 'over-capacity')) return null;
    throw error;
  }
}

describe('planRun', () => {
  it('never goes over the budget, the memory or the context', () => {
    fc.assert(
      fc.property(requests, (drawn) => {
        const request = requestOf(drawn);
        const advice = tryPlan(request);
        if (!advice) return;
        for (const run of [advice.best, ...(advice.runnerUp ? [advice.runnerUp] : [])]) {
          const shape = catalogueEntry(run.model);
          const plan = evenPlan(200, run.tokens, run.trials, run.attention);
          const cost = deviceCost(deviceModel(shape, f16), plan, {}, request.device);
          const spent = {
            tokens: run.tokens * run.trials,
            seconds: cost.seconds!.additive,
            eflops: cost.flops + 562.5 * cost.bytes,
            bytes: cost.bytes,
          };
          expect(run.spending).toEqual(spent);
          for (const name of PLAN_LIMITS) {
            expect(spent[name]).toBeLessThanOrEqual(request.budget[name] ?? Number.POSITIVE_INFINITY);
          }
          const kv = (200 + run.trials * run.tokens) * kvBytesPerToken(shape, 'f16');
          expect(weightBytes(shape, 'f16') + kv).toBeLessThanOrEqual(request.device.memoryBytes);
          expect(200 + run.tokens).toBeLessThanOrEqual(shape.maxContext);
        }
        if (advice.runnerUp) expect(advice.runnerUp.accuracy).toBeLessThanOrEqual(advice.best.accuracy);
      }),
      { numRuns: 60 },
    );
  });

  it('is never worse with more', () => {
    fc.assert(
      fc.property(
        requests,
        fc.constantFrom(...PLAN_LIMITS, 'memory' as const),
        fc.double({ min: 1, max: 20, noNaN: true }),
        (drawn, which, factor) => {
          const less = requestOf(drawn);
          const more =
            which === 'memory'
              ? { ...less, device: { ...less.device, memoryBytes: less.device.memoryBytes * factor } }
              : {
                  ...less,
                  budget: { ...less.budget, [which]: (less.budget[which] ?? Number.MAX_VALUE / 32) * factor },
                };
          const before = tryPlan(less);
          if (before) expect(tryPlan(more)!.best.accuracy).toBeGreaterThanOrEqual(before.best.accuracy);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes a small model when time is short and a larger one when there is time', () => {
    const at = (seconds: number) => planRun({ ...BASE, budget: { seconds } });
    const short = at(20);
    const long = at(1200);
    expect(short.best.model).not.toBe('Qwen3-4B');
    expect(short.bound).toBe('seconds');
    expect(long.best.model).toBe('Qwen3-4B');
    expect(long.best.accuracy).toBeGreaterThan(short.best.accuracy);
  });

  it('says why, and what comes next', () => {
    const { best, runnerUp, reason } = planRun({ ...BASE, budget: { seconds: 300 } });
    expect(reason).toContain(`${best.model}, ${best.trials} trial`);
    expect(reason).toContain(`up to ${best.tokens} tokens, dense: ${(100 * best.accuracy).toFixed(1)} % expected`);
    expect(reason).toContain('The budget of seconds binds');
    expect(reason).toContain(`Next best: ${runnerUp!.model}`);
    expect(reason).toMatch(/Stands on: [\d.]+ % of single trials/);
  });

  it('turns to sparse attention where long contexts are what costs', () => {
    const request = { ...BASE, models: [model('Qwen3-0.6B')], device: { ...LAPTOP, memoryBytes: 80 * 2 ** 30 } };
    const dense = planRun({ ...request, budget: { eflops: 1e17 } });
    const both = planRun({
      ...request,
      budget: { eflops: 1e17 },
      attentions: [{ kind: 'dense' }, parseAttention('block:16x64')],
    });
    expect(both.best.attention.kind).toBe('blockTopK');
    expect(both.best.accuracy).toBeGreaterThan(dense.best.accuracy);
  });

  it('stops where memory or context do, or where nothing more is gained', () => {
    const small = [model('Qwen3-0.6B')];
    const tight = { ...LAPTOP, memoryBytes: 2.5e9 };
    expect(planRun({ ...BASE, models: small, device: tight, trials: [4] }).bound).toBe('memory');
    expect(planRun({ ...BASE, models: small, trials: [1], device: { ...LAPTOP, memoryBytes: 1e12 } }).bound).toBe(
      'context',
    );
    const proto = accuracyPrior('proto', 'knights')!;
    const easy = planRun({
      ...BASE,
      prompt: 40,
      models: [{ shape: catalogueEntry('proto'), accuracy: proto.parameters, precision: f16 }],
    });
    expect(easy.bound).toBe('nothing');
    expect(easy.best.tokens).toBeLessThan(900);
    expect(easy.best.accuracy).toBeGreaterThan(0.99);
  });

  it('tells the least that would do when nothing fits', () => {
    expect(() => planRun({ ...BASE, budget: { seconds: 0.001 } })).toThrow(
      /No plan fits .* The least, Qwen3-0\.6B, 1 trial of up to 16 tokens, dense, needs [\d.]+ seconds, 0\.00100 are allowed\./,
    );
    expect(() => planRun({ ...BASE, device: { ...LAPTOP, memoryBytes: 1e9 } })).toThrow(/bytes of memory/);
    expect(() => planRun({ ...BASE, prompt: 50000 })).toThrow(/leaves no model room .* Qwen3-4B holds 40960/);
  });

  it('refuses what makes no sense', () => {
    expect(() => planRun({ ...BASE, models: [] })).toThrow(/no model/);
    expect(() => planRun({ ...BASE, budget: { tokens: 0 } })).toThrow(/budget\.tokens is 0/);
    expect(() => planRun({ ...BASE, trials: [] })).toThrow(/no number of trials/);
  });
});
