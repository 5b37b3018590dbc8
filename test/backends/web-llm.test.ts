/** The second backend against the package as it is, as far as it goes without a GPU: names, configurations, errors. */
import * as webLlm from '@mlc-ai/web-llm';
import { describe, expect, it } from 'vitest';
import { loadModel } from '../../src/api/load-model.ts';
import { openDriver } from '../../src/backends/web-llm/driver.ts';
import { typedError } from '../../src/backends/web-llm/package.ts';
import { baseOf, readFacts, recordOf } from '../../src/backends/web-llm/record.ts';
import type { ReckonError } from '../../src/errors.ts';
import { errorOf, memorySource } from '../support/checkpoint.ts';
import { startHub } from '../support/hub.ts';

const ID = 'gemma-2-2b-it-q4f32_1-MLC';

describe('web-llm as a backend', () => {
  it('must be imported where models are loaded, and then knows its own models alone', async () => {
    expect(await errorOf(() => loadModel(ID, { backend: 'web-llm' }))).toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('import "reckon/web-llm"'),
    });
    await import('../../src/backends/web-llm/index.ts');
    const unknown = await errorOf(() => loadModel('gemma-9', { backend: 'web-llm' }));
    expect(unknown).toMatchObject({ code: 'bad-option', message: expect.stringMatching(/Near it: gemma-/) });
  });

  it('is offered where the decoder does not know the architecture and web-llm has the model', async () => {
    const config = JSON.stringify({ model_type: 'gemma2', model_config: { hidden_size: 2304 } });
    const bytes = (text: string) => new TextEncoder().encode(text);
    const files = {
      'mlc-chat-config.json': bytes(config),
      'tensor-cache.json': bytes('{}'),
      'params_shard_0.bin': bytes('0123'),
    };
    for (const repository of [`mlc-ai/${ID}`, 'maker/unheard-of']) {
      const hub = await startHub({ files, repository });
      try {
        const error = await errorOf(() => loadModel({ repository, from: hub.url }));
        expect(error).toMatchObject({ code: 'unknown-architecture' });
        expect((error as ReckonError).details.webLlm).toBe(repository.endsWith(ID) ? ID : undefined);
        expect(error.message.includes('backend: "web-llm"')).toBe(repository.endsWith(ID));
      } finally {
        await hub.close();
      }
    }
  });

  it('finds a model by id and by repository, and its files', () => {
    const record = recordOf(webLlm, ID);
    expect(recordOf(webLlm, `mlc-ai/${ID}`)).toBe(record);
    expect(baseOf(record)).toBe(`https://huggingface.co/mlc-ai/${ID}/resolve/main/`);
    expect(baseOf({ ...record, model: 'http://localhost:1/x/resolve/abc/' })).toBe('http://localhost:1/x/resolve/abc/');
  });

  it('reads what a configuration tells of layers, KV and stop tokens', async () => {
    const config = {
      model_type: 'gemma2',
      model_config: {
        num_hidden_layers: 26,
        num_attention_heads: 8,
        num_key_value_heads: 4,
        head_dim: 256,
        hidden_size: 2304,
      },
      eos_token_id: [1, 107],
      conv_template: { stop_token_ids: [1, 107] },
    };
    const facts = await readFacts(memorySource({ 'mlc-chat-config.json': JSON.stringify(config) }), undefined);
    expect(facts).toMatchObject({
      architecture: 'gemma2',
      shape: { layers: 26, kvHeads: 4, headDim: 256, vocabSize: Number.NaN },
      bytesPerToken: 2 * 26 * 4 * 256 * 2,
      stopTokens: [1, 107],
    });
    const broken = memorySource({ 'mlc-chat-config.json': '{' });
    expect(await errorOf(() => readFacts(broken, undefined))).toMatchObject({ code: 'bad-checkpoint' });
    expect(await readFacts(memorySource({ 'mlc-chat-config.json': '{}' }), undefined)).toMatchObject({
      bytesPerToken: 0,
    });
  });

  it("turns the package's own errors into typed ones", async () => {
    const engine = new webLlm.MLCEngine();
    const notLoaded = await errorOf(() => engine.forwardTokensAndSample([1], true));
    expect(typedError(notLoaded, 'computing')).toMatchObject({ code: 'device-lost', details: { backend: 'web-llm' } });
    const record = { ...recordOf(webLlm, ID), model: 'http://127.0.0.1:9/resolve/main/' };
    const options = { record, context: 1024, bytesPerToken: 0 };
    const failed = await errorOf(() => openDriver(webLlm, options));
    expect(failed).toMatchObject({ name: 'ReckonError', message: expect.stringContaining(`loading ${ID}`) });
    const signal = AbortSignal.abort();
    expect(await errorOf(() => openDriver(webLlm, { ...options, signal }))).toMatchObject({ code: 'aborted' });
  });
});
