import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type FitDevice,
  type FitModel,
  type FitPlan,
  modelNamed,
  suggestions,
  willItRun,
} from '../../src/catalogue/index.ts';
import { catalogueEntry } from '../../src/cost/catalogue.ts';

const GIB = 2 ** 30;
const desktop: FitDevice = {
  name: 'a desktop',
  software: false,
  tuning: 'gpu',
  limits: { maxBufferSize: 4 * GIB, maxStorageBufferBindingSize: 2 * GIB - 4 },
  memoryBytes: 8 * GIB,
  figures: { flops: 10e12, bandwidth: 400e9, dispatchSeconds: 5e-6 },
};
const least: FitDevice = {
  ...desktop,
  name: 'the least',
  limits: { maxBufferSize: 256 * 2 ** 20, maxStorageBufferBindingSize: 128 * 2 ** 20 },
  memoryBytes: 2 * GIB,
};
const model = (name: string, weights: FitModel['weights']): FitModel => ({
  shape: catalogueEntry(name),
  weights,
  downloadBytes: null,
});
const plan: FitPlan = { lanes: 8, length: 4096, kv: 'f16' };

describe('will it run', () => {
  it('adds up what a model takes', () => {
    const { fits, memory, reasons, assumed } = willItRun(model('Qwen3-0.6B', 'int4'), plan, desktop, null);
    expect(fits).toBe(true);
    // 112 KiB a token in f16; 596,049,920 parameters at 4.5 bits (browser-engines digest, section 3.2).
    expect(memory.kv).toBe(8 * 4096 * 112 * 1024);
    expect(memory.weights).toBe((596_049_920 * 4.5) / 8);
    expect(memory.total).toBe(memory.weights + memory.kv + memory.scratch);
    expect(reasons).toHaveLength(1);
    expect(assumed).toEqual([]);
  });

  it('says in whose way what stands, and what would fit', () => {
    const eight = model('Qwen3-8B', 'f16');
    const { fits, reasons, tokensPerSecond } = willItRun(eight, plan, desktop, null);
    expect(fits).toBe(false);
    expect(reasons[1]).toMatch(/alone need 1\d GB, and 8\.6 GB are there/);
    expect(tokensPerSecond).toBeNull();
    const [first, ...others] = suggestions(
      eight,
      { ...plan, length: 1024 },
      desktop,
      null,
      modelNamed('Qwen/Qwen3-8B'),
    );
    expect(first).toBe('Quantised to 4 bits while it loads, it fits.');
    expect(others).toEqual(['Qwen3-8B-q4f16_1-MLC fits (4.6 GB to fetch).']);
  });

  it('has the one capacity message for KV', () => {
    const long = { ...plan, length: 32768 };
    const { reasons } = willItRun(model('Qwen3-0.6B', 'int4'), long, desktop, null);
    expect(reasons[1]).toMatch(/^8 lanes × 32k tokens need 28 GiB of KV; this device admits [\d.]+ GiB: 8 × /);
  });

  it('has matrices above what is bound in one piece divided', () => {
    const roomy = { ...least, memoryBytes: 8e9 };
    expect(willItRun(model('Qwen3-0.6B', 'f16'), { ...plan, lanes: 1, length: 1024 }, roomy, null).fits).toBe(true);
  });

  it('minds the limits of single buffers, the context and the disk', () => {
    // A layer's keys lie in as many as eight buffers, one a head: each 128 MiB of 256 bytes a token.
    const narrow = (lanes: number) => {
      const roomy = { ...least, memoryBytes: 64 * GIB };
      return willItRun(model('Qwen3-0.6B', 'int4'), { ...plan, lanes, length: 32768 }, roomy, null);
    };
    expect(narrow(8).fits).toBe(true);
    expect(narrow(32).reasons[1]).toMatch(/this device admits 56 GiB: 32 × 16k/);
    expect(willItRun(model('SmolLM2-135M', 'f16'), { ...plan, length: 10_000 }, desktop, null).reasons[1]).toMatch(
      /longer than the 8k that the model was made for/,
    );
    const fetched = { ...model('Qwen3-0.6B', 'int4'), downloadBytes: 340e6 };
    expect(willItRun(fetched, plan, desktop, { free: 100e6 }).reasons[1]).toBe(
      'It takes 340 MB to fetch, and 100 MB can still be kept on this device.',
    );
    expect(willItRun(fetched, plan, desktop, { free: null }).fits).toBe(true);
  });

  it('says what it assumes where nothing tells', () => {
    const { memoryBytes: _, figures: __, ...silent } = desktop;
    const { assumed } = willItRun(model('Qwen3-0.6B', 'int4'), plan, silent, null);
    expect(assumed.join(' ')).toMatch(/WebGPU does not tell .* 8\.6 GB.*not measured/);
    const nowhere = willItRun(model('Qwen3-0.6B', 'int4'), plan, null, null);
    expect(nowhere.assumed.join(' ')).toContain('No GPU is at hand');
    expect(nowhere.tokensPerSecond).toBeNull();
  });

  it('expects speeds below what reading the weights alone allows, and more from lanes together', () => {
    const { tokensPerSecond, memory } = willItRun(model('Qwen3-4B', 'int4'), plan, desktop, null);
    const bound = 400e9 / memory.weights;
    expect(tokensPerSecond!.one).toBeLessThan(bound);
    expect(tokensPerSecond!.one).toBeGreaterThan(bound / 3);
    expect(tokensPerSecond!.all).toBeGreaterThan(2 * tokensPerSecond!.one);
    expect(tokensPerSecond!.all).toBeLessThan(8 * tokensPerSecond!.one);
  });

  it('suggests nothing that does not fit: every change it names was tried', () => {
    const shapes = ['Qwen3-0.6B', 'Qwen3-8B', 'Llama-3.2-3B', 'SmolLM2-1.7B', 'Phi-3.5-mini-instruct'];
    fc.assert(
      fc.property(
        fc.constantFrom(...shapes),
        fc.constantFrom('f16' as const, 'int4' as const),
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 64, max: 40000 }),
        fc.integer({ min: 1, max: 24 }),
        (name, weights, lanes, length, gib) => {
          const device = { ...desktop, memoryBytes: gib * GIB };
          const wanted = { lanes, length, kv: 'f16' } as const;
          const told = suggestions(model(name, weights), wanted, device, null);
          if (willItRun(model(name, weights), wanted, device, null).fits) expect(told).toEqual([]);
          for (const sentence of told) {
            const count = /^(\d+) lanes? of .* tokens fit\.$/.exec(sentence)?.[1];
            if (count !== undefined && Number(count) !== lanes) {
              expect(willItRun(model(name, weights), { ...wanted, lanes: Number(count) }, device, null).fits).toBe(
                true,
              );
              expect(willItRun(model(name, weights), { ...wanted, lanes: Number(count) + 1 }, device, null).fits).toBe(
                false,
              );
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});
