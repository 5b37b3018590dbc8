import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { Embed } from '../../src/kernels/embed.ts';
import { testGpu } from '../support/gpu.ts';
import { checkEmbedAll } from './cases/embed.ts';
import { F32 } from './cases/matrix-support.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

describe('Embed', () => {
  it('reads given tokens, tokens of lanes, and clamps the rest', async () => {
    await checkEmbedAll(gpu);
  });

  it('refuses odd sizes', async () => {
    for (const [hidden, vocab] of [
      [6, 10],
      [8, 0],
    ] as const) {
      const error = await Embed.create(gpu, { hidden, vocab, format: F32 }).catch((e: unknown) => e);
      expect(isReckonError(error, 'bad-option')).toBe(true);
    }
  });
});
