import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Batches } from '../../src/worker/batches.ts';

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe('batches', () => {
  it('keep the order, lose nothing and send one at a time, however slow the receiver', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(3), { maxLength: 12 }), fc.nat(25), async (pauses, slowness) => {
        const got: number[] = [];
        let sending = 0;
        const batches = new Batches<number>(async (items) => {
          expect(++sending).toBe(1);
          await pause(slowness);
          got.push(...items);
          sending--;
        });
        for (const [i, ms] of pauses.entries()) {
          batches.push(i);
          if (ms > 0) await pause(ms * 6);
        }
        await batches.flush();
        expect(got).toEqual([...pauses.keys()]);
      }),
      { numRuns: 12 },
    );
  });

  it('send what waits though nothing follows it', async () => {
    const got: string[] = [];
    const batches = new Batches<string>(async (items) => got.push(...items));
    batches.push('alone');
    await pause(100);
    expect(got).toEqual(['alone']);
  });

  it('go on when the receiver fails', async () => {
    let calls = 0;
    const batches = new Batches<number>(async () => {
      calls++;
      throw new Error('gone');
    });
    batches.push(1);
    await batches.flush();
    batches.push(2);
    await batches.flush();
    expect(calls).toBe(2);
  });
});
