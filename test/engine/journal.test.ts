import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readJournal, writeJournal } from '../../src/engine/journal.ts';
import type { AttentionPolicy, LaneJournal } from '../../src/engine/types.ts';
import { isReckonError } from '../../src/errors.ts';
import { errorCode, openRig, type Rig, randomTokens, readAll, TINY } from './rig.ts';

const engine = { model: 'm', revision: '1', kv: 'f16' };
const limits = { vocabulary: 100, maxContext: 50 };
const window = {
  kind: 'window',
  blockSize: 16,
  chosen: 0,
  sinks: 1,
  local: 8,
  search: null,
  denseLayers: [0],
} as const;
const history = {
  length: 4,
  ranges: [
    { from: 0, policy: null },
    { from: 2, policy: window },
  ],
};
const state = { tokens: [3, 1, 4, 1, 5], given: 2, attention: { kind: 'dense' }, history } as const;
const journal = writeJournal(engine, state);
const code = (value: unknown, of: Record<string, string> = engine) => errorCode(() => readJournal(value, of, limits));

describe('a journal', () => {
  it('gives back what went in, through JSON and with its names reordered', () => {
    expect(readJournal(JSON.parse(JSON.stringify(journal)), engine, limits)).toEqual(state);
    const reordered = Object.fromEntries(Object.entries(journal).toReversed());
    expect(readJournal({ ...reordered, engine: { kv: 'f16', revision: '1', model: 'm' } }, engine, limits)).toEqual(
      state,
    );
  });

  it('is small', () => {
    const long = writeJournal(engine, { ...state, tokens: Array.from({ length: 32768 }, (_, i) => i) });
    expect(JSON.stringify(long).length).toBeLessThan(8 * 32768);
  });

  it('is refused by an engine of another model, revision or precision, naming which', async () => {
    for (const change of [{ model: 'n' }, { revision: '2' }, { kv: 'int8' }, { summary: 'mean' }]) {
      const [name] = Object.keys(change);
      const refused = await errorCode(() => readJournal(journal, { ...engine, ...change }, limits));
      expect(refused).toBe('bad-journal');
      expect(() => readJournal(journal, { ...engine, ...change }, limits)).toThrow(`with ${name} `);
    }
    expect(await code(journal, {})).toBe('bad-journal');
    expect(await code(journal)).toBe('none');
  });

  it('is refused whole when any character of it has changed', () => {
    const text = JSON.stringify(journal);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom('0', '7', '"', 'x', '', ',', '-', '.'), (at, put) => {
        const changed = text.slice(0, at) + put + text.slice(at + 1);
        let value: unknown;
        try {
          value = JSON.parse(changed);
        } catch {
          return;
        }
        try {
          expect(readJournal(value, engine, limits)).toEqual(state);
          // Only a change that says the same is let through.
          expect(value).toEqual(journal);
        } catch (error) {
          expect(isReckonError(error, 'bad-journal'), String(error)).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    null,
    undefined,
    7,
    'text',
    [],
    {},
    { ...journal, tokens: undefined },
    { ...journal, tokens: '1,2' },
    { ...journal, version: 2 },
    { ...journal, engine: null },
    { ...journal, attention: null },
    writeJournal(engine, { ...state, tokens: [100] }),
    writeJournal(engine, { ...state, tokens: [1.5] }),
    writeJournal(engine, { ...state, given: 6 }),
    writeJournal(engine, { ...state, given: -1 }),
    { ...journal, history: undefined },
    ...[
      { length: 5, ranges: history.ranges },
      { length: 4, ranges: [] },
      { length: 0, ranges: history.ranges },
      { length: 4, ranges: [{ from: 1, policy: null }] },
      { length: 4, ranges: [history.ranges[0]!, history.ranges[0]!] },
      { length: 4, ranges: [{ from: 0, policy: { ...window, blockSize: 3 } }] },
      { length: 4, ranges: [{ from: 0, policy: { ...window, local: 0 } }] },
      { length: 4, ranges: [{ from: 0, policy: { ...window, search: 'keys' as const } }] },
    ].map((wrong) => writeJournal(engine, { ...state, history: wrong as never })),
  ])('is refused where it makes no sense: %j', async (value) => {
    expect(await code(value)).toBe('bad-journal');
  });

  it('is refused where it is longer than a lane may be', async () => {
    expect(await code(writeJournal(engine, { ...state, tokens: Array.from({ length: 51 }, () => 1) }))).toBe(
      'over-capacity',
    );
  });
});

describe('a lane that was saved', () => {
  let first: Rig;
  let second: Rig;
  beforeAll(async () => {
    first = await openRig(TINY, { serialAttention: true });
    second = await openRig(TINY, { serialAttention: false, prefillRows: 7 });
  });
  afterAll(() => {
    first?.dispose();
    second?.dispose();
  });

  it('goes on in another engine as it would have, bit for bit', async () => {
    const counts = { min: 1, max: 40 };
    await fc.assert(
      fc.asyncProperty(
        fc.record({ prompt: fc.integer({ min: 1, max: 150 }), before: fc.integer(counts), after: fc.integer(counts) }),
        fc.nat(1000),
        async ({ prompt, before, after }, seed) => {
          const lane = first.engine.open();
          await lane.append(randomTokens(prompt, seed));
          const whole = await readAll(lane.generate({ seed, maxTokens: before + after }));
          lane.truncate(prompt + before);
          const saved: LaneJournal = JSON.parse(JSON.stringify(lane.save()));
          lane.dispose();
          const restored = second.engine.restore(saved);
          const rest = await readAll(restored.generate({ seed, maxTokens: after }));
          expect(rest.tokens).toEqual(whole.tokens.slice(before));
          expect(rest.logprobs).toEqual(whole.logprobs.slice(before));
          restored.dispose();
        },
      ),
      { numRuns: 12, seed: 4 },
    );
    second.engine.clearPrefixes();
    expect(second.engine.capacity.freePages).toBe(second.engine.capacity.totalPages);
  });

  it('remembers under which policies its KV was computed', async () => {
    const policies: AttentionPolicy[] = [
      { kind: 'window', sinks: 16, local: 20, denseLayers: [] },
      { kind: 'dense' },
      { kind: 'blockTopK', budget: 32, local: 16, denseLayers: [] },
      { kind: 'tokenTopK', budget: 20, denseLayers: [] },
    ];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }), fc.nat(100), async (kinds, seed) => {
        const lane = first.engine.open();
        await lane.append(randomTokens(90, seed));
        for (const [i, kind] of kinds.entries()) {
          lane.attention = policies[kind]!;
          await readAll(lane.generate({ seed: seed + i, maxTokens: 17 }));
        }
        const saved: LaneJournal = JSON.parse(JSON.stringify(lane.save()));
        const restored = second.engine.restore(saved);
        expect(restored.attention).toEqual(lane.attention);
        const [there, here] = await Promise.all(
          [lane, restored].map((one) => readAll(one.generate({ seed, maxTokens: 10 }))),
        );
        expect(here).toEqual(there);
        for (const one of [lane, restored]) one.dispose();
      }),
      { numRuns: 6, seed: 3 },
    );
  });

  it('can be saved in the middle of a generation, but not disposed', async () => {
    const lane = first.engine.open();
    await lane.append(randomTokens(20, 1));
    const saved: LaneJournal[] = [];
    const tokens: number[] = [];
    for await (const { token } of lane.generate({ seed: 9, maxTokens: 30 })) {
      tokens.push(token);
      if (tokens.length === 12) saved.push(lane.save());
    }
    const held = saved[0]!.tokens.length;
    expect(held).toBeGreaterThanOrEqual(32);
    const restored = second.engine.restore(saved[0]!);
    const rest = await readAll(restored.generate({ seed: 9, maxTokens: 50 - held }));
    expect([...saved[0]!.tokens.slice(20), ...rest.tokens]).toEqual(tokens);
    restored.dispose();
    lane.dispose();
    expect(await errorCode(() => lane.save())).toBe('lane-disposed');
  });

  it('is not taken by an engine with another cache', async () => {
    const lane = first.engine.open();
    await lane.append([1, 2, 3]);
    const saved = lane.save();
    lane.dispose();
    expect(await errorCode(() => second.engine.restore({ ...saved, engine: { ...saved.engine, kv: 'int8' } }))).toBe(
      'bad-journal',
    );
  });
});
