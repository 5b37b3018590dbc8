import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runStrategy } from '../../src/strategies/index.ts';
import { Seam } from '../../src/strategies/seam.ts';
import { Detokenizer } from '../../src/text/detokenizer.ts';
import { protoDialect, protoEngine, protoPrompt } from '../reference/proto.ts';
import { expectWellFormed, read, replay } from './stream.ts';

/** Tokens are bytes. */
const decode = (tokens: ArrayLike<number>) => new TextDecoder().decode(Uint8Array.from(tokens));

describe('text across stretches of generation', () => {
  it('is the text in one piece, wherever it is cut, also between the bytes of a character', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', ' ', 'é', '語', '🙂', '\n'), maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 10 }),
        (text, lengths) => {
          const bytes = [...new TextEncoder().encode(text)];
          const seam = new Seam(decode);
          let told = '';
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const stretch = bytes.slice(at, at + lengths[i % lengths.length]!);
            at += stretch.length;
            const engine = new Detokenizer({ decode });
            for (const [k, token] of stretch.entries()) {
              const last = k === stretch.length - 1;
              told += seam.push(token, engine.push(token) + (last ? engine.flush() : ''), last);
            }
          }
          expect(told).toBe(text);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is the same under a budget that cuts the thinking into stretches, also for a marker of several tokens', async () => {
    const engine = protoEngine();
    const dialect = { ...protoDialect, marker: ' yes\n', close: ' yes\n' };
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 62, max: 100 }), fc.boolean(), async (tokens, pieces) => {
        const context = {
          engine,
          prompt: protoPrompt('Use 1 16 6 to make 96.'),
          dialect: pieces ? dialect : protoDialect,
          sampling: { temperature: 0 },
          thinking: { maxTokens: 120 },
          answer: { maxTokens: 24, stopStrings: ['=9', '96'] },
        };
        const free = await read(runStrategy('chain-of-thought', context));
        const cut = await read(runStrategy('chain-of-thought', { ...context, budget: { tokens } }));
        // The check reads answers behind the usual marker.
        if (!pieces) expectWellFormed(cut, 1);
        const whole = replay(free.events, 0);
        expect(whole.kept.some(({ forced }) => forced)).toBe(false);
        expect(replay(cut.events, 0).thinking).toBe(whole.thinking);
        expect(cut.answer.text).toBe(free.answer.text);
      }),
      { numRuns: 10 },
    );
  });
});
