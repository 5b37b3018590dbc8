/** Lanes against a plain model of them: token lists. Random histories leave the right tokens, and no page behind. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttentionPolicy, Lane } from '../../src/engine/types.ts';
import { disposeAll, errorCode, openRig, type Rig, type RigOptions, randomTokens, readAll, TINY } from './rig.ts';

type Action =
  | { kind: 'append'; lane: number; count: number; seed: number }
  | { kind: 'generate'; lane: number; count: number; seed: number }
  | { kind: 'fork'; lane: number; count: number }
  | { kind: 'truncate'; lane: number; part: number }
  | { kind: 'score' | 'choose'; lane: number; seed: number }
  | { kind: 'dispose' | 'restore'; lane: number }
  | { kind: 'policy'; lane: number; policy: number }
  | { kind: 'open' };

const lane = fc.nat(7);
const seed = fc.nat(50);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('append' as const), lane, count: fc.nat(40), seed }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('generate' as const),
      lane,
      count: fc.integer({ min: 1, max: 20 }),
      seed,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('fork' as const), lane, count: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('truncate' as const),
      lane,
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('score' as const, 'choose' as const), lane, seed }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('dispose' as const, 'restore' as const), lane }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('policy' as const), lane, policy: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('open' as const) }) },
);
/** Groups run at the same time, each lane at most once in a group. */
const history = fc.array(fc.array(action, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 7 });

/** Sparse from a few pages on, in all layers. */
const POLICIES: readonly AttentionPolicy[] = [
  { kind: 'dense' },
  { kind: 'window', sinks: 8, local: 8, denseLayers: [] },
  { kind: 'blockTopK', budget: 16, sinks: 0, local: 4, denseLayers: [] },
];

interface Host {
  lane: Lane;
  tokens: number[];
  policy: number;
  /** Under which policy the KV of each token but the last was computed. */
  computed: number[];
}

const MOST_LANES = 10;

class Histories {
  readonly rig: Rig;
  /** Token that followed (seed, tokens and policies before it): the same whenever it is asked for again. */
  readonly drawn = new Map<string, number>();

  constructor(rig: Rig) {
    this.rig = rig;
  }

  async run(groups: readonly (readonly Action[])[]): Promise<void> {
    const { engine } = this.rig;
    const open = (): Host => ({ lane: engine.open(), tokens: [], policy: 0, computed: [] });
    const hosts: Host[] = [open()];
    for (const group of groups) {
      const used = new Set<Host>();
      const work: Promise<void>[] = [];
      for (const one of group) {
        if (one.kind === 'open') {
          if (hosts.length < MOST_LANES) hosts.push(open());
          continue;
        }
        const host = hosts[one.lane % hosts.length];
        if (!host || used.has(host)) continue;
        used.add(host);
        if (one.kind === 'dispose') {
          host.lane.dispose();
          hosts.splice(hosts.indexOf(host), 1);
        } else if (one.kind === 'restore') {
          const saved = host.lane.save();
          host.lane.dispose();
          host.lane = engine.restore(JSON.parse(JSON.stringify(saved)));
        } else if (one.kind === 'fork') {
          const count = Math.min(one.count, MOST_LANES - hosts.length);
          for (const fork of host.lane.fork(count)) {
            hosts.push({ ...host, lane: fork, tokens: [...host.tokens], computed: [...host.computed] });
          }
        } else if (one.kind === 'truncate') {
          const length = Math.floor(host.tokens.length * one.part);
          host.lane.truncate(length);
          host.tokens.length = length;
          host.computed.length = Math.max(0, length - 1);
        } else if (one.kind === 'policy') {
          host.policy = one.policy;
          host.lane.attention = POLICIES[one.policy]!;
        } else work.push(this.#work(host, one));
      }
      await Promise.all(work);
      for (const { lane, tokens } of hosts) {
        expect(Array.from(lane.tokens)).toEqual(tokens);
        expect(lane.length).toBe(tokens.length);
      }
    }
    disposeAll(hosts.map(({ lane }) => lane));
    engine.clearPrefixes();
    expect(engine.capacity.freePages).toBe(engine.capacity.totalPages);
  }

  async #work(host: Host, one: Action): Promise<void> {
    if (one.kind === 'append') {
      const added = randomTokens(one.count, one.seed);
      await host.lane.append(added);
      host.tokens.push(...added);
      // Prefill is dense.
      while (host.computed.length < host.tokens.length - 1) host.computed.push(0);
    } else if (one.kind === 'generate') {
      if (host.tokens.length === 0) {
        expect(await errorCode(() => host.lane.generate())).toBe('bad-option');
        return;
      }
      const run = await readAll(host.lane.generate({ seed: one.seed, maxTokens: one.count }));
      expect(run.tokens).toHaveLength(one.count);
      for (const token of run.tokens) {
        host.computed.push(host.policy);
        const key = `${one.seed}:${host.tokens}:${host.computed}`;
        expect(token).toBe(this.drawn.get(key) ?? token);
        this.drawn.set(key, token);
        host.tokens.push(token);
      }
    } else if (one.kind === 'score') {
      const continuation = randomTokens(5, one.seed);
      if (host.tokens.length === 0) expect(await errorCode(() => host.lane.score(continuation))).toBe('bad-option');
      else for (const logprob of await host.lane.score(continuation)) expect(logprob).toBeLessThan(0);
    } else if (one.kind === 'choose' && host.tokens.length > 0) {
      const all = Array.from({ length: TINY.vocabSize }, (_, token) => token);
      expect((await host.lane.choose(all)).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 4);
    }
  }
}

/** KV of one page in f32. */
const PAGE_BYTES = (16 * 2 + 1) * TINY.layers * TINY.kvHeads * TINY.headDim * 4;

describe.each<{ name: string; options: RigOptions; layers: number; runs: number }>([
  { name: 'with ample memory', options: {}, layers: 1, runs: 200 },
  {
    name: 'with few pages, slots and rows',
    options: { kvBytes: 21 * PAGE_BYTES, maxLanes: 3, prefillRows: 5 },
    layers: 2,
    runs: 150,
  },
])('histories of lanes $name', ({ options, layers, runs }) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig({ ...TINY, layers }, { maxContext: 320, ...options });
  });
  afterAll(() => rig.dispose());

  it('hold the tokens they should, draw the same ones again, and leak no page', async () => {
    const histories = new Histories(rig);
    await fc.assert(
      fc.asyncProperty(history, (groups) => histories.run(groups)),
      { numRuns: runs, seed: 20 },
    );
    expect(histories.drawn.size).toBeGreaterThan(100);
  });
});

describe('a lane', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig(TINY);
  });
  afterAll(() => rig.dispose());
  const open = async (prompt: readonly number[]) => {
    const lane = rig.engine.open();
    await lane.append(prompt);
    return lane;
  };

  it('does one thing at a time', async () => {
    const lane = rig.engine.open();
    const appending = lane.append(randomTokens(30, 1));
    for (const call of [
      () => lane.append([1]),
      () => lane.generate(),
      () => lane.fork(1),
      () => lane.truncate(0),
      () => lane.score([1]),
      () => lane.choose([1]),
    ]) {
      expect(await errorCode(call)).toBe('lane-busy');
    }
    await appending;
    const generating = readAll(lane.generate({ seed: 1, maxTokens: 5 }));
    expect(await errorCode(() => lane.append([1]))).toBe('lane-busy');
    await generating;
    await lane.append([1]);
    expect(lane.length).toBe(36);
    lane.dispose();
  });

  it('says so when it was disposed, also in the middle of work', async () => {
    const lane = await open([1, 2, 3]);
    const generating = readAll(lane.generate({ seed: 1 }));
    const scored = (await open([1, 2])).score([4]);
    lane.dispose();
    lane.dispose();
    expect(await errorCode(() => generating)).toBe('lane-disposed');
    for (const call of [
      () => lane.append([1]),
      () => lane.generate(),
      () => lane.fork(1),
      () => lane.truncate(0),
      () => lane.score([1]),
      () => lane.choose([1]),
    ]) {
      expect(await errorCode(call)).toBe('lane-disposed');
    }
    expect(await scored).toHaveLength(1);
  });

  it('is left by score and choose as it was', async () => {
    const prompt = randomTokens(47, 3);
    const probed = await open(prompt);
    const plain = await open(prompt);
    await probed.score(randomTokens(40, 4));
    await probed.choose([1, 2, 3]);
    await Promise.all([probed.score(randomTokens(9, 5)), probed.choose([5])]);
    expect(Array.from(probed.tokens)).toEqual(prompt);
    const options = { seed: 5, maxTokens: 20 };
    expect(await readAll(probed.generate(options))).toEqual(await readAll(plain.generate(options)));
    await probed.score([1, 2]);
    expect(Array.from(probed.tokens)).toEqual(Array.from(plain.tokens));
    disposeAll([probed, plain]);
  });

  it('scores what it generates as it generated it', async () => {
    const lane = await open(randomTokens(21, 8));
    const [before] = lane.fork(1);
    const run = await readAll(lane.generate({ seed: 2, maxTokens: 30 }));
    expect(Array.from(await before!.score(run.tokens))).toEqual(run.logprobs);
    disposeAll([lane, before!]);
  });

  it('refuses what makes no sense and stays as it was', async () => {
    const lane = await open([1, 2, 3]);
    const bad: (() => unknown)[] = [
      () => lane.append([TINY.vocabSize]),
      () => lane.append([-1]),
      () => lane.append([1.5]),
      () => lane.generate({ maxTokens: 0 }),
      () => lane.generate({ temperature: -1 }),
      () => lane.generate({ topP: 2 }),
      () => lane.generate({ stopTokens: [TINY.vocabSize] }),
      () => lane.generate({ stopStrings: [''] }),
      () => lane.generate({ seed: 0.5 }),
      () => lane.truncate(4),
      () => lane.truncate(-1),
      () => lane.fork(-1),
      () => lane.fork(0.5),
      () => lane.choose([TINY.vocabSize]),
      () => lane.score([Number.NaN]),
    ];
    for (const call of bad) expect(await errorCode(call)).toBe('bad-option');
    expect(Array.from(lane.tokens)).toEqual([1, 2, 3]);
    expect((await readAll(lane.generate({ seed: 1, maxTokens: 2 }))).tokens).toHaveLength(2);
    expect(await lane.score([])).toHaveLength(0);
    expect(await lane.choose([])).toHaveLength(0);
    expect(lane.fork(0)).toEqual([]);
    lane.dispose();
  });
});
