/** How a generation ends, and that its lane goes on afterwards as if nothing had been run ahead. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GenerateOptions, Lane, TokenEvent } from '../../src/engine/types.ts';
import { disposeAll, errorCode, openRig, type Rig, randomTokens, readAll, runAlone } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.dispose());

const PROMPT = randomTokens(29, 11);

async function open(prompt: readonly number[] = PROMPT): Promise<Lane> {
  const lane = rig.engine.open();
  await lane.append(prompt);
  return lane;
}

describe('stops', () => {
  it('ends after a stop token, which the lane holds and whose text is left out', async () => {
    const options = { seed: 3, maxTokens: 40 };
    const whole = await runAlone(rig.engine, PROMPT, options);
    for (const at of [0, 1, 5, 20]) {
      const stop = whole.tokens[at]!;
      const first = whole.tokens.indexOf(stop);
      const run = await runAlone(rig.engine, PROMPT, { ...options, stopTokens: [stop] });
      expect(run.finish).toBe('stop');
      expect(run.tokens).toEqual(whole.tokens.slice(0, first + 1));
      expect(run.logprobs).toEqual(whole.logprobs.slice(0, first + 1));
      expect(run.text).toBe(rig.engine.decode(whole.tokens.slice(0, first)));
    }
  });

  it('ends as soon as the text contains a stop string, and yields the text before it', async () => {
    const options = { seed: 4, maxTokens: 40 };
    const whole = await runAlone(rig.engine, PROMPT, options);
    for (const [from, length] of [
      [0, 1],
      [3, 2],
      [10, 4],
    ] as const) {
      const stop = whole.text.slice(from, from + length);
      const at = whole.text.indexOf(stop);
      const run = await runAlone(rig.engine, PROMPT, { ...options, stopStrings: ['never there', stop] });
      expect(run.finish).toBe('stop');
      expect(run.text).toBe(whole.text.slice(0, at));
      expect(run.tokens).toEqual(whole.tokens.slice(0, at + length));
    }
  });

  it('ends at maxTokens with all text told, also what might have become a stop string', async () => {
    const whole = await runAlone(rig.engine, PROMPT, { seed: 4, maxTokens: 12 });
    expect(whole.finish).toBe('length');
    expect(whole.tokens).toHaveLength(12);
    const run = await runAlone(rig.engine, PROMPT, {
      seed: 4,
      maxTokens: 12,
      stopStrings: [`${whole.text.slice(-3)}x`],
    });
    expect(run).toEqual(whole);
  });

  it('leaves a lane that goes on as if it had never stopped', async () => {
    const options = { seed: 5 };
    const whole = await runAlone(rig.engine, PROMPT, { ...options, maxTokens: 60 });
    const cuts: GenerateOptions[] = [
      { maxTokens: 1 },
      { maxTokens: 3 },
      { stopTokens: [whole.tokens[12]!], maxTokens: 20 },
      { stopStrings: [whole.text.slice(25, 27)], maxTokens: 20 },
      { maxTokens: 7 },
    ];
    const lane = await open();
    const tokens: number[] = [];
    const logprobs: number[] = [];
    for (const cut of cuts) {
      const run = await readAll(lane.generate({ ...options, ...cut }));
      tokens.push(...run.tokens);
      logprobs.push(...run.logprobs);
      expect(lane.length).toBe(PROMPT.length + tokens.length);
    }
    const rest = await readAll(lane.generate({ ...options, maxTokens: 60 - tokens.length }));
    expect([...tokens, ...rest.tokens]).toEqual(whole.tokens);
    expect([...logprobs, ...rest.logprobs]).toEqual(whole.logprobs);
    lane.dispose();
  });

  it('goes on from a truncation as it did the first time', async () => {
    const lane = await open();
    const first = await readAll(lane.generate({ seed: 6, maxTokens: 50 }));
    for (const keep of [40, 31, 30, 16, 1, 0]) {
      lane.truncate(PROMPT.length + keep);
      const again = await readAll(lane.generate({ seed: 6, maxTokens: 50 - keep }));
      expect(again.tokens).toEqual(first.tokens.slice(keep));
      expect(again.logprobs).toEqual(first.logprobs.slice(keep));
    }
    lane.dispose();
  });

  it('counts the tokens of all calls for a repetition penalty', async () => {
    const options = { seed: 8, repetitionPenalty: 1.7 };
    const whole = await runAlone(rig.engine, PROMPT, { ...options, maxTokens: 30 });
    const lane = await open();
    const parts = [
      await readAll(lane.generate({ ...options, maxTokens: 11 })),
      await readAll(lane.generate({ ...options, maxTokens: 19 })),
    ];
    expect(parts.flatMap(({ tokens }) => tokens)).toEqual(whole.tokens);
    lane.dispose();
  });
});

describe('aborts', () => {
  it('ends at once, keeps what was told, and lets the lane go on', async () => {
    const whole = await runAlone(rig.engine, PROMPT, { seed: 7, maxTokens: 60 });
    const lane = await open();
    const control = new AbortController();
    const seen: TokenEvent[] = [];
    const iterator = lane.generate({ seed: 7, signal: control.signal })[Symbol.asyncIterator]();
    let finish: unknown;
    while (true) {
      const { value, done } = await iterator.next();
      if (done) {
        finish = value;
        break;
      }
      seen.push(value);
      if (seen.length === 10) {
        control.abort();
        // From here on nothing more joins the lane.
        const held = lane.length;
        await new Promise((resolve) => setTimeout(resolve, 30));
        expect(lane.length).toBe(held);
      }
    }
    expect(finish).toBe('abort');
    expect(seen.length).toBeLessThanOrEqual(20);
    expect(seen.map(({ token }) => token)).toEqual(whole.tokens.slice(0, seen.length));
    expect(lane.length).toBe(PROMPT.length + seen.length);
    const rest = await readAll(lane.generate({ seed: 7, maxTokens: 60 - seen.length }));
    expect(rest.tokens).toEqual(whole.tokens.slice(seen.length));
    lane.dispose();
  });

  it('generates nothing when the signal had fired before', async () => {
    const lane = await open();
    const rows = rig.engine.ledger.snapshot().rows;
    const run = await readAll(lane.generate({ signal: AbortSignal.abort() }));
    expect(run).toEqual({ tokens: [], logprobs: [], text: '', finish: 'abort' });
    expect(lane.length).toBe(PROMPT.length);
    expect(rig.engine.ledger.snapshot().rows).toBe(rows);
    lane.dispose();
  });

  it('frees a lane whose reader leaves, before or after the first token', async () => {
    const lane = await open();
    for await (const event of lane.generate({ seed: 1 })) if (event.position >= PROMPT.length + 3) break;
    expect(lane.length).toBeGreaterThanOrEqual(PROMPT.length + 4);
    lane.truncate(PROMPT.length);
    const unread = lane.generate({ seed: 1 })[Symbol.asyncIterator]();
    expect(await unread.return?.()).toEqual({ value: undefined, done: true });
    await lane.append([1]);
    lane.dispose();
  });

  it('does no harm to a lane that is reading its prompt', async () => {
    const prompt = randomTokens(300, 12);
    const expected = await runAlone(rig.engine, prompt, { seed: 1, maxTokens: 5 });
    rig.engine.clearPrefixes();
    const other = await open();
    const control = new AbortController();
    const aborted = readAll(other.generate({ seed: 2, signal: control.signal }));
    const run = runAlone(rig.engine, prompt, { seed: 1, maxTokens: 5 });
    setImmediate(() => control.abort());
    expect(await run).toEqual(expected);
    expect((await aborted).finish).toBe('abort');
    other.dispose();
  });

  it('stops computing soon after the last lane was aborted', async () => {
    const lanes = await Promise.all([1, 2, 3].map((seed) => open(randomTokens(9, seed))));
    const control = new AbortController();
    const runs = lanes.map((lane, seed) => readAll(lane.generate({ seed, signal: control.signal })));
    await new Promise<void>((resolve) => {
      const stop = rig.engine.onStep(() => {
        stop();
        resolve();
      });
    });
    control.abort();
    const { rows } = rig.engine.ledger.snapshot();
    await Promise.all(runs);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(rig.engine.ledger.snapshot().rows - rows).toBeLessThanOrEqual(lanes.length);
    disposeAll(lanes);
  });
});

describe('prefixes', () => {
  it('are computed once: an equal prompt starts from them, with the same tokens bit for bit', async () => {
    rig.engine.clearPrefixes();
    const prompt = randomTokens(70, 21);
    const options = { seed: 1, maxTokens: 10 };
    const cost = async () => {
      const lane = rig.engine.open();
      await lane.append(prompt);
      const { rows } = lane.ledger.snapshot();
      const run = await readAll(lane.generate(options));
      lane.dispose();
      return { rows, run };
    };
    const first = await cost();
    const second = await cost();
    expect(first.rows).toBe(69);
    expect(second.rows).toBe(69 - 64);
    expect(second.run).toEqual(first.run);
    const { rows, run } = await (async () => {
      const lane = rig.engine.open();
      await lane.append([...prompt.slice(0, 40), ...randomTokens(30, 22)]);
      const { rows } = lane.ledger.snapshot();
      const run = await readAll(lane.generate(options));
      lane.dispose();
      return { rows, run };
    })();
    expect(rows).toBe(69 - 32);
    rig.engine.clearPrefixes();
    expect(await runAlone(rig.engine, [...prompt.slice(0, 40), ...randomTokens(30, 22)], options)).toEqual(run);
  });

  it('give their pages back under pressure', async () => {
    const small = await openRig(undefined, { kvBytes: (16 * 2 + 1) * 2 * 16 * 4 * 20 });
    const { engine } = small;
    for (let i = 0; i < 12; i++) await runAlone(engine, randomTokens(100, i), { seed: i, maxTokens: 5 });
    expect(engine.capacity.freePages).toBeLessThan(engine.capacity.totalPages);
    expect(await errorCode(() => runAlone(engine, randomTokens(310, 99), { seed: 1 }))).toBe('none');
    engine.clearPrefixes();
    expect(engine.capacity.freePages).toBe(engine.capacity.totalPages);
    small.dispose();
  });
});
