/** Attention policies in the engine: against their definition in float64, and bit for bit against each other. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelConfig } from '../../src/checkpoint/index.ts';
import type { AttentionPolicy, Lane } from '../../src/engine/types.ts';
import type { ReferencePolicy } from '../reference/policies.ts';
import { disposeAll, openRig, type Rig, type RigOptions, type Run, randomTokens, readAll, TINY } from './rig.ts';

const CONFIG: ModelConfig = { ...TINY, layers: 3, heads: 4, kvHeads: 2 };

const POLICIES: (AttentionPolicy & ReferencePolicy)[] = [
  { kind: 'blockTopK', budget: 32 },
  { kind: 'blockTopK', budget: 32, blockSize: 32, sinks: 0, local: 20 },
  { kind: 'blockTopK', budget: 24, blockSize: 4, sinks: 3, local: 9, denseLayers: [] },
  { kind: 'blockTopK', budget: 16, blockSize: 8, denseLayers: [1, 2] },
  { kind: 'tokenTopK', budget: 20, sinks: 2, local: 5 },
  { kind: 'window', sinks: 4, local: 40 },
  { kind: 'window', sinks: 0, local: 1, denseLayers: [2] },
];
const nameOf = (policy: AttentionPolicy) => JSON.stringify(policy);

const prompt = randomTokens(90, 3);
const greedy = { temperature: 0, maxTokens: 24 };

async function generate(lane: Lane, policy: AttentionPolicy, options = {}): Promise<Run> {
  lane.attention = policy;
  return readAll(lane.generate({ ...greedy, ...options }));
}

async function alone({ engine }: Rig, policy: AttentionPolicy, tokens = prompt, options = {}): Promise<Run> {
  const lane = engine.open();
  await lane.append(tokens);
  const run = await generate(lane, policy, options);
  lane.dispose();
  return run;
}

/** Log-probabilities of the tokens a run drew, by the reference. */
async function referenceLogprobs(rig: Rig, policy: ReferencePolicy, run: Run): Promise<number[]> {
  const session = (await rig.reference()).session();
  for (const token of prompt.slice(0, -1)) session.push(token);
  let last = prompt.at(-1)!;
  return run.tokens.map((token) => {
    const logits = session.push(last, policy);
    last = token;
    const top = Math.max(...logits);
    return logits[token]! - top - Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0));
  });
}

/** What runs on them without page summaries is to be the same, in every bit. */
const results: Record<string, Run[]> = {};

/** Less than a layer's keys take: they lie in two buffers then, a KV head in each. */
const BINDING = 2 ** 19;

describe.each<{ name: string; summary: 'mean' | 'minmax'; options: RigOptions; buffers: number }>([
  { name: 'one thread a row', summary: 'mean', options: { serialAttention: true }, buffers: 1 },
  {
    name: 'split decoding',
    summary: 'minmax',
    options: { serialAttention: false, bindingBytes: BINDING },
    buffers: 2,
  },
])('policies with $name and $summary', ({ name, summary, options, buffers }) => {
  let rig: Rig;
  const runs: Run[] = [];
  const expected = (policy: ReferencePolicy, run: Run) =>
    referenceLogprobs(rig, policy.kind === 'blockTopK' ? { ...policy, summary } : policy, run);
  beforeAll(async () => {
    rig = await openRig(CONFIG, { prefillRows: 24, summary, ...options });
    expect(rig.decoder.cache.map((layer) => layer.length)).toEqual([buffers, buffers, buffers]);
    for (const policy of POLICIES) runs.push(await alone(rig, policy));
    results[name] = runs;
  });
  afterAll(() => rig.dispose());

  it.each(POLICIES.map((policy, i) => [nameOf(policy), i] as const))('%s attends as it is defined', async (_, i) => {
    const reference = await expected(POLICIES[i]!, runs[i]!);
    const dense = await expected({ kind: 'dense' }, runs[i]!);
    for (const [at, logprob] of runs[i]!.logprobs.entries()) expect(logprob).toBeCloseTo(reference[at]!, 4);
    // And not by chance: dense attention gives something else.
    expect(Math.max(...dense.map((x, at) => Math.abs(x - reference[at]!)))).toBeGreaterThan(1e-3);
  });

  it('gives every lane of a batch what its own policy gives it alone', async () => {
    const dense = await alone(rig, { kind: 'dense' });
    const all = [...POLICIES, { kind: 'dense' } as const];
    const together = await Promise.all(all.map((policy) => alone(rig, policy)));
    expect(together).toEqual([...runs, dense]);
  });

  it('is dense, in every bit, where the budget holds all there is', async () => {
    const dense = await alone(rig, { kind: 'dense' });
    const length = prompt.length + greedy.maxTokens;
    for (const policy of [
      { kind: 'blockTopK', budget: 16 * Math.ceil(length / 16) },
      { kind: 'tokenTopK', budget: length },
      { kind: 'window', local: length },
    ] as const) {
      expect(await alone(rig, policy)).toEqual(dense);
    }
  });

  it('takes single tokens as blocks of one', async () => {
    const settings = { budget: 20, sinks: 2, local: 5 };
    expect(await alone(rig, { kind: 'blockTopK', blockSize: 1, ...settings })).toEqual(runs[4]);
  });
});

it('gives the same bits on either kind of kernels', () => {
  const [one, other] = Object.values(results).map((runs) => runs.slice(2));
  expect(other).toEqual(one);
});

describe('KV that comes and goes', () => {
  /** KV and summaries of one page. */
  const PAGE_BYTES = 16 * CONFIG.layers * CONFIG.kvHeads * CONFIG.headDim * 4 * (2 + 1 / 16);
  let ample: Rig;
  let scarce: Rig;
  beforeAll(async () => {
    ample = await openRig(CONFIG, { prefillRows: 24, bindingBytes: BINDING });
    scarce = await openRig(CONFIG, { prefillRows: 24, kvBytes: 16 * PAGE_BYTES });
  });
  afterAll(() => {
    ample.dispose();
    scarce.dispose();
  });

  it('is computed again under the policies of its tokens: preempted lanes go on in the same bits', async () => {
    const run = (rig: Rig) =>
      Promise.all(
        POLICIES.map(async (policy, i) => {
          const lane = rig.engine.open();
          await lane.append(randomTokens(40 + 5 * i, i));
          const first = await generate(lane, policy, { maxTokens: 40, seed: i, temperature: 1 });
          await lane.append(randomTokens(11, i));
          // Another policy from here on: the history has ranges.
          const second = await generate(lane, POLICIES[(i + 2) % POLICIES.length]!, { maxTokens: 30, seed: i });
          lane.truncate(lane.length - 7);
          const third = await generate(lane, { kind: 'dense' }, { maxTokens: 10, seed: i });
          const scored = await lane.score(randomTokens(5, i));
          lane.dispose();
          return [first, second, third, scored];
        }),
      );
    const expectedRuns = await run(ample);
    expect(scarce.engine.capacity.totalPages).toBe(16);
    expect([scarce, ample].map(({ decoder }) => decoder.cache[0]!.length)).toEqual([1, 2]);
    expect(await run(scarce)).toEqual(expectedRuns);
  });

  it('has summaries that do not tell how it came about', async () => {
    const policy = POLICIES[0]!;
    const fresh = await alone(ample, policy, randomTokens(100, 8));
    const tokens = randomTokens(100, 8);
    const root = ample.engine.open();
    await root.append(tokens.slice(0, 37));
    await root.append(randomTokens(30, 99));
    // Into the middle of a page that was full, then by forks that share it.
    root.truncate(37);
    const [fork] = root.fork(1) as [Lane];
    await root.append(randomTokens(9, 98));
    await fork.append(tokens.slice(37, 71));
    const [twig] = fork.fork(1) as [Lane];
    await fork.append(randomTokens(40, 97));
    await twig.append(tokens.slice(71));
    expect(await generate(twig, policy)).toEqual(fresh);
    disposeAll([root, fork, twig]);
  });

  it('is inherited with its policy by forks', async () => {
    const policy = POLICIES[0]!;
    const root = ample.engine.open();
    await root.append(prompt);
    root.attention = policy;
    const [fork] = root.fork(1) as [Lane];
    expect(fork.attention).toEqual(policy);
    expect(await readAll(fork.generate(greedy))).toEqual(await alone(ample, policy));
    disposeAll([root, fork]);
  });
});
