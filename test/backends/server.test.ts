/** The third backend against servers that speak both dialects, over the reference engine: real HTTP on the loopback interface. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Model } from '../../src/api/types.ts';
import { connectServer } from '../../src/backends/server/index.ts';
import type { Engine, Generation } from '../../src/engine/types.ts';
import { protoEngine } from '../reference/proto.ts';
import { errorOf } from '../support/checkpoint.ts';
import { PROTO } from '../support/model.ts';
import { type CompletionsServer, completionsServer } from './completions-server.ts';

const open: CompletionsServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function connected(dialect: Parameters<typeof completionsServer>[1], key?: string) {
  const server = await completionsServer(protoEngine(), dialect, key);
  open.push(server);
  const model = await connectServer(server.url, { files: PROTO, ...(key === undefined ? {} : { token: key }) });
  return { server, model, engine: model.engine as Engine };
}

async function collect(generation: Generation) {
  const tokens: number[] = [];
  const iterator = generation[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await iterator.next();
    if (done) return { tokens, finish: value };
    tokens.push(value.token);
  }
}

const PROMPT = protoEngine().encode(
  '<|im_start|>user\nUse 3 5 7 to make 22.<|im_end|>\n<|im_start|>assistant\n<think>\n',
);

describe('a model on a server', () => {
  it('generates the tokens that the same engine generates here, in both dialects', async () => {
    const lane = protoEngine().open();
    await lane.append(PROMPT);
    const expected = await collect(lane.generate({ maxTokens: 12, seed: 5 }));
    for (const dialect of ['vllm', 'llama.cpp'] as const) {
      const { engine } = await connected(dialect);
      expect(engine.capacity.maxContext).toBe(1024);
      const served = engine.open();
      await served.append(PROMPT);
      expect(await collect(served.generate({ maxTokens: 12, seed: 5 }))).toEqual(expected);
      expect([...served.tokens].slice(PROMPT.length)).toEqual(expected.tokens);
      // A stop token ends it, whether the server shows it or not.
      const stop = expected.tokens[4]!;
      const [again] = served.fork(1);
      again!.truncate(PROMPT.length);
      const ended = await collect(again!.generate({ maxTokens: 12, seed: 5, stopTokens: [stop] }));
      expect(ended.finish).toBe('stop');
      expect(ended.tokens.filter((token) => token !== stop)).toEqual(
        expected.tokens.slice(0, expected.tokens.indexOf(stop)),
      );
    }
  });

  it('scores and chooses where the server echoes prompts, and says so where it does not', async () => {
    const here = protoEngine().open();
    await here.append(PROMPT);
    const { engine } = await connected('vllm');
    const lane = engine.open();
    await lane.append(PROMPT);
    const [scores, wanted] = [await lane.score([5, 9, 4]), await here.score([5, 9, 4])];
    for (const [i, score] of scores.entries()) expect(score).toBeCloseTo(wanted[i]!, 5);
    const [chances, right] = [await lane.choose([5, 9]), await here.choose([5, 9])];
    for (const [i, chance] of chances.entries()) expect(chance).toBeCloseTo(right[i]!, 6);
    expect(lane.length).toBe(PROMPT.length);
    const other = (await connected('llama.cpp')).engine.open();
    await other.append(PROMPT);
    const refused = await errorOf(() => other.score([5]));
    expect(refused).toMatchObject({ code: 'unsupported', details: { feature: 'probabilities' } });
  });

  it('runs best-of-n with all lanes at once, and refuses a budget that nobody counts', async () => {
    const { model, server } = await connected('vllm', 'secret');
    const request = {
      prompt: 'Use 3 5 7 to make 22.',
      strategy: { name: 'best-of-n', n: 4, select: 'logprob', earlyStop: false } as const,
      thinking: { maxTokens: 12 },
      answer: { maxTokens: 8 },
      sampling: { seed: 2 },
    };
    const answer = await model.reason(request).result;
    expect(answer.candidates).toHaveLength(4);
    expect(new Set(answer.candidates.map(({ reasoning }) => reasoning)).size).toBeGreaterThan(1);
    expect(server.load.most).toBe(4);
    expect(server.requests.every(({ authorization }) => authorization === 'Bearer secret')).toBe(true);
    expect(await errorOf(() => model.reason({ ...request, budget: { eflops: 1e9 } }).result)).toMatchObject({
      code: 'unsupported',
    });
  });

  it('ends requests that nobody reads, tries again where the server is busy, and gives typed errors', async () => {
    const { engine, server } = await connected('vllm');
    const lane = engine.open();
    await lane.append(PROMPT);
    const stop = new AbortController();
    const events = lane
      .generate({ maxTokens: 500, seed: 1, stopTokens: [], signal: stop.signal })
      [Symbol.asyncIterator]();
    await events.next();
    stop.abort();
    let last = await events.next();
    while (!last.done) last = await events.next();
    expect(last.value).toBe('abort');
    await expect.poll(() => server.load.now).toBe(0);
    server.failures = [503, 429];
    expect((await collect(lane.generate({ maxTokens: 2 }))).tokens.length).toBeGreaterThan(0);
    server.failures = [400];
    expect(await errorOf(() => collect(lane.generate({ maxTokens: 2 })))).toMatchObject({
      code: 'bad-option',
      message: expect.stringContaining('not now'),
    });
    expect(
      await errorOf(() => connected('vllm', 'a').then(({ server: { url } }) => connectServer(url, { files: PROTO }))),
    ).toMatchObject({
      code: 'access-denied',
    });
    expect(await errorOf(() => connectServer('http://127.0.0.1:9', { files: PROTO }))).toMatchObject({
      code: 'network',
    });
    expect(await errorOf(() => connectServer(server.url, { files: PROTO, model: 'huge' }))).toMatchObject({
      message: expect.stringContaining('Name one of: tiny'),
    });
    const texts: Model = (await connected('text-only')).model;
    const failed = await errorOf(
      () => texts.reason({ prompt: 'Use 3 5 7 to make 22.', thinking: { maxTokens: 8 } }).result,
    );
    expect(failed).toMatchObject({ code: 'unsupported', details: { feature: 'tokens' } });
  });
});
