import { describe, expect, it } from 'vitest';
import { reason } from '../../src/api/reason.ts';
import type { Engine, Generation, Lane } from '../../src/engine/types.ts';
import { ReckonError } from '../../src/errors.ts';
import { protoDialect, protoEngine, protoPrompt, tinyEngine } from '../reference/proto.ts';
import { errorOf } from '../support/checkpoint.ts';
import { engineOver, referenceDriver } from './rig.ts';

async function collect(generation: Generation) {
  const events = [];
  for await (const event of generation) events.push(event);
  return events;
}

/** A prompt, three forks with seeds of their own, each cut back in the middle and gone on with. */
async function work(engine: Engine, together: boolean): Promise<number[][]> {
  const root = engine.open();
  await root.append([5, 9, 13, 9, 4]);
  const lanes = root.fork(3);
  root.dispose();
  const one = async (lane: Lane, seed: number) => {
    await collect(lane.generate({ maxTokens: 6, seed, stopTokens: [] }));
    lane.truncate(8);
    await lane.append([11, 12]);
    await collect(lane.generate({ maxTokens: 4, seed: seed + 1, temperature: 0.5, stopTokens: [] }));
    return [...lane.tokens];
  };
  if (together) return Promise.all(lanes.map((lane, i) => one(lane, i)));
  const all = [];
  for (const [i, lane] of lanes.entries()) all.push(await one(lane, i));
  return all;
}

describe('an engine over one sequence', () => {
  it('gives lanes the tokens of the definition, one after the other and all at once', async () => {
    const expected = await work(tinyEngine(3), false);
    expect(await work(engineOver(referenceDriver()), false)).toEqual(expected);
    expect(await work(engineOver(referenceDriver()), true)).toEqual(expected);
  });

  it('goes on where it can, and computes anew only when another lane comes in between or a lane was cut back', async () => {
    const driver = referenceDriver();
    const engine = engineOver(driver);
    await work(engine, true);
    // Each lane once for its prompt and once behind its truncation.
    expect(driver.resets).toBe(6);
    const rows = driver.forwards.reduce((sum, tokens) => sum + tokens, 0);
    expect(engine.ledger.snapshot()).toMatchObject({ rows, sampled: 30, flops: Number.NaN });
    expect(rows).toBe(3 * (5 + 5 + 10 + 3));
  });

  it('scores and chooses as the reference does, and leaves the lane as it was', async () => {
    const [mine, theirs] = [engineOver(referenceDriver()).open(), tinyEngine(3).open()];
    for (const lane of [mine, theirs]) await lane.append([5, 9, 13]);
    const [scores, wanted] = [await mine.score([4, 7, 7]), await theirs.score([4, 7, 7])];
    for (const [i, score] of scores.entries()) expect(score).toBeCloseTo(wanted[i]!, 4);
    const [chances, right] = [await mine.choose([1, 2, 3]), await theirs.choose([1, 2, 3])];
    for (const [i, chance] of chances.entries()) expect(chance).toBeCloseTo(right[i]!, 5);
    expect([...mine.tokens]).toEqual([5, 9, 13]);
  });

  it('runs best-of-n on the embedded model, and refuses what it could not keep', async () => {
    const engine = engineOver(referenceDriver(false));
    const reasoner = {
      engine,
      dialect: protoDialect,
      sampling: {},
      prompt: () => ({ tokens: protoPrompt('Use 3 5 7 to make 22.'), opensThinking: true }),
    };
    const request = {
      prompt: 'x',
      strategy: { name: 'best-of-n', n: 2, select: 'logprob' } as const,
      sampling: { seed: 1 },
    };
    const answer = await reason(reasoner, { ...request, thinking: { maxTokens: 20 }, budget: { tokens: 80 } }).result;
    expect(answer.candidates).toHaveLength(2);
    expect(answer.usage.completionTokens).toBeGreaterThan(20);
    expect(answer.usage.ledger.flops).toBeNaN();
    const reference = await reason(
      { ...reasoner, engine: protoEngine() },
      { ...request, thinking: { maxTokens: 20 }, budget: { tokens: 80 } },
    ).result;
    expect(answer.candidates.map(({ reasoning, answer }) => [reasoning, answer])).toEqual(
      reference.candidates.map(({ reasoning, answer }) => [reasoning, answer]),
    );
    const refused = await errorOf(() => reason(reasoner, { ...request, budget: { bytes: 1e9 } }).result);
    expect(refused).toMatchObject({ code: 'unsupported', details: { feature: 'costs' } });
    const windowed = { ...request, attention: { kind: 'window', sinks: 4, local: 64 } as const };
    expect(await errorOf(() => reason(reasoner, windowed).result)).toMatchObject({
      code: 'unsupported',
      details: { feature: 'policies' },
    });
    const lane = engine.open();
    const policy: Lane['attention'] = { kind: 'window', sinks: 4, local: 64 };
    expect(() => {
      lane.attention = policy;
    }).toThrow(/no way of choosing which keys/);
  });

  it('ends with its signal, at disposal and at failure, and goes on behind that', async () => {
    const driver = referenceDriver();
    const engine = engineOver(driver);
    const lane = engine.open();
    expect(() => lane.generate()).toThrow(/empty lane/);
    await lane.append([5, 9]);
    const controller = new AbortController();
    const events = lane.generate({ signal: controller.signal, stopTokens: [] })[Symbol.asyncIterator]();
    await events.next();
    expect(() => lane.truncate(1)).toThrow(/still working/);
    controller.abort();
    expect(await events.next()).toEqual({ done: true, value: 'abort' });
    driver.failure = new ReckonError('device-lost', 'Gone.');
    expect(await errorOf(() => lane.choose([1]))).toMatchObject({ code: 'device-lost' });
    expect(await lane.choose([1])).toHaveLength(1);
    const working = lane.score([1, 2, 3]);
    lane.dispose();
    expect(await errorOf(() => working)).toMatchObject({ code: 'lane-disposed' });
    const full = engine.open();
    await expect(full.append(new Array(engine.capacity.maxContext + 1).fill(3))).rejects.toThrow(/context ends at 256/);
    engine.dispose();
    await expect.poll(() => driver.disposed).toBe(true);
    expect(() => engine.open()).toThrow(/disposed/);
  });
});
