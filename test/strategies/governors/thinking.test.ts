import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runStrategy, type StrategyContext, type ThinkingOptions } from '../../../src/strategies/index.ts';
import type { ReferenceEngine } from '../../reference/engine.ts';
import { protoCodec, protoDialect, protoEngine, protoPrompt, tinyEngine } from '../../reference/proto.ts';
import { expectWellFormed, only, read, replay } from '../stream.ts';

const COUNTDOWN = 'Use 1 16 6 to make 96.';
const HARD = 'Use 12 20 18 to make 24.';
const END = 2;
const MARKER = 4;

function contextOf(engine: ReferenceEngine, question: string, over: Partial<StrategyContext> = {}): StrategyContext {
  return {
    engine,
    prompt: protoPrompt(question),
    dialect: protoDialect,
    sampling: { seed: 1, temperature: 0 },
    thinking: { maxTokens: 120 },
    answer: { maxTokens: 24 },
    ...over,
  };
}

/** One chain of thought, well-formed. */
async function think(engine: ReferenceEngine, question: string, over: Partial<StrategyContext>) {
  const told = await read(runStrategy('chain-of-thought', contextOf(engine, question, over)));
  expectWellFormed(told, 1);
  expect(engine.lanes.size).toBe(0);
  const written = replay(told.events, 0);
  return {
    ...told,
    candidate: told.answer.candidates[0]!,
    steers: only(told.events, 'steer'),
    /** Tokens of thinking that were kept; the close is not of them. */
    thought: written.kept
      .filter(({ part, token }) => part === 'thinking' && token !== MARKER)
      .map(({ token }) => token),
    kept: written.kept.map(({ token }) => token),
  };
}

describe('minimum thinking', () => {
  it('by suppression: the model closes nowhere before it, and as it likes after it', async () => {
    const engine = protoEngine();
    const free = await think(engine, COUNTDOWN, {});
    expect(free.thought.length).toBeLessThan(40);
    const made = await think(engine, COUNTDOWN, { thinking: { maxTokens: 120, minTokens: 60 } });
    expect(made.thought.length).toBeGreaterThanOrEqual(60);
    // The marker cannot be drawn; what is taken back is at most the end token, once.
    expect(made.steers.length).toBeLessThanOrEqual(1);
    expect(made.candidate.finish).toBe('stop');
    expect(made.answer.text).not.toBe('');
  });

  it('by a cue: the close is taken back and the cue written in its place', async () => {
    const engine = protoEngine();
    const cue = '\nback';
    const made = await think(engine, COUNTDOWN, {
      thinking: { maxTokens: 120, minTokens: 40, onEarlyClose: 'cue', earlyCue: cue },
    });
    expect(made.steers.map(({ action }) => action)).toContain('cue');
    expect(made.steers[0]!.reason).toMatch(/would have closed after \d+ of at least 40 tokens/);
    expect(only(made.events, 'rewind').length).toBe(made.steers.length);
    expect(made.answer.reasoning).toContain('back');
    expect(made.thought.length).toBeGreaterThanOrEqual(40);
    // The marker taken back is generated, not kept.
    expect(made.kept.filter((token) => token === MARKER)).toHaveLength(1);
    expect(made.candidate.tokens).toBeGreaterThan(made.kept.length);
  });

  it('takes back the end of a turn too', async () => {
    const sampling = { temperature: 0, biases: new Map([[END, 1000]]) };
    const made = await think(protoEngine(), COUNTDOWN, { sampling, thinking: { maxTokens: 60, minTokens: 20 } });
    // With the line break of the forced close.
    expect(made.thought.length).toBe(20 + 1);
    expect(made.steers.map(({ action }) => action)).toEqual(['continue']);
  });

  it('holds for markers of several tokens, which cannot be banned', async () => {
    // The proto vocabulary has no such marker: two of its words stand for one.
    const [one, two] = protoCodec.encode('yes\n') as [number, number];
    const dialect = { ...protoDialect, marker: protoCodec.decode([one, two]), close: 'yes\n' };
    for (const onEarlyClose of ['suppress', 'cue'] as const) {
      const made = await think(protoEngine(), COUNTDOWN, {
        dialect,
        sampling: { temperature: 1, seed: 4 },
        thinking: { maxTokens: 80, minTokens: 50, onEarlyClose, earlyCue: ' no' },
      });
      const marks = made.kept.flatMap((token, i) => (token === one && made.kept[i + 1] === two ? [i] : []));
      expect(marks[0] ?? 50).toBeGreaterThanOrEqual(50);
    }
  });
});

describe('cues on a schedule', () => {
  it('come after every so many tokens, as forced tokens that the model reads', async () => {
    const engine = protoEngine();
    const text = '\nback 12 20 18\n';
    const cue = protoCodec.encode(text);
    const made = await think(engine, HARD, { thinking: { maxTokens: 90, cues: [{ every: 25, text }] } });
    const forced = only(made.events, 'token').filter(
      (token) => token.forced && token.part === 'thinking' && token.token !== MARKER,
    );
    const starts = made.thought.flatMap((_, i) => (cue.every((id, k) => made.thought[i + k] === id) ? [i] : []));
    expect(starts).toEqual(expect.arrayContaining([25, 50, 75]));
    expect(made.steers.filter(({ action }) => action === 'cue')).toHaveLength(3);
    expect(forced.length).toBeGreaterThanOrEqual(3 * cue.length);
    expect(made.answer.reasoning).toContain('back 12 20 18');
  });

  it('never take the thinking over its limit', async () => {
    const made = await think(protoEngine(), HARD, {
      thinking: { maxTokens: 27, cues: [{ every: 25, text: '\nback 1 2\n' }] },
    });
    expect(made.thought.length - protoCodec.encode('\n').length).toBeLessThanOrEqual(27);
  });
});

describe('loops', () => {
  // Greedily, with the marker and the ends banned, the model is driven around in circles.
  const biases = new Map([MARKER, END, 0, 3].map((token) => [token, Number.NEGATIVE_INFINITY]));
  const sampling = { temperature: 0, biases, seed: 7 };

  it('are left alone unless asked', async () => {
    const made = await think(protoEngine(), COUNTDOWN, { sampling });
    expect(made.steers).toHaveLength(0);
    expect(made.thought.length).toBeGreaterThan(100);
  });

  it('stop: the thinking is closed at the first repeat', async () => {
    const made = await think(protoEngine(), COUNTDOWN, { sampling, thinking: { maxTokens: 120, loop: { ngram: 8 } } });
    expect(made.steers).toEqual([
      { type: 'steer', lane: 0, action: 'close', reason: 'It repeated 8 tokens word for word.' },
    ]);
    expect(made.thought.length).toBeLessThan(100);
    expect(made.candidate.finish).not.toBe('abort');
  });

  it('resample: the repeat is taken back, and others are drawn in its place', async () => {
    const made = await think(protoEngine(), COUNTDOWN, {
      sampling: { ...sampling, temperature: 0.7 },
      thinking: { maxTokens: 200, loop: { ngram: 8, action: 'resample', attempts: 2 } },
    });
    const resamples = made.steers.filter(({ action }) => action === 'resample');
    expect(resamples.length).toBeGreaterThan(0);
    expect(resamples.length).toBeLessThanOrEqual(2);
    const rewinds = only(made.events, 'rewind');
    expect(rewinds.length).toBe(resamples.length);
    for (const { tokens } of rewinds) expect(tokens).toBeGreaterThanOrEqual(8);
    expect(made.candidate.tokens).toBeGreaterThan(made.kept.length);
  });

  it('penalise: the model leaves the loop under a repetition penalty', async () => {
    const loop = { ngram: 8, action: 'penalise', penalty: 3, attempts: 1 } as const;
    const made = await think(protoEngine(), COUNTDOWN, { sampling, thinking: { maxTokens: 120, loop } });
    const plain = await think(protoEngine(), COUNTDOWN, { sampling });
    expect(made.steers[0]!.action).toBe('penalise');
    const at = made.thought.findIndex((token, i) => token !== plain.thought[i]);
    expect(at).toBeGreaterThan(8);
    expect(only(made.events, 'rewind')).toHaveLength(0);
  });
});

describe('a stable answer', () => {
  it('ends the thinking, and its probes are paid for', async () => {
    const engine = protoEngine();
    const question = 'A says B and A are different. B says A and B are different.';
    const before = engine.ledger.snapshot();
    const made = await think(engine, question, {
      sampling: { seed: 5, temperature: 0 },
      thinking: { maxTokens: 100, minTokens: 1, stableAnswer: { every: 6, probes: 2 } },
    });
    expect(made.steers.map(({ action }) => action)).toEqual(['close']);
    expect(made.steers[0]!.reason).toBe('Its answer was the same in 2 probes, 6 tokens apart.');
    const whole = await think(protoEngine(), question, { sampling: { temperature: 0 } });
    expect(made.thought.length).toBeLessThan(whole.thought.length);
    expect(made.answer.text).toBe('A is a knave, B is a knave');
    // All that the engine did is on the lane's account: prompt, lane and probes.
    const { ledger } = made.answer.usage;
    expect(ledger.rows).toBe(engine.ledger.rows - before.rows);
    expect(ledger.flops).toBeCloseTo(engine.ledger.snapshot().flops - before.flops, 3);
    expect(ledger.sampled).toBeGreaterThan(made.candidate.logprob.count);
  });

  it('is not sought before the minimum', async () => {
    const made = await think(protoEngine(), 'A says B and A are different. B says A and B are different.', {
      thinking: { maxTokens: 100, minTokens: 18, stableAnswer: { every: 3, probes: 2 } },
    });
    expect(made.thought.length).toBeGreaterThanOrEqual(18);
  });
});

describe('all at once', () => {
  it('on random models the stream keeps its promises, and budgets hold', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          weights: fc.nat(500),
          seed: fc.maxSafeNat(),
          n: fc.integer({ min: 1, max: 4 }),
          maxTokens: fc.integer({ min: 10, max: 60 }),
          minTokens: fc.nat(10),
          onEarlyClose: fc.constantFrom('suppress' as const, 'cue' as const),
          action: fc.constantFrom('stop' as const, 'resample' as const, 'penalise' as const),
          ngram: fc.integer({ min: 2, max: 4 }),
          every: fc.integer({ min: 1, max: 12 }),
          budget: fc.option(fc.integer({ min: 100, max: 400 }), { nil: undefined }),
        }),
        async ({ weights, seed, n, maxTokens, minTokens, onEarlyClose, action, ngram, every, budget }) => {
          const engine = tinyEngine(weights, { maxContext: 512 });
          const thinking: ThinkingOptions = {
            maxTokens,
            minTokens,
            onEarlyClose,
            cues: [{ every, text: '\nback 1' }],
            loop: { ngram, action },
            stableAnswer: { every: every + 3, probes: 2, maxTokens: 4 },
          };
          const context = contextOf(engine, COUNTDOWN, {
            sampling: { seed, temperature: 0.8, biases: new Map([[3, Number.NEGATIVE_INFINITY]]) },
            thinking,
            answer: { maxTokens: 6 },
            ...(budget === undefined ? {} : { budget: { tokens: budget } }),
          });
          const told = await read(runStrategy('best-of-n', context, { n, select: 'logprob', earlyStop: false }));
          expectWellFormed(told, n);
          expect(engine.lanes.size).toBe(0);
          const used = only(told.events, 'budget').at(-1);
          if (budget !== undefined) expect(used!.spent.tokens).toBeLessThanOrEqual(budget);
          for (const candidate of told.answer.candidates) {
            expect(candidate.tokens).toBeLessThanOrEqual(maxTokens + protoCodec.encode('\n</think>\n').length + 6);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('repeats itself with the same seed', async () => {
    const thinking: ThinkingOptions = { maxTokens: 80, minTokens: 40, loop: { ngram: 6, action: 'resample' } };
    const over = { thinking, sampling: { seed: 12, temperature: 0.8 } };
    const one = await think(protoEngine(), HARD, over);
    const other = await think(protoEngine(), HARD, over);
    expect(other.answer.candidates).toEqual(one.answer.candidates);
  });
});

describe('bad settings', () => {
  it.each([
    [{ maxTokens: 10, minTokens: 11 }, /thinking\.minTokens is 11; it must be .* at most 10/],
    [{ maxTokens: 10, onEarlyClose: 'wait' }, /thinking\.onEarlyClose is "wait"\. Choose one of: suppress, cue/],
    [{ maxTokens: 10, earlyCue: '' }, /thinking\.earlyCue is ""/],
    [{ maxTokens: 10, cues: [{ every: 0, text: 'x' }] }, /thinking\.cues\[0\]\.every is 0/],
    [
      { maxTokens: 10, cues: [{ every: 5, text: 'so </think>' }] },
      /thinking\.cues\[0\]\.text .*without <think> and <\/think>/,
    ],
    [{ maxTokens: 10, cues: 'Wait' }, /thinking\.cues is not a list/],
    [{ maxTokens: 10, loop: { ngram: 1 } }, /thinking\.loop\.ngram is 1/],
    [{ maxTokens: 10, loop: { action: 'cry' } }, /thinking\.loop\.action is "cry"/],
    [{ maxTokens: 10, loop: { penalty: 1 } }, /thinking\.loop\.penalty is 1; it must be a number above 1/],
    [{ maxTokens: 10, loop: { attempts: -1 } }, /thinking\.loop\.attempts is -1/],
    [{ maxTokens: 10, stableAnswer: { every: 5, probes: 1 } }, /thinking\.stableAnswer\.probes is 1/],
    [{ maxTokens: 10, stableAnswer: {} }, /thinking\.stableAnswer\.every is undefined/],
  ])('%j is refused before anything runs', async (thinking, message) => {
    const engine = tinyEngine(1);
    const run = read(
      runStrategy('chain-of-thought', contextOf(engine, COUNTDOWN, { thinking: thinking as ThinkingOptions })),
    );
    await expect(run).rejects.toMatchObject({ code: 'bad-option', message: expect.stringMatching(message) });
    expect(engine.ledger.rows).toBe(0);
  });
});
