import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReckonError, type ReckonError } from '../../src/errors.ts';
import { eflopsOf, PAPER_INTENSITY } from '../../src/strategies/budget.ts';
import { type Budget, runStrategy, type StrategyContext } from '../../src/strategies/index.ts';
import type { ReferenceEngine } from '../reference/engine.ts';
import { protoDialect, protoEngine, protoPrompt, tinyEngine } from '../reference/proto.ts';
import { expectWellFormed, only, read, type Told } from './stream.ts';

const EASY = 'A says B and A are different. B says A and B are different.';

function contextOf(engine: ReferenceEngine, over: Partial<StrategyContext> = {}): StrategyContext {
  return {
    engine,
    prompt: protoPrompt(EASY),
    dialect: protoDialect,
    sampling: { seed: 1 },
    thinking: { maxTokens: 120 },
    answer: { maxTokens: 24 },
    ...over,
  };
}

/** A model that does not close by itself, so that only limits end it. */
const NEVER_CLOSES = new Map([
  [4, Number.NEGATIVE_INFINITY],
  [3, Number.NEGATIVE_INFINITY],
  [0, Number.NEGATIVE_INFINITY],
  [2, Number.NEGATIVE_INFINITY],
]);

function spentOf({ answer }: Told, name: keyof Budget, intensity = PAPER_INTENSITY): number {
  const { ledger, completionTokens } = answer.usage;
  if (name === 'tokens') return completionTokens;
  return name === 'bytes' ? ledger.bytes : eflopsOf(ledger, intensity);
}

describe('a budget', () => {
  it('is overshot by at most 2 % in 200 random runs, and the lanes still answer', async () => {
    const used: number[] = [];
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          weights: fc.nat(1000),
          seed: fc.maxSafeNat(),
          n: fc.integer({ min: 1, max: 8 }),
          prompt: fc.integer({ min: 2, max: 40 }),
          thinking: fc.integer({ min: 1, max: 100 }),
          shareWeights: fc.boolean(),
          runAhead: fc.constantFrom(0, 4),
          answer: fc.integer({ min: 1, max: 32 }),
          closes: fc.boolean(),
          name: fc.constantFrom('tokens' as const, 'eflops' as const, 'bytes' as const),
          fraction: fc.double({ min: 0, max: 1.1, noNaN: true }),
          intensity: fc.constantFrom(0, 10, PAPER_INTENSITY),
          thinks: fc.boolean(),
        }),
        async ({
          weights,
          seed,
          n,
          prompt,
          thinking,
          answer,
          closes,
          name,
          fraction,
          intensity,
          thinks,
          ...engineOptions
        }) => {
          const engine = tinyEngine(weights, engineOptions);
          const context = contextOf(engine, {
            prompt: Array.from({ length: prompt }, (_, i) => 5 + ((seed + i) % 50)),
            dialect: { ...protoDialect, thinks },
            sampling: { seed, biases: closes ? new Map() : NEVER_CLOSES },
            thinking: { maxTokens: thinking },
            answer: { maxTokens: answer },
            intensity,
          });
          const options = { n, select: 'logprob', earlyStop: false } as const;
          const run = (budget: Budget) => read(runStrategy('best-of-n', { ...context, budget }, options));
          const free = spentOf(await run({}), name, intensity);
          const refusal: unknown = await run({ [name]: 0.5 }).catch((error: unknown) => error);
          expect(isReckonError(refusal, 'over-capacity')).toBe(true);
          const { least } = (refusal as ReckonError).details as { least: number };
          const limit = least + fraction * Math.max(0, free - least);
          const told = await run({ [name]: limit });
          expect(engine.lanes.size).toBe(0);
          expectWellFormed(told, n);
          expect(spentOf(told, name, intensity)).toBeLessThanOrEqual(1.02 * limit);
          if (name === 'tokens') expect(spentOf(told, name)).toBeLessThanOrEqual(limit);
          const last = only(told.events, 'budget').at(-1)!;
          expect(last.spent[name]).toBeCloseTo(spentOf(told, name, intensity), 5);
          expect(last.fraction).toBeCloseTo(last.spent[name] / limit, 9);
          for (const candidate of told.answer.candidates) expect(['stop', 'length']).toContain(candidate.finish);
          if (limit < free && !closes && thinks) used.push(last.fraction);
        },
      ),
      { numRuns: 200 },
    );
    // A limit that binds is also used: on the average of those runs, most of it.
    expect(used.length).toBeGreaterThan(10);
    expect(used.reduce((a, b) => a + b) / used.length).toBeGreaterThan(0.8);
  });

  it('tells the least that would do, and that does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('tokens' as const, 'eflops' as const, 'bytes' as const),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 24 }),
        async (name, n, answer) => {
          const engine = tinyEngine(3);
          const context = contextOf(engine, { answer: { maxTokens: answer } });
          const run = (limit: number) =>
            read(runStrategy('best-of-n', { ...context, budget: { [name]: limit } }, { n, select: 'logprob' }));
          // What the prompt costs, and a bit: enough to be read, not to go on.
          const { ledger } = (
            await read(
              runStrategy('best-of-n', { ...context, answer: { maxTokens: 1 }, thinking: { maxTokens: 1 } }, { n: 1 }),
            )
          ).answer.usage;
          const little = name === 'tokens' ? 1 : name === 'bytes' ? ledger.bytes : eflopsOf(ledger, PAPER_INTENSITY);
          const refusal = await run(little).catch((e: unknown) => e);
          expect(isReckonError(refusal, 'over-capacity')).toBe(true);
          const { least } = (refusal as { details: { least: number } } & Error).details;
          const told = await run(least);
          expectWellFormed(told, n);
          expect(spentOf(told, name)).toBeLessThanOrEqual(least * 1.02);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('refuses a prompt that alone is too dear, before it is read to its end', async () => {
    const engine = tinyEngine(3, { maxContext: 400 });
    const prompt = Array.from({ length: 200 }, (_, i) => 5 + (i % 50));
    const error = await read(
      runStrategy('best-of-n', contextOf(engine, { prompt, budget: { bytes: 200_000 } }), { n: 2 }),
    ).catch((e: unknown) => e);
    expect(isReckonError(error, 'over-capacity')).toBe(true);
    expect((error as Error).message).toMatch(/200000 bytes is too small for 2 lanes/);
    expect(engine.ledger.classes.linear.bytes).toBeLessThan(200_000);
    expect(engine.lanes.size).toBe(0);
  });

  it('gives what lanes that end leave to those that still think', async () => {
    const engine = protoEngine();
    const budget = { tokens: 170 };
    const told = await read(
      runStrategy('best-of-n', contextOf(engine, { budget, thinking: { maxTokens: 300 } }), {
        n: 4,
        select: 'logprob',
        earlyStop: false,
      }),
    );
    const spent = told.answer.candidates.map(({ tokens }) => tokens);
    expect(told.answer.usage.completionTokens).toBeLessThanOrEqual(170);
    expect(Math.max(...spent)).toBeGreaterThan(60);
  });

  it('of time concludes as the clock nears, and the answers are finished', async () => {
    const engine = tinyEngine(5);
    // Time is work: ten milliseconds a row.
    const clock = () => engine.ledger.rows * 10;
    const run = (budget: Budget) =>
      read(
        runStrategy(
          'best-of-n',
          contextOf(engine, { sampling: { seed: 3, biases: NEVER_CLOSES }, answer: { maxTokens: 8 }, budget, clock }),
          { n: 3, select: 'logprob', earlyStop: false },
        ),
      );
    const free = await run({ seconds: 1000 });
    expect(only(free.events, 'steer')).toHaveLength(0);
    expect(only(free.events, 'budget').at(-1)!.state).toBe('running');
    const seconds = 0.6 * free.answer.usage.seconds;
    const told = await run({ seconds });
    expectWellFormed(told, 3);
    expect(told.answer.usage.seconds).toBeLessThan(1.05 * seconds);
    expect(told.answer.usage.seconds).toBeGreaterThan(0.8 * seconds);
    for (const candidate of told.answer.candidates) expect(candidate.answer).not.toBe('');
    expect(only(told.events, 'steer').map(({ action }) => action)).toEqual(['close', 'close', 'close']);
    expect(only(told.events, 'budget').at(-1)!.state).toBe('concluding');
    // Time is up before anything was thought: every lane still answers.
    const none = await run({ seconds: 0.001 });
    expect(none.answer.candidates.every(({ answer, reasoning }) => answer !== '' && reasoning === '')).toBe(true);
  });

  it('says what is spent, ever more, and at the end what the run did', async () => {
    const engine = tinyEngine(5);
    const budget = { tokens: 150, bytes: 1e12 };
    const context = contextOf(engine, { sampling: { seed: 3, biases: NEVER_CLOSES }, budget, intensity: 2 });
    const { events, answer } = await read(runStrategy('best-of-n', context, { n: 2, select: 'logprob' }));
    const told = only(events, 'budget');
    const { ledger, completionTokens, seconds } = answer.usage;
    expect(told.at(-1)).toEqual({
      type: 'budget',
      spent: { tokens: completionTokens, seconds, eflops: ledger.flops + 2 * ledger.bytes, bytes: ledger.bytes },
      budget,
      fraction: completionTokens / 150,
      state: 'concluding',
    });
    expect(told.map(({ fraction }) => fraction)).toEqual(
      told.map(({ fraction }) => fraction).toSorted((a, b) => a - b),
    );
    expect(told.length).toBeLessThanOrEqual(2 + seconds * 10);
  });

  it.each([
    [{ tokens: 0 }, /budget\.tokens is 0/],
    [{ bytes: Number.NaN }, /budget\.bytes is NaN/],
    [{ euros: 3 }, /no option "euros"/],
  ])('%j is refused', async (budget, message) => {
    const run = read(runStrategy('best-of-n', contextOf(tinyEngine(1), { budget: budget as Budget }), { n: 2 }));
    await expect(run).rejects.toThrow(message);
  });
});
