/** Checks of the sampling kernel that any host of a `Gpu` can run: each throws on a mismatch. */
import { link } from 'wesl/core';
import philoxSource from '../../../shaders/lib/philox.wesl?raw';
import { isReckonError } from '../../../src/errors.ts';
import type { Gpu } from '../../../src/gpu/index.ts';
import type { SamplingInput } from '../../../src/kernels/sampler-state.ts';
import { philox2x32, uniform } from '../../reference/philox.ts';
import { keptLogits } from '../../reference/sampler.ts';
import { download, seeded, upload } from './linear-support.ts';
import {
  Agreement,
  check,
  checkDraws,
  type LogitRow,
  logSoftmax,
  referenceDraw,
  SampleBench,
} from './sample-support.ts';

/** Logits of about the spread that language models have. `steps`: rounded to 1/steps, so that many are equal. */
export function randomRows(random: () => number, vocab: number, count: number, spread = 4, steps = 0): LogitRow[] {
  return Array.from({ length: count }, () => {
    const logits = Float32Array.from({ length: vocab }, () => {
      const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      return steps > 0 ? Math.round(normal * spread * steps) / steps : normal * spread;
    });
    return { logits, position: Math.floor(random() * 40_000) };
  });
}

/** All checks. */
export async function checkSample(gpu: Gpu): Promise<void> {
  await checkRandomBits(gpu);
  for (const vocab of [5, 80, 1000]) await checkAgainstDefinition(gpu, vocab, 24);
  await checkKeptSets(gpu);
  await checkDistribution(gpu);
  await checkPenaltyAndBiases(gpu);
  await checkForced(gpu, 1000);
  await checkNeighbours(gpu);
  await checkBadLogits(gpu);
  await checkBiasPool(gpu);
}

/** Philox bit for bit, the Gumbel transform to f32 rounding, over random words and the extremes. */
export async function checkRandomBits(gpu: Gpu): Promise<void> {
  const main = `
    import package::lib::philox::{philox, gumbel};
    @group(0) @binding(0) var<storage, read> inputs: array<vec4u>;
    @group(0) @binding(1) var<storage, read_write> outputs: array<vec2u>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < arrayLength(&inputs)) {
        let at = inputs[id.x];
        outputs[id.x] = vec2u(philox(at.x, at.y, at.z), bitcast<u32>(gumbel(at.w)));
      }
    }`;
  const { dest } = await link({
    weslSrc: { 'main.wesl': main, 'lib/philox.wesl': philoxSource },
    rootModuleName: 'main',
  });
  const random = seeded(1);
  const word = () => Math.floor(random() * 2 ** 32);
  const extremes = [0, 255, 256, 0x7fffffff, 0x80000000, 0x800000ff, 0xfffffeff, 0xffffffff];
  const count = 4096;
  const inputs = Uint32Array.from({ length: 4 * count }, (_, i) => (i < 32 ? extremes[i >> 2]! : word()));
  // The first counters are the extremes all over; the published answers follow.
  inputs.set([0, 0, 0, 0, 0xffffffff, 0xffffffff, 0xffffffff, 0, 0x13198a2e, 0x243f6a88, 0x85a308d3, 0], 32);

  const { device } = gpu;
  const from = upload(gpu, 'inputs', inputs);
  const to = gpu.buffer('outputs', count * 8);
  const module = device.createShaderModule({ code: dest });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
  const entries = [from, to].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const bindings = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindings);
  pass.dispatchWorkgroups(count / 64);
  pass.end();
  device.queue.submit([encoder.finish()]);
  const bytes = await download(gpu, to, count * 8);
  gpu.free(from);
  gpu.free(to);

  const words = new Uint32Array(bytes);
  const floats = new Float32Array(bytes);
  [0xff1dae59, 0x2c3f628b, 0xdd7ce038].forEach((known, i) => {
    check(words[2 * (8 + i)] === known, () => `Philox known answer ${i}: ${words[2 * (8 + i)]!.toString(16)}`);
  });
  for (let i = 0; i < count; i++) {
    const [key, c0, c1, u] = inputs.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    check(words[2 * i] === philox2x32(c0, c1, key)[0], () => `Philox differs for key ${key}, counter ${c0}, ${c1}`);
    const error = Math.abs(floats[2 * i + 1]! - -Math.log(-Math.log(uniform(u))));
    check(error <= 4e-6, () => `Gumbel of word ${u} is off by ${error}`);
  }
}

const SETTINGS: readonly SamplingInput[] = [
  { temperature: 0 },
  { temperature: 1 },
  { temperature: 0.6, topK: 20, topP: 0.95 },
  { temperature: 0.7, topP: 0.8, minP: 0.02 },
  { temperature: 1.5, minP: 0.1 },
  { temperature: 1, topK: 3 },
  { temperature: 1e-12 },
  { temperature: 50, topK: 1 },
  { temperature: 1, topP: 0 },
  { temperature: 1, minP: 1 },
  { temperature: 2, topP: 0.999, topK: 1_000_000 },
];

/** Draws under all kinds of settings, from smooth and from tie-ridden logits, held against the definition. */
export async function checkAgainstDefinition(
  gpu: Gpu,
  vocab: number,
  count: number,
  settings: readonly SamplingInput[] = SETTINGS,
): Promise<void> {
  const bench = await SampleBench.create(gpu, { vocab, rows: count });
  const random = seeded(vocab);
  const agreement = new Agreement();
  for (const sampling of settings) {
    for (const steps of [0, 2]) {
      const rows = randomRows(random, vocab, count, 4, steps);
      await checkDraws(bench, rows, { ...sampling, seed: Math.floor(random() * 2 ** 53) }, agreement);
    }
  }
  agreement.finish(`vocabulary of ${vocab}`);
  bench.dispose();
}

/** From near-flat logits with ties every kept token must come up, and no other. */
export async function checkKeptSets(gpu: Gpu): Promise<void> {
  const vocab = 80;
  const draws = 1024;
  const bench = await SampleBench.create(gpu, { vocab, rows: draws });
  const random = seeded(7);
  const agreement = new Agreement();
  for (const [round, filters] of [
    { topK: 7 },
    { topP: 0.5 },
    { minP: 0.6 },
    { topK: 13, topP: 0.7 },
    { topK: 25, topP: 0.9, minP: 0.5 },
    { topP: 0.25 },
    { topK: 1 },
    { topP: 0.031 },
    { topK: 40, topP: 0.25 },
    { topK: 20, topP: 0.5 },
  ].entries()) {
    // Steps of 1/4: ties at most thresholds; without, thresholds between close neighbours. Both zeros are one value.
    const [row] = randomRows(random, vocab, 1, 0.4, round < 8 ? 4 : 0);
    if (round === 6) row!.logits.fill(-1).fill(0, 10, 20).fill(-0, 15, 18);
    if (round === 7) row!.logits.fill(2);
    const rows = Array.from({ length: draws }, (_, position) => ({ logits: row!.logits, position }));
    const sampling = { temperature: 1, seed: round, ...filters };
    const drawn = new Set((await checkDraws(bench, rows, sampling, agreement)).map(({ token }) => token));
    const left = keptLogits(row!.logits, sampling);
    const kept = [...left.keys()].filter((token) => left[token]! > Number.NEGATIVE_INFINITY);
    check(
      drawn.size === kept.length && kept.every((token) => drawn.has(token)),
      () => `${JSON.stringify(filters)}: drew ${[...drawn].sort()}, kept are ${kept.sort()}`,
    );
  }
  agreement.finish('kept sets');
  bench.dispose();
}

/** Frequencies at T = 1 follow the softmax: chi-square over many positions and two seeds. */
export async function checkDistribution(gpu: Gpu): Promise<void> {
  const vocab = 5;
  const count = 4096;
  const bench = await SampleBench.create(gpu, { vocab, rows: count });
  const logits = Float32Array.from([0, 0.5, -0.5, 1.5, -2]);
  const rows = Array.from({ length: count }, (_, position) => ({ logits, position }));
  bench.set(0, { seed: 12345 });
  bench.set(1, { seed: 2 ** 40 + 7 });
  const logprobs = logSoftmax(logits);
  for (const slot of [0, 1]) {
    const counts = new Float64Array(vocab);
    const drawn = await bench.draw(
      rows,
      rows.map((_, row) => ({ row, slot })),
    );
    for (const { token } of drawn) counts[token]!++;
    let chi = 0;
    for (let token = 0; token < vocab; token++) {
      const expected = Math.exp(logprobs[token]!) * count;
      chi += (counts[token]! - expected) ** 2 / expected;
    }
    // 4 degrees of freedom: exceeded once in a thousand. Seeds are fixed, so this passes or fails for good.
    check(chi < 18.47, () => `Draws of slot ${slot} do not follow the softmax: chi-square ${chi}, ${counts}`);
  }
  bench.dispose();
}

/** Repetition penalty, biases few and many, bans of all tokens but one, and what KEEP leaves behind. */
export async function checkPenaltyAndBiases(gpu: Gpu): Promise<void> {
  const vocab = 1000;
  const bench = await SampleBench.create(gpu, { vocab, rows: 64, maxBiases: 2 * vocab });
  const random = seeded(3);
  const agreement = new Agreement();
  const seen = [0, 31, 32, 64, 255, 299];
  const bans = (...allowed: number[]) => {
    const all = Array.from({ length: vocab }, (_, token) => [token, Number.NEGATIVE_INFINITY] as const);
    return new Map(all.filter(([token]) => !allowed.includes(token)));
  };
  const some = new Map(Array.from({ length: 50 }, (_, i) => [(i * 77) % vocab, (random() - 0.5) * 10] as const));
  for (const sampling of [
    { temperature: 0, repetitionPenalty: 1.8 },
    { temperature: 0.9, repetitionPenalty: 0.6 },
    { temperature: 0.9, repetitionPenalty: 1.3, topP: 0.9, biases: some },
    { temperature: 0, biases: some },
    { temperature: 0, biases: new Map([[17, Number.NEGATIVE_INFINITY]]) },
    { temperature: 1.2, topK: 9, topP: 0.9, minP: 0.01, biases: bans(3, 4, 5, 298) },
  ]) {
    await checkDraws(bench, randomRows(random, vocab, 64), { seed: 5, ...sampling }, agreement, seen);
  }
  agreement.finish('penalty and biases');

  const rows = randomRows(random, vocab, 3);
  rows[1]!.logits.fill(-100).fill(100, 0, 250);
  bench.set(0, { temperature: 0, biases: bans(123) });
  bench.set(1, { temperature: 1, topK: 5, topP: 0.5, minP: 0.5, biases: bans(299) });
  bench.set(2, { temperature: 0 }, [1, 2]);
  const drawn = await bench.draw(rows, [
    { row: 0, slot: 0 },
    { row: 1, slot: 1, keep: true },
    { row: 2, slot: 2, target: 77, keep: true },
  ]);
  check(drawn[0]!.token === 123 && drawn[1]!.token === 299 && drawn[2]!.token === 77, () => `${JSON.stringify(drawn)}`);
  const lanes = await bench.laneTokens();
  check(lanes[0] === 0 && lanes[1] === 299 && lanes[2] === 77, () => `Lane tokens are ${lanes}`);
  const held = await Promise.all([0, 1, 2].map((slot) => bench.seen(slot)));
  check(held.join(';') === ';299;1,2,77', () => `Held tokens are ${held.join(';')}`);
  bench.dispose();
}

/** Log-probabilities of given tokens, many from one row, whatever the slot's settings are. */
export async function checkForced(gpu: Gpu, vocab: number): Promise<void> {
  const bench = await SampleBench.create(gpu, { vocab, rows: 64 });
  const random = seeded(11);
  const rows = [
    ...randomRows(random, vocab, 1, 0.01),
    ...randomRows(random, vocab, 2),
    ...randomRows(random, vocab, 1, 30),
  ];
  bench.set(0, { temperature: 0.5, topK: 1, repetitionPenalty: 3, biases: new Map([[1, 50]]) }, [0, 1, 2]);
  bench.set(1, {});
  const references = rows.map(({ logits }) => logSoftmax(logits));
  const asked = Array.from({ length: 64 }, (_, i) => ({
    row: i % rows.length,
    slot: i % 2,
    target: i < 4 ? 0 : i < 8 ? vocab - 1 : Math.floor(random() * vocab),
  }));
  const results = await bench.draw(rows, asked);
  asked.forEach(({ row, target }, i) => {
    const { token, logprob } = results[i]!;
    const expected = references[row]![target]!;
    check(
      token === target && Math.abs(logprob - expected) <= 1e-5 * Math.max(1, Math.abs(expected)),
      () => `Scoring ${target} in row ${row}: ${token}, ${logprob}, not ${expected}`,
    );
  });
  bench.dispose();
}

/** The same draw alone and among 32 others, in another logits row: the same bits. */
export async function checkNeighbours(gpu: Gpu): Promise<void> {
  const vocab = 1000;
  const bench = await SampleBench.create(gpu, { vocab, rows: 32 });
  const random = seeded(13);
  const rows = randomRows(random, vocab, 32);
  for (let slot = 0; slot < 32; slot++) {
    bench.set(slot, { seed: slot, temperature: 1 + slot / 16, ...SETTINGS[slot % 5], repetitionPenalty: 1.1 }, [slot]);
  }
  const together = await bench.draw(
    rows,
    rows.map((_, row) => ({ row, slot: (row * 5) % 32 })),
  );
  for (let row = 0; row < 32; row += 3) {
    const [alone] = await bench.draw([rows[row]!], [{ row: 0, slot: (row * 5) % 32 }]);
    check(
      alone!.token === together[row]!.token && Object.is(alone!.logprob, together[row]!.logprob),
      () => `Row ${row} alone: ${JSON.stringify(alone)}, among others: ${JSON.stringify(together[row])}`,
    );
  }
  bench.dispose();
}

/** NaN and infinite logits are never drawn while a finite one is there; where none is, the log-probability is NaN. */
export async function checkBadLogits(gpu: Gpu): Promise<void> {
  const vocab = 80;
  const { NaN: nan, POSITIVE_INFINITY: up, NEGATIVE_INFINITY: down } = Number;
  const bench = await SampleBench.create(gpu, { vocab, rows: 8, maxBiases: vocab });
  const random = seeded(17);
  const agreement = new Agreement();
  const rows = randomRows(random, vocab, 8);
  for (const [i, { logits }] of rows.entries()) logits.fill([nan, up, down][i % 3]!, i * 4, 70);
  rows[7]!.logits.fill(nan).fill(-40, 55, 56);
  for (const sampling of [{ temperature: 0, seed: 0 }, { seed: 1 }, { seed: 2, topK: 8, topP: 0.9, minP: 0.01 }]) {
    await checkDraws(bench, rows, sampling, agreement);
  }

  const [infinite] = await bench.draw(rows, [{ row: 2, slot: 0, target: 40 }]);
  check(infinite!.logprob === down, () => `An infinitely unlikely token has log-probability ${infinite!.logprob}`);

  bench.set(0, { temperature: 0 });
  bench.set(1, { topK: 3, topP: 0.5, minP: 0.1 });
  bench.set(2, { biases: new Map(Array.from({ length: vocab - 1 }, (_, token) => [token, down])) });
  for (const bad of [nan, up, down]) {
    const row = { logits: new Float32Array(vocab).fill(bad), position: 0 };
    const banned = { logits: new Float32Array(vocab).fill(bad, vocab - 1), position: 0 };
    const drawn = await bench.draw(
      [row, banned],
      [
        { row: 0, slot: 0 },
        { row: 0, slot: 1 },
        { row: 0, slot: 1, target: 3 },
        { row: 1, slot: 2 },
      ],
    );
    drawn.forEach(({ token, logprob }, i) => {
      check(token === (i === 2 ? 3 : 0) && Number.isNaN(logprob), () => `Nothing to draw: ${JSON.stringify(drawn[i])}`);
    });
  }
  bench.dispose();
}

/** Random settings in random slots: each slot always draws by its own biases, wherever the pool holds them. */
export async function checkBiasPool(gpu: Gpu): Promise<void> {
  const [vocab, slots, maxBiases] = [80, 4, 24];
  const bench = await SampleBench.create(gpu, { vocab, rows: slots, maxBiases });
  const random = seeded(19);
  const below = (n: number) => Math.floor(random() * n);
  const live = new Map<number, SamplingInput>();
  let refused = 0;
  for (let round = 0; round < 60; round++) {
    const slot = below(slots);
    const biases = new Map(Array.from({ length: below(14) }, () => [below(vocab), (random() - 0.5) * 20] as const));
    const others = [...live].reduce((sum, [i, { biases }]) => sum + (i === slot ? 0 : biases!.size), 0);
    try {
      bench.set(slot, { temperature: 0, biases });
      check(others + biases.size <= maxBiases, () => `${others} + ${biases.size} biases fitted into ${maxBiases}`);
      live.set(slot, { temperature: 0, biases });
    } catch (error) {
      check(isReckonError(error, 'bad-option') && others + biases.size > maxBiases, () => String(error));
      refused++;
      if (below(2) === 0) {
        bench.sampler.state.clearSlot(slot);
        live.delete(slot);
      }
    }
    const [row] = randomRows(random, vocab, 1);
    const lanes = [...live.keys()];
    const drawn = await bench.draw(
      [row!],
      lanes.map((slot) => ({ row: 0, slot })),
    );
    lanes.forEach((slot, i) => {
      const { token } = referenceDraw(row!.logits, live.get(slot)!, [], 0);
      check(drawn[i]!.token === token, () => `Round ${round}: slot ${slot} drew ${drawn[i]!.token}, not ${token}`);
    });
  }
  check(refused > 3, () => 'The pool was never full');
  bench.dispose();
}
