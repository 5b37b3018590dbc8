import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  attendedArea,
  attendedRows,
  attentionBudget,
  attentionText,
  type CostAttention,
  parseAttention,
} from '../../src/cost/attention.ts';
import { catalogueEntry } from '../../src/cost/catalogue.ts';
import { type DeviceModel, deviceCost, deviceModel } from '../../src/cost/device-cost.ts';
import { attentionRatio, type PaperModel, paperCost, paperModel } from '../../src/cost/paper.ts';
import { type CodeModel, codeModel, paperCodeCost } from '../../src/cost/paper-code.ts';
import { evenPlan, pairwiseMean } from '../../src/cost/plan.ts';
import golden from '../golden/kinetics.json' with { type: 'json' };

const METHODS: Record<string, CostAttention> = {
  dense: parseAttention('dense'),
  topk_B1024: parseAttention('topk:1024'),
  topk_B256: parseAttention('topk:256'),
  blocktopk_bs16_k64: parseAttention('block:16x64'),
  blocktopk_bs64_k4: parseAttention('block:64x4'),
};

/** Arguments of one of the authors' functions. */
interface Args {
  nparams: number;
  num_attn_heads: number;
  num_kv_heads: number;
  head_dim: number;
  E_flops: number;
  context_length: number;
  generation_length: number;
  num_trials: number;
  budget?: number;
  local?: number;
  block_size?: number;
  block_topk?: number;
}

function attentionOf(args: Args): CostAttention {
  if (args.block_size !== undefined) {
    return { kind: 'blockTopK', blockSize: args.block_size, blocks: args.block_topk!, local: args.local!, sinks: 0 };
  }
  return args.budget === undefined ? { kind: 'dense' } : { kind: 'tokenTopK', budget: args.budget };
}

describe('paper-code, against the authors’ functions to the last bit', () => {
  it.each(golden.cases)('$model $method n=$n N=$N', (row) => {
    const plan = evenPlan(row.context, row.n, row.N, METHODS[row.method]!);
    const cost = paperCodeCost(codeModel(catalogueEntry(row.model)), plan);
    expect(cost).toEqual({
      intensity: 562.5,
      compute: row.compute,
      memory: row.memory,
      total: row.total,
      maxCost: row.max_cost,
      b200Seconds: row.b200_seconds,
    });
  });

  it.each(golden.edge)('$name', (row) => {
    const args: Args = row.args;
    const model: CodeModel = {
      parameters: args.nparams,
      heads: args.num_attn_heads,
      kvHeads: args.num_kv_heads,
      width: args.head_dim,
    };
    const plan = evenPlan(args.context_length, args.generation_length, args.num_trials, attentionOf(args));
    const { compute, memory, total } = paperCodeCost(model, plan, args.E_flops);
    expect([compute, memory, total]).toEqual([row.compute, row.memory, row.total]);
  });

  it.each(golden.expected)('mean over traces: $method N=$N', (row) => {
    const model = codeModel(catalogueEntry(row.model));
    // The authors average over the traces of a task, whatever N is.
    const costs = row.generation_lengths.map((n) =>
      paperCodeCost(model, evenPlan(row.context, n, row.N, METHODS[row.method]!)),
    );
    expect(pairwiseMean(costs.map(({ compute }) => compute))).toBe(row.mean_compute);
    expect(pairwiseMean(costs.map(({ memory }) => memory))).toBe(row.mean_memory);
  });

  it('takes unequal lengths as such a mean', () => {
    const row = golden.expected.find(({ method, N }) => method === 'dense' && N === 8)!;
    const model = codeModel(catalogueEntry(row.model));
    const plan = { prompt: row.context, lengths: row.generation_lengths, attention: METHODS.dense! };
    const { compute, memory, total } = paperCodeCost(model, plan);
    expect([compute, memory, total]).toEqual([row.mean_compute, row.mean_memory, row.total]);
  });

  it.each(golden.notebook)('a row of the authors’ notebooks, B=$budget', (row) => {
    const model = codeModel(catalogueEntry('Qwen3-8B'));
    const plan = evenPlan(row.recovered_context ?? 2048, row.recovered_mean_n, 1, {
      kind: 'tokenTopK',
      budget: row.budget,
    });
    const { compute, memory } = paperCodeCost(model, plan);
    expect([compute, memory]).toEqual([row.recomputed_compute, row.recomputed_memory]);
    expect(compute).toBeCloseTo(row.printed_compute, 6);
    expect(memory).toBeCloseTo(row.printed_memory, 6);
  });

  it('Qwen3-30B-A3B by its active parameters', () => {
    const model = codeModel(catalogueEntry('Qwen3-30B-A3B'));
    const dense = paperCodeCost(model, evenPlan(128, 4096, 1, METHODS.dense!));
    expect([dense.compute, dense.total]).toEqual([34.042986627072, 526.8904838430719]);
    const block = paperCodeCost(model, evenPlan(128, 32768, 1, METHODS.blocktopk_bs16_k64!));
    expect(block.total).toBe(3023.828926070784);
  });
});

describe('tokens attended', () => {
  it.each(golden.derived_not_from_repo.exact_kv_sum)('c=$c n=$n B=$B', ({ c, n, B, S }) => {
    expect(attendedArea(c, n, B)).toBe(S);
  });

  it('is the sum over rows', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), fc.integer({ min: 1, max: 400 }), (prompt, tokens, budget) => {
        let sum = 0;
        for (let i = 0; i < tokens; i++) sum += Math.min(budget, prompt + i);
        expect(attendedRows(prompt, tokens, budget)).toBe(sum);
        expect(Math.abs(attendedArea(prompt, tokens, budget) - sum)).toBeLessThanOrEqual(tokens / 2);
      }),
    );
  });
});

const attentions = fc.oneof(
  fc.constant<CostAttention>({ kind: 'dense' }),
  fc.record({ kind: fc.constant('tokenTopK' as const), budget: fc.integer({ min: 1, max: 4096 }) }),
  fc.record({
    kind: fc.constant('blockTopK' as const),
    blockSize: fc.integer({ min: 1, max: 128 }),
    blocks: fc.integer({ min: 1, max: 64 }),
    local: fc.nat(256),
    sinks: fc.nat(8),
  }),
  fc.record({
    kind: fc.constant('window' as const),
    sinks: fc.nat(8),
    window: fc.integer({ min: 1, max: 4096 }),
  }),
);

const paperModels: fc.Arbitrary<PaperModel> = fc.record({
  parameters: fc.integer({ min: 1000, max: 1e11 }),
  kvElements: fc.integer({ min: 16, max: 262144 }),
  groupSize: fc.integer({ min: 1, max: 16 }),
});

/** The device's form with everything the paper leaves out taken away. */
function bare(model: PaperModel): DeviceModel {
  return {
    perToken: model.parameters,
    head: 0,
    read: () => model.parameters,
    layers: 10,
    kvElements: model.kvElements,
    groupSize: model.groupSize,
    weightBytes: 0,
    kvBytes: 2,
  };
}

const near = (actual: number, expected: number) =>
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-12 * Math.abs(expected));

describe('paper', () => {
  it('is Eq. 4 where the authors’ code is right: dense', () => {
    for (const row of golden.cases.filter(({ method }) => method === 'dense')) {
      const shape = catalogueEntry(row.model);
      const model = { ...paperModel(shape), parameters: shape.codeParameters! };
      const cost = paperCost(model, evenPlan(row.context, row.n, row.N, METHODS.dense!));
      near(cost.compute, row.compute);
      near(cost.memory, row.memory);
    }
  });

  it('is Eq. 8 and 9 with r in the search: the prompt longer than the budget, no floors at work', () => {
    const shape = catalogueEntry('Qwen3-8B');
    const model = { ...paperModel(shape), parameters: shape.codeParameters! };
    const cost = paperCost(model, evenPlan(2048, 4096, 8, METHODS.blocktopk_bs16_k64!));
    near(cost.compute, 559.004950462464);
    near(cost.memory, 2978.828255232);
  });

  it('never falls below zero and never charges top-k more than dense', () => {
    fc.assert(
      fc.property(paperModels, fc.nat(5000), fc.nat(9000), fc.integer({ min: 1, max: 6000 }), (model, c, n, budget) => {
        const topK = paperCost(model, evenPlan(c, n, 1, { kind: 'tokenTopK', budget }));
        const dense = paperCost(model, evenPlan(c, n, 1, { kind: 'dense' }));
        expect(topK.compute).toBeGreaterThanOrEqual(0);
        expect(topK.memory).toBeGreaterThanOrEqual(0);
        expect(topK.total).toBeLessThanOrEqual(dense.total * (1 + 1e-12));
      }),
    );
  });

  it('gives the ratio of attention to parameters that the digest recomputed', () => {
    const ratios = ['0.6B', '1.7B', '4B', '8B', '14B', '32B'].map((size) => {
      const shape = catalogueEntry(`Qwen3-${size}`);
      return attentionRatio({ ...paperModel(shape), parameters: shape.codeParameters! }, 128, 4096);
    });
    expect(ratios.map((ratio) => Number(ratio.toFixed(1)))).toEqual([88.2, 32.7, 21.3, 10.4, 6.4, 4.7]);
  });
});

describe('device', () => {
  it('reduces to the paper without weight reads, with shared prompt reads and two bytes an element', () => {
    fc.assert(
      fc.property(
        paperModels,
        fc.nat(5000),
        fc.nat(9000),
        fc.integer({ min: 1, max: 32 }),
        attentions,
        (model, prompt, tokens, trials, attention) => {
          const plan = evenPlan(prompt, tokens, trials, attention);
          const terms = { sharedReads: true, prefill: false, idealised: true };
          const device = deviceCost(bare(model), plan, terms);
          const paper = paperCost(model, plan);
          near(device.compute, paper.compute);
          near(device.memory, paper.memory);
          near(device.total, paper.total);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('counts what a simulation of the rows counts', () => {
    const run = fc.record({
      prompt: fc.integer({ min: 1, max: 60 }),
      lengths: fc.array(fc.nat(60), { minLength: 1, maxLength: 5 }),
      blockSize: fc.integer({ min: 1, max: 9 }),
      blocks: fc.integer({ min: 1, max: 6 }),
      kind: fc.constantFrom('dense', 'blockTopK'),
      sharedReads: fc.boolean(),
      prefillChunk: fc.integer({ min: 1, max: 30 }),
      denseLayers: fc.nat(4),
    });
    fc.assert(
      fc.property(run, ({ prompt, lengths, blockSize, blocks, kind, sharedReads, prefillChunk, denseLayers }) => {
        const attention: CostAttention =
          kind === 'dense' ? { kind } : { kind: 'blockTopK', blockSize, blocks, local: 2, sinks: 1 };
        const model: DeviceModel = {
          perToken: 1000,
          head: 100,
          read: (tokens) => 500 + 10 * Math.min(tokens, 4),
          layers: 4,
          kvElements: 64,
          groupSize: 3,
          weightBytes: 0.5,
          kvBytes: 4,
        };
        const terms = { sharedReads, prefillChunk, denseLayers };
        const cost = deviceCost(model, { prompt, lengths, attention }, terms);

        const seen = { linear: [0, 0], attention: [0, 0], search: [0, 0], kvWrite: [0, 0] };
        let steps = 0;
        const kv = 64 * 4;
        for (let at = 0; at < prompt - 1; at += prefillChunk) {
          const end = Math.min(at + prefillChunk, prompt - 1);
          steps++;
          seen.linear[1]! += 0.5 * (model.read(end - at) - 100);
          seen.attention[1]! += end * kv;
          seen.kvWrite[1]! += (end - at) * kv;
          for (let row = at; row < end; row++) {
            seen.linear[0]! += 2 * 900;
            seen.attention[0]! += 2 * 3 * 64 * (row + 1);
          }
        }
        const budget = attentionBudget(attention);
        for (let step = 0; step < Math.max(...lengths); step++) {
          steps++;
          const live = lengths.filter((length) => length > step).length;
          seen.linear[0]! += 2 * 1000 * live;
          seen.linear[1]! += 0.5 * model.read(live);
          seen.kvWrite[1]! += live * kv;
          const held = prompt + step;
          const densePart = kind === 'dense' ? 1 : denseLayers / 4;
          const denseRead = sharedReads ? prompt + live * step : live * held;
          const chosen = Math.min(budget, held);
          seen.attention[0]! += 2 * 3 * 64 * live * (densePart * held + (1 - densePart) * chosen);
          seen.attention[1]! += kv * (densePart * denseRead + (1 - densePart) * live * chosen);
          if (kind === 'blockTopK' && held > budget) {
            seen.search[0]! += ((1 - densePart) * 3 * 64 * live * held) / blockSize;
            seen.search[1]! += ((1 - densePart) * (kv / 2) * denseRead) / blockSize;
          }
        }
        for (const [name, [flops, bytes]] of Object.entries(seen)) {
          const { flops: f, bytes: b } = cost.classes[name as keyof typeof seen];
          expect(Math.abs(f - flops!)).toBeLessThanOrEqual(1e-9 * (1 + flops!));
          expect(Math.abs(b - bytes!)).toBeLessThanOrEqual(1e-9 * (1 + bytes!));
        }
        expect(cost.steps).toBe(steps);
      }),
    );
  });

  it('puts back the weight reads that the paper drops', () => {
    // The digest's section 6.2: share of the weights in eFLOPs, bf16, c = 128, P as in the authors' scripts.
    const shares = (size: string) => {
      const shape = catalogueEntry(`Qwen3-${size}`);
      const P = shape.codeParameters!;
      const model: DeviceModel = { ...bare({ ...paperModel(shape), parameters: P }), weightBytes: 2 };
      return [1, 8, 32].map((trials) => {
        const cost = deviceCost(model, evenPlan(128, 4096, trials, METHODS.dense!), {
          sharedReads: true,
          prefill: false,
          idealised: true,
        });
        return (100 * 562.5 * cost.classes.linear.bytes) / 1e12 / cost.total;
      });
    };
    for (const [size, stated] of Object.entries({ '0.6B': [85.6, 43.9, 16.4], '32B': [99.0, 92.5, 75.5] })) {
      for (const [i, share] of shares(size).entries()) expect(Math.abs(share - stated[i]!)).toBeLessThan(0.06);
    }
  });

  it('turns into seconds: a roofline below the sum, both with the dispatches', () => {
    const model = deviceModel(catalogueEntry('Qwen3-0.6B'), { weights: 'f16', kv: 'f16' });
    const figures = { flops: 4e12, bandwidth: 2e11, dispatchSeconds: 4e-6 };
    const plan = evenPlan(200, 1000, 8, METHODS.dense!);
    const { seconds, flops, bytes, intensity, total, steps, dispatches } = deviceCost(model, plan, {}, { figures });
    expect(intensity).toBe(20);
    expect(steps).toBe(1001);
    expect(dispatches).toBe(1001 * (9 * 28 + 6));
    expect(seconds!.dispatching).toBeCloseTo(dispatches * 4e-6);
    expect(seconds!.additive).toBeCloseTo(flops / 4e12 + bytes / 2e11 + seconds!.dispatching);
    // What the sum takes is what the eFLOPs take.
    expect(seconds!.additive - seconds!.dispatching).toBeCloseTo((total * 1e12) / figures.flops);
    expect(seconds!.roofline).toBeLessThan(seconds!.additive);
    expect(seconds!.roofline).toBeGreaterThan(seconds!.additive / 2);
  });

  it('refuses what makes no sense', () => {
    const model = deviceModel(catalogueEntry('proto'), { weights: 'f16', kv: 'f32' });
    const plan = evenPlan(10, 10, 1, METHODS.dense!);
    expect(() => deviceCost(model, plan, { denseLayers: 5 })).toThrow(/denseLayers is 5/);
    expect(() => deviceCost(model, { ...plan, lengths: [] })).toThrow(/no trials/);
    expect(() => evenPlan(10, -1, 1, METHODS.dense!)).toThrow(/lengths\[0\] is -1/);
    const figures = { flops: 0, bandwidth: 1, dispatchSeconds: 0 };
    expect(() => deviceCost(model, plan, {}, { figures })).toThrow(/figures.flops is 0/);
  });
});

describe('attention in words', () => {
  it('reads back what it writes', () => {
    fc.assert(
      fc.property(attentions, (attention) => {
        expect(parseAttention(attentionText(attention))).toEqual(attention);
      }),
    );
  });

  it.each(['', 'topk', 'topk:0', 'block:16', 'block:16x', 'window:4', 'dense ', 'topk:1e3'])('refuses %j', (text) => {
    expect(() => parseAttention(text)).toThrow(/is no attention policy\. Forms: dense, topk:BUDGET/);
  });
});
