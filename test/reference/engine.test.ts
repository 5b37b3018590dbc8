import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { FinishReason, GenerateOptions, Lane, TokenEvent } from '../../src/engine/types.ts';
import { protoCodec, protoEngine, protoPrompt, tinyEngine } from './proto.ts';

interface Case {
  question: string;
  promptIds: number[];
  greedyIds: number[];
}

const golden = JSON.parse(readFileSync(new URL('../golden/proto.json', import.meta.url), 'utf8')) as { cases: Case[] };

async function generate(lane: Lane, options: GenerateOptions): Promise<{ events: TokenEvent[]; finish: FinishReason }> {
  const events: TokenEvent[] = [];
  const generation = lane.generate(options)[Symbol.asyncIterator]();
  for (;;) {
    const next = await generation.next();
    if (next.done) return { events, finish: next.value };
    events.push(next.value);
  }
}

const ids = (events: readonly TokenEvent[]) => events.map((event) => event.token);

describe('the reference engine', () => {
  it('continues golden prompts greedily, each lane beside the others, as PyTorch did', async () => {
    const engine = protoEngine();
    const cases = golden.cases.filter((c) => c.greedyIds.length < 60);
    await Promise.all(
      cases.map(async ({ question, promptIds, greedyIds }) => {
        expect(protoPrompt(question)).toEqual(promptIds);
        const lane = engine.open();
        await lane.append(promptIds);
        const { events, finish } = await generate(lane, { temperature: 0 });
        expect(ids(events)).toEqual(greedyIds);
        expect(finish).toBe('stop');
        expect(events.map((event) => event.position)).toEqual(greedyIds.map((_, i) => promptIds.length + i));
        expect(lane.ledger.snapshot()).toMatchObject({
          // The last token drawn was never read.
          rows: promptIds.length + greedyIds.length - 1,
          sampled: greedyIds.length,
        });
        lane.dispose();
      }),
    );
    expect(cases.length).toBeGreaterThan(2);
    expect(engine.lanes.size).toBe(0);
  });

  it('forks, truncates and regenerates to the same tokens, and scores them as it drew them', async () => {
    const engine = tinyEngine(3);
    const root = engine.open();
    await root.append(protoCodec.encode('Use 3 5 7 to make 22.'));
    const [one, other] = root.fork(2) as [Lane, Lane];
    const length = root.length;
    const options = { seed: 5, maxTokens: 12, stopTokens: [] };
    const [a, b] = await Promise.all([generate(one, options), generate(other, { ...options, seed: 6 })]);
    expect(a.finish).toBe('length');
    expect(ids(a.events)).not.toEqual(ids(b.events));
    expect(root.length).toBe(length);

    one.truncate(length);
    expect(ids((await generate(one, options)).events)).toEqual(ids(a.events));
    one.truncate(length + 4);
    expect(ids((await generate(one, { ...options, maxTokens: 8 })).events)).toEqual(ids(a.events).slice(4));

    const scores = await root.score(ids(a.events));
    for (const [i, event] of a.events.entries()) expect(scores[i]).toBeCloseTo(event.logprob, 5);
    const all = await root.choose(Array.from({ length: protoCodec.vocabSize }, (_, token) => token));
    expect(all.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    expect(all[a.events[0]!.token]).toBeCloseTo(Math.exp(a.events[0]!.logprob), 5);
    expect(root.length).toBe(length);
  });

  it('stops before stop strings that span tokens, and loses no text otherwise', async () => {
    const engine = protoEngine();
    const { promptIds, greedyIds } = golden.cases[0]!;
    const whole = protoCodec.decode(greedyIds.slice(0, -1));
    for (const stop of ['=96 l', '</think>', 'xyz', '6/1=96 yes\n<']) {
      const lane = engine.open();
      await lane.append(promptIds);
      const { events, finish } = await generate(lane, { temperature: 0, stopStrings: [stop] });
      const at = whole.indexOf(stop);
      expect(events.map((event) => event.text).join('')).toBe(at < 0 ? whole : whole.slice(0, at));
      expect(finish).toBe('stop');
    }
    const lane = engine.open();
    await lane.append(promptIds);
    const cut = await generate(lane, { temperature: 0, maxTokens: 4, stopStrings: ['16*6='] });
    expect(cut.finish).toBe('length');
    // What was held back as a possible stop string comes with the last token.
    expect(cut.events.map((event) => event.text).join('')).toBe(protoCodec.decode(greedyIds.slice(0, 4)));
  });

  it('ends on its signal within one token, and at the end of its context', async () => {
    const engine = tinyEngine(3, { maxContext: 30 });
    const lane = engine.open();
    await lane.append([45, 46, 47]);
    const controller = new AbortController();
    const generation = lane.generate({ seed: 1, stopTokens: [], signal: controller.signal })[Symbol.asyncIterator]();
    await generation.next();
    controller.abort();
    expect(await generation.next()).toEqual({ done: true, value: 'abort' });
    expect(lane.length).toBe(4);
    const rest = await generate(lane, { seed: 1, stopTokens: [] });
    expect([rest.finish, lane.length]).toEqual(['length', 30]);
    await expect(lane.append([45])).rejects.toMatchObject({ code: 'over-capacity' });
  });

  it('takes turns between lanes', async () => {
    const engine = tinyEngine(3);
    const order: number[] = [];
    await Promise.all(
      [0, 1, 2].map(async (who) => {
        const lane = engine.open();
        await lane.append([45, 46]);
        for await (const _ of lane.generate({ seed: who, stopTokens: [], maxTokens: 10 })) order.push(who);
      }),
    );
    for (let i = 0; i < 30; i += 3) expect(new Set(order.slice(i, i + 3)).size).toBe(3);
  });

  it('does one thing at a time and nothing after disposal', async () => {
    const engine = tinyEngine(3);
    const lane = engine.open();
    await expect(generate(lane, {})).rejects.toMatchObject({ code: 'bad-option' });
    const first = lane.append([45, 46, 47]);
    await expect(lane.append([45])).rejects.toMatchObject({ code: 'lane-busy' });
    await first;
    const last = lane.append([45, 46, 47]);
    lane.dispose();
    await expect(last).rejects.toMatchObject({ code: 'lane-disposed' });
    await expect(lane.append([45])).rejects.toMatchObject({ code: 'lane-disposed' });
    expect(() => engine.admit({ lanes: 2, shared: 8, length: 4096 })).toThrow(/need/);
  });
});
