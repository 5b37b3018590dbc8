import { describe, expect, it } from 'vitest';
import { cost } from '../../src/cli/cost.ts';
import golden from '../golden/kinetics.json' with { type: 'json' };
import { stdoutOf } from '../support/stdout.ts';

const output = (line: string) => stdoutOf(cost, line);

const json = async (line: string) => JSON.parse(await output(`${line} --json`));

describe('reckon cost', () => {
  it('prints the authors’ numbers', async () => {
    for (const [method, attention] of [
      ['dense', 'dense'],
      ['topk_B1024', 'topk:1024'],
      ['blocktopk_bs16_k64', 'block:16x64'],
    ]) {
      const row = golden.cases.find((c) => c.model === 'Qwen3-8B' && c.method === method && c.n === 4096 && c.N === 8)!;
      const line = `--model Qwen3-8B --context 128 --tokens 4096 --trials 8 --attention ${attention} --preset paper-code`;
      expect(await json(line)).toMatchObject({
        model: { name: 'Qwen3-8B', kvElements: 73728 },
        unit: 'Tera-eFLOPs',
        compute: row.compute,
        memory: row.memory,
        total: row.total,
        maxCost: row.max_cost,
        b200Seconds: row.b200_seconds,
      });
    }
  });

  it('adds classes and, with a device’s figures, seconds', async () => {
    const line = '--model proto --preset device --context 40 --lengths 100,60,200 --weights int4 --kv f32';
    const bare = await json(line);
    expect(bare).toMatchObject({ trials: 3, tokens: [100, 60, 200], intensity: 562.5, seconds: null, steps: 201 });
    expect(bare.classes.linear.flops).toBeGreaterThan(0);
    const timed = await json(`${line} --flops 1e12 --bandwidth 1e11 --dispatch 1e-5`);
    expect(timed.intensity).toBe(10);
    expect(timed.seconds.additive).toBeGreaterThan(timed.seconds.roofline);
    expect(timed.flops).toBe(bare.flops);
  });

  it('reads a config.json', async () => {
    const { model } = await json('--model models/proto/config.json');
    expect(model.parameters.total).toBe(798_336);
  });

  it('tells people the same in a table', async () => {
    const table = await output('--model Qwen3-8B --trials 8 --preset paper-code');
    expect(table).toContain('Qwen3-8B, 8 trials of 4096 tokens behind 128, dense, preset paper-code');
    expect(table).toMatch(/total {7}6189 Tera-eFLOPs \(91 % memory\)/);
    expect(await output('--model proto')).toContain('longer than the 1024 tokens it was made for');
  });

  it('lists the catalogue', async () => {
    expect(await output('--list')).toMatch(/Qwen3-30B-A3B +30\.5 G +3\.35 G/);
    expect((await json('--list')).map(({ name }: { name: string }) => name)).toContain('SmolLM2-360M');
  });

  it.each([
    ['', /--model is missing/],
    ['--model gpt', /no model "gpt"/],
    ['--model missing.json', /missing\.json cannot be read/],
    ['--model proto --attention topk:', /no attention policy/],
    ['--model proto --preset fast', /--preset is "fast"; it must be one of paper-code, paper, device/],
    ['--model proto --kv f16', /--kv means nothing to --preset paper/],
    ['--model proto --preset device --flops 1e12', /both --flops and --bandwidth/],
    ['--model proto --lengths 1,2 --trials 2', /already says how many trials/],
    ['--model proto --lengths 1,x', /--lengths is NaN/],
    ['--model proto --tokens 0', /--tokens is 0/],
    ['--model proto --frobnicate', /Unknown option '--frobnicate'/],
  ])('refuses %j', async (line, message) => {
    await expect(output(line)).rejects.toThrow(message);
  });
});
