import { describe, expect, it } from 'vitest';
import {
  isMissingFile,
  MODEL_SHAPES,
  readGenerationDefaults,
  readModelConfig,
  syntheticSource,
  urlSource,
} from '../../src/checkpoint/index.ts';
import { loadTokenizer } from '../../src/text/index.ts';
import { errorOf, memorySource, protoSource } from '../support/checkpoint.ts';

describe('reading the small files', () => {
  it('gives config and defaults of the embedded and of a synthetic checkpoint', async () => {
    for (const source of [protoSource(), syntheticSource(MODEL_SHAPES.proto)]) {
      const config = await readModelConfig(source);
      expect(config.model).toEqual(MODEL_SHAPES.proto);
      const defaults = await readGenerationDefaults(source, config, await loadTokenizer(source));
      expect(defaults).toMatchObject({ stopTokens: [0, 2], temperature: 1, topP: 1 });
    }
  });

  it('does without generation_config.json, not without config.json', async () => {
    const proto = protoSource();
    const source = memorySource({ 'config.json': await proto.text('config.json') });
    const defaults = await readGenerationDefaults(source, await readModelConfig(source), await loadTokenizer(proto));
    expect(defaults).toMatchObject({ stopTokens: [0, 2], temperature: 1 });
    expect(isMissingFile(await errorOf(() => readModelConfig(memorySource({}))))).toBe(true);
    const failing = urlSource('https://example.invalid/m', {
      fetch: async () => new Response(null, { status: 500 }),
      retry: { attempts: 1 },
    });
    const error = await errorOf(async () =>
      readGenerationDefaults(failing, await readModelConfig(source), { idOf: () => undefined }),
    );
    expect(error.message).toMatch(/answered 500/);
  });
});
