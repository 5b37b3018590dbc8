import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReckonError, ReckonError } from '../../src/errors.ts';
import { runStrategy, type StrategyContext } from '../../src/strategies/index.ts';
import { laneSeed } from '../../src/strategies/seeds.ts';
import { SELECTOR_NAMES } from '../../src/strategies/select.ts';
import { problemFromText, taskById } from '../../src/tasks/index.ts';
import type { ReferenceEngine } from '../reference/engine.ts';
import { protoCodec, protoDialect, protoEngine, protoPrompt, tinyEngine } from '../reference/proto.ts';
import { expectWellFormed, only, read } from './stream.ts';

function contextOf(engine: ReferenceEngine, question: string, over: Partial<StrategyContext> = {}): StrategyContext {
  return {
    engine,
    prompt: protoPrompt(question),
    dialect: protoDialect,
    sampling: { seed: 1 },
    thinking: { maxTokens: 150 },
    answer: { maxTokens: 32 },
    ...over,
  };
}

/** The context of a puzzle, with its verifier. */
function puzzle(engine: ReferenceEngine, text: string, over: Partial<StrategyContext> = {}): StrategyContext {
  const problem = problemFromText(text);
  const verify = (answer: string) => taskById(problem.task).verify(problem, answer);
  return contextOf(engine, problem.prompt, { verify, ...over });
}

const EASY = 'A says B and A are different. B says A and B are different.';
const COUNTDOWN = 'Use 1 16 6 to make 96.';

describe('best-of-n on the proto model', () => {
  it('solves a puzzle: verdicts agree with the verifier, the chosen one is right, no lane is left', async () => {
    const engine = protoEngine();
    const context = puzzle(engine, EASY);
    const told = await read(runStrategy('best-of-n', context, { n: 4, earlyStop: false }));
    expectWellFormed(told, 4);
    const { answer } = told;
    for (const candidate of answer.candidates) expect(candidate.verdict).toEqual(context.verify!(candidate.answer));
    expect(answer.candidates[answer.chosen!]!.verdict!.correct).toBe(true);
    expect(answer.text).toBe('A is a knave, B is a knave');
    expect(answer.reasoning).toContain('suppose');
    expect(answer.usage.promptTokens).toBe(context.prompt.length);
    expect(only(told.events, 'score').filter((event) => event.verdict)).toHaveLength(4);
    // The prompt was read once: its rows are in the total and in no lane.
    const cost = only(told.events, 'cost').at(-1)!;
    const rows = cost.lanes.reduce((sum, lane) => sum + lane.rows, 0);
    expect(cost.total.rows).toBe(rows + context.prompt.length);
    expect(rows).toBeLessThanOrEqual(answer.usage.completionTokens);
    expect(engine.lanes.size).toBe(0);
  });

  it('stops the others as soon as one is right, and says why', async () => {
    const engine = protoEngine();
    const told = await read(runStrategy('best-of-n', puzzle(engine, COUNTDOWN), { n: 4 }));
    expectWellFormed(told, 4);
    expect(told.answer.candidates[told.answer.chosen!]!.verdict!.correct).toBe(true);
    const pruned = told.answer.candidates.filter((candidate) => candidate.finish === 'pruned');
    expect(pruned.length).toBeGreaterThan(0);
    const prunes = only(told.events, 'prune');
    expect(prunes.map((event) => event.lane)).toEqual(expect.arrayContaining(pruned.map((c) => c.lane)));
    expect(prunes[0]!.reason).toMatch(/already passes the verifier/);
    expect(engine.lanes.size).toBe(0);
  });

  it('lane i of n is the same chain of thought alone, with its seed', async () => {
    const engine = protoEngine();
    const context = contextOf(engine, EASY, { sampling: { seed: 99 } });
    const many = await read(runStrategy('best-of-n', context, { n: 3, select: 'logprob' }));
    expectWellFormed(many, 3);
    for (const candidate of many.answer.candidates) {
      expect(candidate.seed).toBe(laneSeed(99, candidate.lane));
      const alone = await read(runStrategy('chain-of-thought', { ...context, sampling: { seed: candidate.seed } }));
      expect({ ...alone.answer.candidates[0], lane: candidate.lane }).toEqual(candidate);
    }
  });

  it('majority stops when the vote is decided, without any verifier', async () => {
    const engine = protoEngine();
    const context = contextOf(engine, EASY, { sampling: { seed: 5 } });
    const told = await read(runStrategy('best-of-n', context, { n: 5 }));
    expectWellFormed(told, 5);
    expect(told.answer.text).toBe('A is a knave, B is a knave');
    expect(told.answer.reason).toMatch(/\d of \d candidates give this answer\./);
    expect(told.answer.candidates.every((candidate) => candidate.verdict === null)).toBe(true);
    expect(only(told.events, 'prune').length).toBeGreaterThan(0);
  });
});

describe('chain-of-thought on the proto model', () => {
  it('closes the thinking by force at its limit, and an answer follows', async () => {
    const engine = protoEngine();
    const context = puzzle(engine, 'Use 12 20 18 to make 24.', {
      sampling: { temperature: 0 },
      thinking: { maxTokens: 40 },
    });
    const told = await read(runStrategy('chain-of-thought', context));
    expectWellFormed(told, 1);
    const tokens = only(told.events, 'token');
    const forced = tokens.filter((token) => token.forced);
    expect(forced.map((token) => token.token)).toEqual(protoCodec.encode('\n</think>\n'));
    expect(tokens.indexOf(forced[0]!)).toBe(40);
    expect(told.answer.chosen).toBe(0);
    expect(told.answer.text).toMatch(/^\d+[-+*/]\d+=\d+/);
    expect(told.answer.candidates[0]!.finish).toBe('stop');
    expect(told.answer.candidates[0]!.verdict).not.toBeNull();
    expect(engine.lanes.size).toBe(0);
  });

  it('repeats the golden greedy continuation where the model closes by itself', async () => {
    const context = puzzle(protoEngine(), COUNTDOWN, { sampling: { temperature: 0 } });
    const told = await read(runStrategy('chain-of-thought', context));
    expectWellFormed(told, 1);
    expect(told.answer.reasoning).toBe('try 16*6=96 left 1 96\n96/1=96 yes');
    expect(told.answer.text).toBe('16*6=96, 96/1=96');
    expect(told.answer.candidates[0]!.verdict!.correct).toBe(true);
    expect(only(told.events, 'token').some((token) => token.forced)).toBe(false);
  });

  it('ends the answer at its own limit', async () => {
    const context = contextOf(protoEngine(), COUNTDOWN, { sampling: { temperature: 0 }, answer: { maxTokens: 5 } });
    const { answer } = await read(runStrategy('chain-of-thought', context));
    expect(answer.candidates[0]!.finish).toBe('length');
    // The newline after the marker is the answer's first token.
    expect(answer.text).toBe('16*6');
  });
});

describe('dialects', () => {
  it('reads an opening marker that the model writes itself, and an answer without any thinking', async () => {
    const engine = protoEngine();
    const dialect = { ...protoDialect, opened: false };
    const prompt = protoPrompt(COUNTDOWN).slice(0, -2);
    const base = { prompt, dialect, sampling: { temperature: 0 } };
    const opens = new Map([[3, 1000]]);
    const thought = await read(
      runStrategy('chain-of-thought', contextOf(engine, '', { ...base, sampling: { temperature: 0 } })),
    );
    // Trained to see the marker in the prompt, the model may write anything here; whatever it is, it lands somewhere.
    expect(thought.answer.candidates[0]!.reasoning.includes('<think>')).toBe(false);
    const biased = await read(
      runStrategy(
        'chain-of-thought',
        contextOf(engine, '', { ...base, sampling: { temperature: 0, biases: opens }, thinking: { maxTokens: 4 } }),
      ),
    );
    expect(only(biased.events, 'token')[0]).toMatchObject({ token: 3, text: '', part: 'thinking' });
    const skipped = await read(
      runStrategy(
        'chain-of-thought',
        contextOf(engine, '', { ...base, prompt: [...prompt, 3, 55, 4, 55], thinking: { maxTokens: 60 } }),
      ),
    );
    expect(skipped.answer.reasoning).toBe('');
    expect(only(skipped.events, 'token').every((token) => token.part === 'answer' && !token.forced)).toBe(true);
  });

  it('takes a model that does not think at its first word', async () => {
    const dialect = { ...protoDialect, thinks: false };
    const context = contextOf(protoEngine(), EASY, { dialect, answer: { maxTokens: 12 } });
    const told = await read(runStrategy('chain-of-thought', context));
    expectWellFormed(told, 1);
    expect(told.answer.reasoning).toBe('');
    expect(told.answer.candidates[0]!.tokens).toBeLessThanOrEqual(12);
  });

  it('closes the thinking of a model that ends its turn in mid-thought', async () => {
    // Biased hard, the model says nothing but its end token; the close must replace it, not follow it.
    const engine = protoEngine();
    const context = contextOf(engine, EASY, { sampling: { temperature: 0, biases: new Map([[2, 1000]]) } });
    let held: number[] = [];
    async function* looking() {
      const run = runStrategy('chain-of-thought', context);
      for (;;) {
        const next = await run.next();
        if (next.done) return next.value;
        if (next.value.type === 'candidate') held = [...[...engine.lanes][0]!.tokens];
        yield next.value;
      }
    }
    const told = await read(looking());
    expect(held).toEqual([...context.prompt, ...protoCodec.encode('\n</think>\n'), 2]);
    const ids = only(told.events, 'token').map((token) => token.token);
    expect(ids).toEqual([2, ...protoCodec.encode('\n</think>\n'), 2]);
    expect(told.answer.chosen).toBeNull();
    expect(told.answer.reason).toMatch(/did not reach an answer/);
  });
});

describe('the event stream, on random tiny models', () => {
  it('keeps its promises for any number of lanes, limits, selector and moment of abort', async () => {
    const verify = (answer: string) => ({ correct: answer.length % 3 === 0, reason: 'Counted.' });
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          weights: fc.nat(1000),
          seed: fc.maxSafeNat(),
          n: fc.integer({ min: 1, max: 6 }),
          thinking: fc.integer({ min: 1, max: 12 }),
          answer: fc.integer({ min: 1, max: 6 }),
          select: fc.constantFrom(...SELECTOR_NAMES),
          earlyStop: fc.boolean(),
          opened: fc.boolean(),
          abortAfter: fc.option(fc.integer({ min: 1, max: 60 })),
        }),
        async ({ weights, seed, n, thinking, answer, select, earlyStop, opened, abortAfter }) => {
          const engine = tinyEngine(weights);
          const controller = new AbortController();
          const context = contextOf(engine, EASY, {
            dialect: { ...protoDialect, opened },
            // Only plain words and the closing marker, so that the texts of the parts are what was said.
            sampling: {
              seed,
              biases: new Map([
                [3, Number.NEGATIVE_INFINITY],
                [1, Number.NEGATIVE_INFINITY],
              ]),
            },
            thinking: { maxTokens: thinking },
            answer: { maxTokens: answer },
            verify,
            signal: controller.signal,
          });
          let count = 0;
          async function* aborting() {
            const run = runStrategy('best-of-n', context, { n, select, earlyStop });
            for (;;) {
              const next = await run.next();
              if (next.done) return next.value;
              if (next.value.type === 'token' && ++count === abortAfter) controller.abort();
              yield next.value;
            }
          }
          const told = await read(aborting());
          expectWellFormed(told, n);
          const finishes = told.answer.candidates.map((candidate) => candidate.finish);
          if (!controller.signal.aborted) expect(finishes).not.toContain('abort');
          expect(engine.lanes.size).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('disposes every lane when the reader leaves at any event', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(50), fc.integer({ min: 1, max: 5 }), async (leaveAt, n) => {
        const engine = tinyEngine(4);
        let read = 0;
        for await (const _ of runStrategy('best-of-n', contextOf(engine, EASY, { thinking: { maxTokens: 6 } }), {
          n,
        })) {
          if (read++ === leaveAt) break;
        }
        expect(engine.lanes.size).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  it('disposes every lane when the engine fails in the middle, and passes its error on', async () => {
    const engine = tinyEngine(4);
    const decode = engine.decode.bind(engine);
    let calls = 0;
    engine.decode = (tokens) => {
      if (++calls === 20) throw new ReckonError('device-lost', 'The device was lost.');
      return decode(tokens);
    };
    const run = read(runStrategy('best-of-n', contextOf(engine, EASY), { n: 4 }));
    await expect(run).rejects.toMatchObject({ code: 'device-lost' });
    expect(engine.lanes.size).toBe(0);
  });
});

describe('abort', () => {
  it('before anything was generated is an error, at whichever stage', async () => {
    const engine = protoEngine();
    const early = runStrategy('best-of-n', contextOf(engine, EASY, { signal: AbortSignal.abort() }), { n: 2 });
    await expect(early.next()).rejects.toMatchObject({ code: 'aborted' });
    const controller = new AbortController();
    const run = runStrategy('best-of-n', contextOf(engine, EASY, { signal: controller.signal }), { n: 2 });
    setImmediate(() => controller.abort());
    await expect(read(run)).rejects.toMatchObject({ code: 'aborted' });
    expect(engine.lanes.size).toBe(0);
    // It stopped in the middle of the prompt.
    expect(engine.ledger.rows).toBeLessThan(protoPrompt(EASY).length);
  });

  it('keeps what was generated, and chooses among the lanes that had ended', async () => {
    const engine = protoEngine();
    const controller = new AbortController();
    const context = puzzle(engine, EASY, { signal: controller.signal });
    const run = runStrategy('best-of-n', context, { n: 4, earlyStop: false });
    const answer = await (async () => {
      for (;;) {
        const next = await run.next();
        if (next.done) return next.value;
        if (next.value.type === 'candidate') controller.abort();
      }
    })();
    const finishes = answer.candidates.map((candidate) => candidate.finish);
    expect(finishes).toContain('abort');
    expect(finishes).toContain('stop');
    expect(answer.candidates.every((candidate) => candidate.tokens > 0)).toBe(true);
    expect(answer.candidates[answer.chosen!]!.finish).toBe('stop');
    expect(engine.lanes.size).toBe(0);
  });
});

describe('bad input', () => {
  const engine = tinyEngine(1);
  const context = contextOf(engine, EASY);

  it.each([
    ['beam', {}, /no strategy "beam"\. Known strategies: best-of-n, chain-of-thought\./],
    ['toString', {}, /no strategy "toString"/],
    ['best-of-n', { n: 0 }, /n is 0; it must be a whole number at least 1 and at most 256/],
    ['best-of-n', { n: 257 }, /n is 257/],
    ['best-of-n', { n: 2.5 }, /n is 2\.5/],
    ['best-of-n', { n: '8' }, /n is "8"/],
    ['best-of-n', { select: 'best' }, /no selector "best"\. Choose one of: verifier, majority, logprob/],
    ['best-of-n', { earlyStop: 1 }, /earlyStop is 1/],
    ['best-of-n', { lanes: 8 }, /best-of-n has no option "lanes"\. It has: n, select, earlyStop/],
    ['best-of-n', [8], /not an object/],
    ['chain-of-thought', { n: 8 }, /chain-of-thought has no option "n"\. It takes none/],
  ])('%s refuses %j at once', (name, options, message) => {
    expect(() => runStrategy(name, context, options)).toThrow(message);
  });

  it.each([
    [{ prompt: [] }, 'bad-option', /prompt is empty/],
    [{ thinking: { maxTokens: 0 } }, 'bad-option', /thinking\.maxTokens is 0/],
    [{ answer: { maxTokens: -1 } }, 'bad-option', /answer\.maxTokens is -1/],
    [{ sampling: { temperature: -1 } }, 'bad-option', /temperature is -1/],
    [{ sampling: { temperature: Number.NaN } }, 'bad-option', /temperature is NaN/],
    [{ sampling: { topP: 0 } }, 'bad-option', /topP is 0; it must be a number above 0/],
    [{ sampling: { topK: 1.5 } }, 'bad-option', /topK is 1\.5/],
    [{ sampling: { minP: 2 } }, 'bad-option', /minP is 2/],
    [{ sampling: { repetitionPenalty: 0 } }, 'bad-option', /repetitionPenalty is 0/],
    [{ sampling: { seed: 2 ** 53 } }, 'bad-option', /seed is/],
    [{ thinking: { maxTokens: 5000 } }, 'over-capacity', /4 lanes of/],
  ] as [Partial<StrategyContext>, string, RegExp][])('refuses %j before anything runs', async (over, code, message) => {
    const rows = engine.ledger.rows;
    const error = await read(runStrategy('best-of-n', { ...context, ...over }, { n: 4 })).catch((e: unknown) => e);
    expect(isReckonError(error)).toBe(true);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(engine.ledger.rows).toBe(rows);
    expect(engine.lanes.size).toBe(0);
  });

  it('refuses to select by a verifier that is not there', async () => {
    const run = runStrategy('best-of-n', context, { n: 2, select: 'verifier' });
    await expect(run.next()).rejects.toThrow(/no verifier\. Choose "majority" or "logprob"/);
  });
});
