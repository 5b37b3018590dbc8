import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawToken } from '../../src/backends/sequence/draw.ts';
import { philoxWord } from '../../src/backends/sequence/philox.ts';
import { resolveSampling } from '../../src/kernels/sample.ts';
import { philox2x32 } from '../reference/philox.ts';
import { sample } from '../reference/sampler.ts';

describe('draws on the host', () => {
  it('have the random words of the published generator', () => {
    // Known answers of Random123 for philox2x32-10: counter, key, first output.
    expect(philoxWord(0, 0, 0)).toBe(0xff1dae59);
    expect(philoxWord(0xffffffff, 0xffffffff, 0xffffffff)).toBe(0x2c3f628b);
    expect(philoxWord(0x13198a2e, 0x243f6a88, 0x85a308d3)).toBe(0xdd7ce038);
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(word, word, word, (key, token, position) => {
        expect(philoxWord(key, token, position)).toBe(philox2x32(token, position, key)[0]);
      }),
    );
  });

  it('are those of the definition, whatever the settings', () => {
    const vocab = 40;
    const logit = fc.oneof(
      // On a grid: what differs, differs by more than rounding.
      { arbitrary: fc.integer({ min: -768, max: 768 }).map((x) => x / 64), weight: 12 },
      { arbitrary: fc.constantFrom(Number.NaN, Number.NEGATIVE_INFINITY, 3), weight: 1 },
    );
    const settings = fc.record({
      temperature: fc.constantFrom(0, 0.3, 1, 1.7),
      topK: fc.constantFrom(0, 1, 5, 100),
      topP: fc.constantFrom(1, 0.9, 0.4),
      minP: fc.constantFrom(0, 0.1),
      repetitionPenalty: fc.constantFrom(1, 1.3),
      seed: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      biases: fc.constantFrom(
        new Map(),
        new Map([
          [3, Number.NEGATIVE_INFINITY],
          [7, 2.5],
        ]),
      ),
    });
    fc.assert(
      fc.property(
        fc.array(logit, { minLength: vocab, maxLength: vocab }),
        settings,
        fc.array(fc.integer({ min: 0, max: vocab - 1 }), { maxLength: 6 }),
        fc.integer({ min: 0, max: 5000 }),
        (values, sampling, held, position) => {
          const logits = Float32Array.from(values);
          const drawn = drawToken(logits, resolveSampling(sampling, vocab), held, position);
          expect(drawn.token).toBe(sample(Float64Array.from(logits), sampling, { position, present: held }));
          const finite = [...logits].filter((x) => Number.isFinite(x));
          const norm = Math.log(finite.reduce((sum, x) => sum + Math.exp(x), 0));
          if (finite.length > 0) expect(drawn.logprob).toBeCloseTo(logits[drawn.token]! - norm, 4);
        },
      ),
      { numRuns: 200 },
    );
  });
});
