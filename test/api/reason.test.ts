import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoadedModel } from '../../src/api/load-model.ts';
import type { ReasonRequest } from '../../src/api/types.ts';
import { isReckonError, type ReckonErrorCode } from '../../src/errors.ts';
import type { CostEvent, ReasoningEvent } from '../../src/strategies/types.ts';
import { taskById } from '../../src/tasks/index.ts';
import { expectWellFormed, only } from '../strategies/stream.ts';
import { errorOf } from '../support/checkpoint.ts';
import { protoModel } from '../support/model.ts';

let model: LoadedModel;
beforeAll(async () => {
  model = await protoModel({ maxLanes: 4, kvBytes: (2 + 1 / 16) * 2 ** 20 });
});
afterAll(() => model?.dispose());

const problem = taskById('countdown').generate(7);
const SHORT = { thinking: { maxTokens: 6 }, answer: { maxTokens: 4 } };

async function told(request: ReasonRequest) {
  const run = model.reason(request);
  const events: ReasoningEvent[] = [];
  for await (const event of run) events.push(event);
  return { events, answer: await run.result };
}

/** Nothing of a run may stay behind. */
function expectIdle(): void {
  model.engine.clearPrefixes();
  expect(model.engine.capacity.freePages).toBe(model.engine.capacity.totalPages);
}

describe('reason', () => {
  it('solves a problem on several lanes: well-formed events, verdicts, costs, no page left', async () => {
    const before = model.engine.ledger.snapshot();
    const run = await told({ problem, strategy: { name: 'best-of-n', n: 3 }, sampling: { seed: 7 } });
    expectWellFormed(run, 3);
    const { answer } = run;
    const task = taskById(problem.task);
    for (const { answer: text, verdict, finish } of answer.candidates) {
      if (finish === 'stop') expect(verdict).toEqual(task.verify(problem, text));
      expect(text).not.toMatch(/<\||<\/?think/);
    }
    expect(answer.candidates[answer.chosen!]!.verdict!.correct).toBe(true);
    // The last cost is the whole run's: every step that the engine took for it, also those that a stop made superfluous.
    const after = model.engine.ledger.snapshot();
    const { ledger } = answer.usage;
    expect(ledger.rows).toBe(after.rows - before.rows);
    expect(ledger.sampled).toBe(after.sampled - before.sampled);
    expect(ledger.flops / (after.flops - before.flops)).toBeCloseTo(1, 9);
    expect(ledger.bytes / (after.bytes - before.bytes)).toBeCloseTo(1, 9);
    expectIdle();
  });

  it('is the same for a problem, its prompt and its messages, and without iterating', async () => {
    const strategy = { name: 'chain-of-thought' } as const;
    const sampling = { temperature: 0 };
    const content = problem.prompt;
    const requests: ReasonRequest[] = [{ problem }, { prompt: content }, { messages: [{ role: 'user', content }] }];
    const answers = [];
    for (const request of requests)
      answers.push(await model.reason({ ...request, ...SHORT, strategy, sampling }).result);
    const [first, ...others] = answers.map(({ reasoning, text, usage }) => ({
      reasoning,
      text,
      n: usage.promptTokens,
    }));
    for (const other of others) expect(other).toEqual(first);
    expect(answers[0]!.candidates[0]!.verdict).not.toBeNull();
    expect(answers[1]!.candidates[0]!.verdict).toBeNull();
  });

  it('puts a system turn before a problem as it would stand in messages', async () => {
    const system = 'Use a knave';
    const turns = [
      { role: 'system', content: system },
      { role: 'user', content: problem.prompt },
    ] as const;
    const rest = { ...SHORT, strategy: { name: 'chain-of-thought' }, sampling: { temperature: 0 } } as const;
    const [one, other] = [
      await model.reason({ problem, system, ...rest }).result,
      await model.reason({ messages: turns, ...rest }).result,
    ];
    expect(one.usage.promptTokens).toBe(other.usage.promptTokens);
    expect(one.reasoning).toBe(other.reasoning);
    expect(one.candidates[0]!.verdict).not.toBeNull();
  });

  it("takes the makers' sampling where a setting is left out, given as undefined included", async () => {
    const strategy = { name: 'chain-of-thought' } as const;
    const one = await model.reason({ problem, strategy, ...SHORT, sampling: { seed: 5 } }).result;
    const loose = { seed: 5, temperature: undefined } as unknown as { seed: number };
    const two = await model.reason({ problem, strategy, ...SHORT, sampling: loose }).result;
    expect(two.candidates[0]!.logprob).toEqual(one.candidates[0]!.logprob);
  });

  it('ends at stop strings in the answer, and only there', async () => {
    const strategy = { name: 'chain-of-thought' } as const;
    const request: ReasonRequest = { problem, strategy, sampling: { temperature: 0 } };
    const plain = await model.reason(request).result;
    const cut = await model.reason({ ...request, answer: { stopStrings: ['=', ','] } }).result;
    expect(cut.reasoning).toBe(plain.reasoning);
    expect(plain.text).toContain('=');
    expect(cut.text).toBe(plain.text.split(/[=,]/)[0]);
    expect(cut.candidates[0]!.finish).toBe('stop');
  });

  it('concludes when its budget is nearly spent: the thinking is closed and an answer given', async () => {
    const request: ReasonRequest = {
      prompt: 'Use 24 25 23 to make 11.',
      strategy: { name: 'best-of-n', n: 2 },
      sampling: { seed: 3 },
      answer: { maxTokens: 24 },
    };
    const { usage } = await model.reason(request).result;
    for (const budget of [{ tokens: 60 }, { seconds: 0.2 }, { bytes: usage.ledger.bytes / 2 }]) {
      const { events, answer } = await told({ ...request, budget });
      expectWellFormed({ events, answer }, 2);
      expect(only(events, 'token').some((token) => token.forced)).toBe(true);
      for (const candidate of answer.candidates) expect(candidate.finish).not.toBe('abort');
      expect(answer.usage.completionTokens).toBeLessThan(usage.completionTokens);
    }
    const small = model.reason({ ...request, budget: { tokens: 3 } });
    expect(isReckonError(await errorOf(() => small.result), 'over-capacity')).toBe(true);
    expectIdle();
  });

  it('thinks as long as the cache has room for all its lanes, where no limit is given', async () => {
    // 2 MiB hold 1,024 tokens of f32 KV: not four lanes of the whole context.
    const { maxContext, bytesPerToken, totalPages, pageSize } = model.engine.capacity;
    expect(4 * maxContext).toBeGreaterThan(totalPages * pageSize);
    // Keys and values, and a sixteenth of a page's mean keys.
    expect(bytesPerToken).toBe(4 * 64 * 4 * (2 + 1 / 16));
    const run = model.reason({ problem, strategy: { name: 'best-of-n', n: 4 } });
    for await (const event of run) if (event.type === 'token') break;
    await run.result;
    expectIdle();
  });
});

describe('a run that is stopped', () => {
  const request: ReasonRequest = { problem, strategy: { name: 'best-of-n', n: 3 }, sampling: { seed: 7 } };

  it('by its signal concludes with what there is', async () => {
    const controller = new AbortController();
    const events: ReasoningEvent[] = [];
    const run = model.reason({ ...request, signal: controller.signal });
    for await (const event of run) {
      events.push(event);
      if (only(events, 'token').length === 9) controller.abort();
    }
    const answer = await run.result;
    expectWellFormed({ events, answer }, 3);
    expect(answer.candidates.some(({ finish }) => finish === 'abort')).toBe(true);
    expect(answer.usage.completionTokens).toBeLessThan(60);
    expectIdle();
  });

  it('by leaving the iteration does too, and the engine goes idle', async () => {
    const run = model.reason(request);
    for await (const event of run) if (event.type === 'token') break;
    const answer = await run.result;
    expect(answer.candidates).toHaveLength(3);
    const { rows } = model.engine.ledger.snapshot();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(model.engine.ledger.snapshot().rows).toBe(rows);
    expectIdle();
  });

  it('before it starts, or while it reads the prompt, is aborted', async () => {
    const before = model.reason({ ...request, signal: AbortSignal.abort() });
    expect(isReckonError(await errorOf(() => before.result), 'aborted')).toBe(true);
    const controller = new AbortController();
    const content = 'A says B is a knight. '.repeat(60);
    const reading = model.reason({
      prompt: content,
      strategy: { name: 'chain-of-thought' },
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(), 30);
    expect(isReckonError(await errorOf(() => reading.result), 'aborted')).toBe(true);
    expectIdle();
  });

  it('counts in its last cost whatever was under way', async () => {
    const before = model.engine.ledger.snapshot();
    const controller = new AbortController();
    let last: CostEvent | undefined;
    let tokens = 0;
    for await (const event of model.reason({ ...request, signal: controller.signal })) {
      if (event.type === 'token' && ++tokens === 12) controller.abort();
      if (event.type === 'cost') last = event;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(last!.total.rows).toBe(model.engine.ledger.snapshot().rows - before.rows);
  });
});

describe('a request that makes no sense', () => {
  const cases: [what: string, code: ReckonErrorCode, message: RegExp, request: unknown][] = [
    ['nothing', 'bad-option', /none/, {}],
    ['no object', 'bad-option', /not an object/, 7],
    ['two questions', 'bad-option', /prompt and problem/, { prompt: 'x', problem }],
    ['an empty prompt', 'bad-option', /empty/, { prompt: ' ' }],
    ['no messages', 'bad-option', /no messages/, { messages: [] }],
    ['a role there is not', 'bad-option', /role "robot"/, { messages: [{ role: 'robot', content: 'x' }] }],
    ['a system turn beside messages', 'bad-option', /both messages and system/, { messages: [], system: 'x' }],
    ['a system turn that is no text', 'bad-option', /system is not text/, { prompt: 'x', system: 3 }],
    ['a task there is not', 'bad-option', /chess/, { problem: { ...problem, task: 'chess' } }],
    ['a setting there is not', 'bad-option', /temperature/, { prompt: 'x', temperature: 0 }],
    ['a sampling setting there is not', 'bad-option', /top_k/, { prompt: 'x', sampling: { top_k: 4 } }],
    ['a strategy there is not', 'bad-option', /"tree"/, { prompt: 'x', strategy: { name: 'tree' } }],
    ['a strategy that is a word', 'bad-option', /strategy/, { prompt: 'x', strategy: 'best-of-n' }],
    ['no lanes', 'bad-option', /n is 0/, { prompt: 'x', strategy: { name: 'best-of-n', n: 0 } }],
    ['half a lane', 'bad-option', /n is 1\.5/, { prompt: 'x', strategy: { name: 'best-of-n', n: 1.5 } }],
    [
      'a verifier that is not',
      'bad-option',
      /verifier/,
      { prompt: 'x', strategy: { name: 'best-of-n', select: 'verifier' } },
    ],
    ['no thinking', 'bad-option', /thinking\.maxTokens is 0/, { prompt: 'x', thinking: { maxTokens: 0 } }],
    ['a negative answer', 'bad-option', /answer\.maxTokens is -3/, { prompt: 'x', answer: { maxTokens: -3 } }],
    ['an empty stop string', 'bad-option', /stop strings/, { prompt: 'x', answer: { stopStrings: [''] } }],
    ['a negative temperature', 'bad-option', /temperature is -1/, { prompt: 'x', sampling: { temperature: -1 } }],
    ['a top-p of zero', 'bad-option', /topP is 0/, { prompt: 'x', sampling: { topP: 0 } }],
    ['a negative seed', 'bad-option', /seed is -1/, { prompt: 'x', sampling: { seed: -1 } }],
    ['an attention there is not', 'bad-option', /sparse/, { prompt: 'x', attention: { kind: 'sparse' } }],
    ['a budget of nothing', 'bad-option', /budget\.tokens is 0/, { prompt: 'x', budget: { tokens: 0 } }],
    ['a budget of money', 'bad-option', /"dollars"/, { prompt: 'x', budget: { dollars: 3 } }],
    ['a prompt over capacity', 'over-capacity', /1\d\d\d tokens.*1024/s, { prompt: 'A says B '.repeat(400) }],
    ['too much thinking', 'over-capacity', /at most \d+/, { prompt: 'x', thinking: { maxTokens: 5000 } }],
    [
      'more lanes than the memory holds',
      'over-capacity',
      /256 lanes.*: 7 × /s,
      { prompt: 'x', strategy: { name: 'best-of-n', n: 256 } },
    ],
  ];

  it.each(cases)('%s: %s', async (_what, code, message, request) => {
    const run = model.reason(request as ReasonRequest);
    const error = await errorOf(() => run.result);
    expect(error.message).toMatch(message);
    expect(isReckonError(error, code)).toBe(true);
    expectIdle();
  });
});
