import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { protoSource } from '../support/checkpoint.ts';
import { type ReferenceConfig, ReferenceDecoder } from './decoder.ts';
import { loadReference, randomWeights, relativeError } from './load.ts';
import { argmax } from './sampler.ts';

interface GoldenCase {
  question: string;
  promptIds: number[];
  lastLogits: number[];
  logitsAtPosition10: number[];
  greedyIds: number[];
}

const golden = JSON.parse(readFileSync(new URL('../golden/proto.json', import.meta.url), 'utf8')) as {
  cases: GoldenCase[];
};

const CONFIG: ReferenceConfig = {
  layers: 2,
  hiddenSize: 24,
  intermediateSize: 20,
  heads: 6,
  kvHeads: 2,
  headDim: 8,
  vocabSize: 31,
  normEps: 1e-6,
  ropeTheta: 10_000,
  qkNorm: true,
  tiedEmbeddings: false,
};
const TOKENS = [3, 30, 0, 7, 7, 12, 1, 29, 16];

describe('the reference decoder on the embedded checkpoint', () => {
  let decoder: ReferenceDecoder;
  beforeAll(async () => {
    decoder = await loadReference(protoSource());
  });

  it.each(golden.cases)('agrees with another implementation: $question', (testCase) => {
    const rows = decoder.logits(testCase.promptIds);
    expect(relativeError(rows.at(-1)!, testCase.lastLogits)).toBeLessThan(1e-5);
    expect(relativeError(rows[10]!, testCase.logitsAtPosition10)).toBeLessThan(1e-5);
  });

  it.each(golden.cases)('continues greedily as that one: $question', ({ promptIds, greedyIds }) => {
    const session = decoder.session();
    let logits = promptIds.map((token) => session.push(token)).at(-1)!;
    const tokens: number[] = [];
    while (tokens.length < greedyIds.length) {
      tokens.push(argmax(logits));
      logits = session.push(tokens.at(-1)!);
    }
    expect(tokens).toEqual(greedyIds);
  });
});

describe('the reference decoder on random weights', () => {
  const weights = randomWeights(CONFIG, 1);
  const decoder = new ReferenceDecoder(CONFIG, weights);

  it('reads query head h against KV head ⌊h / ratio⌋: repeating the KV heads changes nothing', () => {
    const repeated = new Map(weights);
    for (let layer = 0; layer < CONFIG.layers; layer++) {
      for (const matrix of ['k', 'v']) {
        const name = `model.layers.${layer}.self_attn.${matrix}_proj.weight`;
        const size = CONFIG.headDim * CONFIG.hiddenSize;
        const { data } = weights.get(name)!;
        const wide = new Float64Array(CONFIG.heads * size);
        for (let head = 0; head < CONFIG.heads; head++) {
          const from = Math.floor(head / 3) * size;
          wide.set(data.subarray(from, from + size), head * size);
        }
        repeated.set(name, { shape: [CONFIG.heads * CONFIG.headDim, CONFIG.hiddenSize], data: wide });
      }
    }
    const plain = new ReferenceDecoder({ ...CONFIG, kvHeads: CONFIG.heads }, repeated);
    expect(plain.logits(TOKENS)).toEqual(decoder.logits(TOKENS));
  });

  it('uses the embedding as output head when they are tied', () => {
    const embedding = weights.get('model.embed_tokens.weight')!;
    const copied = new ReferenceDecoder(CONFIG, new Map(weights).set('lm_head.weight', embedding));
    const tied = new ReferenceDecoder({ ...CONFIG, tiedEmbeddings: true }, weights);
    expect(tied.logits(TOKENS)).toEqual(copied.logits(TOKENS));
    expect(tied.logits(TOKENS)).not.toEqual(decoder.logits(TOKENS));
  });

  it('sees the order of tokens, and none to come', () => {
    const rows = decoder.logits(TOKENS);
    const swapped = decoder.logits([30, 3, ...TOKENS.slice(2)]);
    expect(relativeError(swapped.at(-1)!, rows.at(-1)!)).toBeGreaterThan(1e-3);
    expect(decoder.logits(TOKENS.slice(0, 4))).toEqual(rows.slice(0, 4));
  });

  it('goes on from a truncated and from a cloned session as from a fresh one', () => {
    const session = decoder.session();
    for (const token of TOKENS) session.push(token);
    const copy = session.clone();
    session.truncate(4);
    expect(session.length).toBe(4);
    expect(session.push(9)).toEqual(decoder.logits([...TOKENS.slice(0, 4), 9]).at(-1));
    expect(copy.push(11)).toEqual(decoder.logits([...TOKENS, 11]).at(-1));
    copy.truncate(0);
    expect(copy.push(5)).toEqual(decoder.logits([5])[0]);
  });

  it('gives the normed hidden states that the head reads', () => {
    const head = weights.get('lm_head.weight')!.data;
    const last = decoder.hidden(TOKENS).at(-1)!;
    const logits = Array.from({ length: CONFIG.vocabSize }, (_, row) =>
      last.reduce((sum, x, i) => sum + x * head[row * CONFIG.hiddenSize + i]!, 0),
    );
    expect(relativeError(logits, decoder.logits(TOKENS).at(-1)!)).toBeLessThan(1e-14);
  });

  it('names what is missing or misshapen', () => {
    const partial = new Map(weights);
    partial.delete('model.layers.1.mlp.up_proj.weight');
    expect(() => new ReferenceDecoder(CONFIG, partial)).toThrow('model.layers.1.mlp.up_proj.weight is missing');
    expect(() => new ReferenceDecoder({ ...CONFIG, vocabSize: 32 }, weights)).toThrow('not [32,24]');
  });
});
