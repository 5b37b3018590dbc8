import { describe, expect, it } from 'vitest';
import { inspect } from '../../src/cli/inspect.ts';
import { errorOf } from '../support/checkpoint.ts';
import { stdoutOf } from '../support/stdout.ts';

const output = (line: string) => stdoutOf(inspect, line);

const json = async (line: string) => JSON.parse(await output(`${line} --json`));

describe('reckon inspect', () => {
  it('reads the headers of a folder, measures the GPU and says that it fits', async () => {
    const report = await json('models/proto --driver software --length 512');
    expect(report).toMatchObject({
      source: 'models/proto',
      architecture: 'Qwen3ForCausalLM',
      format: 'safetensors',
      quantization: 'F16',
      parameters: 798_336,
      weightBytes: 2 * 798_336,
      // 4 layers, one KV head of 64, keys and values, two bytes.
      kvBytesPerToken: 2 * 4 * 64 * 2,
      maxContext: 1024,
      lanes: 8,
      length: 512,
      fits: true,
      suggestions: [],
    });
    expect(report.reasons).toHaveLength(1);
    expect(report.memory.kv).toBe(8 * 512 * 1024);
    expect(report.tokensPerSecond.all).toBeGreaterThan(report.tokensPerSecond.one);
  });

  it('answers from the catalogue without network and GPU, says what it assumes and what would fit', async () => {
    const small = await json('Qwen/Qwen3-0.6B --offline --driver none');
    expect(small).toMatchObject({ quantization: 'BF16', fits: true, tokensPerSecond: null, kvBytesPerToken: 114_688 });
    expect(small.assumed.join(' ')).toContain('No GPU is at hand');
    const large = await json('Qwen3-8B --offline --driver none --memory 8G --length 1024');
    expect(large.fits).toBe(false);
    expect(large.suggestions).toContain('Quantised to 4 bits while it loads, it fits.');
    expect(await json('Qwen3-8B --offline --driver none --memory 8G --length 1024 --weights int4')).toMatchObject({
      fits: true,
    });
    expect(await output('qwen3-8b --offline --driver none --memory 8G --length 1024')).toMatch(
      /fits {8}no\n.*alone need 1\d GB.*\ntry {9}Quantised to 4 bits/s,
    );
  });

  it('refuses what it cannot answer, and says why', async () => {
    expect(await errorOf(() => output('gemma-2-2b-it-q4f16_1-MLC --driver none'))).toMatchObject({
      code: 'unknown-architecture',
      message: expect.stringContaining('web-llm runs it'),
    });
    expect(await errorOf(() => output('http://127.0.0.1:9/x/ --driver none'))).toMatchObject({ code: 'network' });
    expect(await errorOf(() => output('--json'))).toMatchObject({ code: 'bad-option' });
    expect(await errorOf(() => output('proto --memory much'))).toMatchObject({ code: 'bad-option' });
    expect(await errorOf(() => output('nowhere/at-all-here --offline --driver none'))).toMatchObject({
      code: 'bad-option',
    });
  });

  it('lists the catalogue', async () => {
    const rows = (await output('--list')).trimEnd().split('\n');
    expect(rows.length).toBeGreaterThan(100);
    expect(rows.find((row) => row.startsWith('Qwen3-4B-q4f16_1-MLC '))).toMatch(/2\.26 GB +reckon +Apache-2\.0/);
    expect(rows.find((row) => row.startsWith('gemma-2-2b-it-q4f16_1-MLC '))).toMatch(/web-llm/);
  });
});
