import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReckonError, type ReckonError } from '../../src/errors.ts';
import { admit, fits, planCache, type RunPlan } from '../../src/kv/index.ts';
import { Simulation } from './simulation.ts';

const ROOM = { pageSize: 16, totalPages: 256, bytesPerToken: 114_688, maxContext: 4096, precision: 'f16' } as const;

function refusal(call: () => unknown): ReckonError {
  try {
    call();
  } catch (error) {
    if (isReckonError(error)) return error;
  }
  throw new Error('No typed error was thrown.');
}

/** Does the run: one lane reads what is shared, the others fork off it, it goes, and they grow in turn. */
function runs({ lanes, shared, length }: RunPlan, totalPages: number, pageSize: number): boolean {
  const simulation = new Simulation(totalPages, pageSize);
  const root = simulation.open();
  if (
    !simulation.append(
      root,
      Array.from({ length: shared }, () => 0),
    )
  )
    return false;
  const forks = Array.from({ length: lanes }, () => simulation.fork(root));
  simulation.dispose(root);
  for (let position = shared; position < length; position++) {
    for (const lane of forks) if (!simulation.append(lane, [position])) return false;
  }
  simulation.check();
  return true;
}

const plan = fc
  .record({ lanes: fc.integer({ min: 1, max: 5 }), shared: fc.nat(20), own: fc.nat(20) })
  .map(({ lanes, shared, own }) => ({ lanes, shared, length: Math.max(1, shared + own) }));
const room = fc.record({ pageSize: fc.integer({ min: 1, max: 5 }), totalPages: fc.integer({ min: 1, max: 40 }) });

describe('admission', () => {
  it('passes exactly the runs that fit', () => {
    let [passed, refused] = [0, 0];
    fc.assert(
      fc.property(plan, room, (asked, { pageSize, totalPages }) => {
        const fit = fits(asked, { pageSize, totalPages, bytesPerToken: 1, maxContext: 1000 }).fits;
        expect(fit).toBe(runs(asked, totalPages, pageSize));
        if (fit) passed++;
        else refused++;
      }),
      { numRuns: 400 },
    );
    expect(Math.min(passed, refused)).toBeGreaterThan(50);
  });

  it('tells the longest lanes and the most lanes that fit, exactly', () => {
    fc.assert(
      fc.property(plan, room, fc.integer({ min: 1, max: 40 }), (asked, { pageSize, totalPages }, maxContext) => {
        const cache = { pageSize, totalPages, bytesPerToken: 1, maxContext };
        const { maxLength, maxLanes } = fits(asked, cache);
        const ok = (change: Partial<RunPlan>) => fits({ ...asked, ...change }, cache).fits;
        if (maxLength >= Math.max(1, asked.shared)) expect(ok({ length: maxLength })).toBe(true);
        if (maxLength + 1 >= Math.max(1, asked.shared)) expect(ok({ length: maxLength + 1 })).toBe(false);
        if (maxLanes > 0) expect(ok({ lanes: maxLanes })).toBe(true);
        if (maxLanes < asked.lanes) expect(ok({ lanes: maxLanes + 1 })).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  it('says what was asked, what there is and what would fit', () => {
    const error = refusal(() => admit({ lanes: 8, shared: 24, length: 2048 }, ROOM));
    expect(error.code).toBe('over-capacity');
    expect(error.message).toBe(
      '8 lanes × 2k tokens, 24 of them shared, need 1.7 GiB of KV; this engine holds 448 MiB: 8 × 512, or 2 × 2k, or int8 KV for about twice that. Ask for less, or load the model with more memory for KV (kvBytes).',
    );
    expect(error.details).toMatchObject({ lanes: 8, pages: 1017, totalPages: 256, maxLength: 512, maxLanes: 2 });
  });

  it('says so when a lane is longer than any may be', () => {
    const error = refusal(() => admit({ lanes: 1, shared: 10, length: 5000 }, ROOM));
    expect(error.message).toBe(
      'A lane of 5000 tokens is longer than the 4096 that the model and its KV cache allow. Ask for at most 4096 tokens a lane, prompt included.',
    );
  });

  it('does not offer what is no use', () => {
    const error = refusal(() => admit({ lanes: 20, shared: 4090, length: 4096 }, { ...ROOM, totalPages: 100 }));
    expect(error.message).toMatch(/this engine holds 175 MiB, too little for any lane\. Ask for less/);
  });

  it('lets through what fits, and takes idle KV for free', () => {
    expect(() => admit({ lanes: 8, shared: 24, length: 512 }, ROOM)).not.toThrow();
    expect(fits({ lanes: 1000, shared: 4096, length: 4096 }, ROOM)).toMatchObject({ fits: true, pages: 256 });
  });

  it.each([
    { lanes: 0, shared: 0, length: 1 },
    { lanes: -1, shared: 0, length: 1 },
    { lanes: 1.5, shared: 0, length: 1 },
    { lanes: 1, shared: -1, length: 1 },
    { lanes: 1, shared: 0, length: 0 },
    { lanes: 1, shared: 9, length: 8 },
    { lanes: 1, shared: 0, length: Number.NaN },
  ])('refuses a plan that makes no sense: $lanes lanes, $shared shared, $length long', (asked) => {
    expect(refusal(() => admit(asked, ROOM)).code).toBe('bad-option');
  });
});

describe('the plan of a cache', () => {
  const NEEDS = {
    kvBytesPerToken: 114_688,
    pageSize: 16,
    maxContext: 40_960,
    layers: 28,
    memoryBudgetBytes: 2 ** 30,
    maxBufferBytes: 2 ** 27,
  };

  it('fills the budget', () => {
    // A page takes 1.75 MiB: 585 of them lie in 1 GiB.
    expect(planCache(NEEDS)).toEqual({ totalPages: 585, parts: 1, bytes: 585 * 1_835_008, maxContext: 9360 });
  });

  it('stays within a buffer of each layer', () => {
    // A page takes 32 KiB of each buffer.
    expect(planCache({ ...NEEDS, maxBufferBytes: 2 ** 20 })).toMatchObject({ totalPages: 32, parts: 1 });
  });

  it('takes several buffers a layer where one cannot hold what the budget does, down to one a KV head', () => {
    const inBuffers = (maxBufferBytes: number, kvHeads = 8) => planCache({ ...NEEDS, maxBufferBytes, kvHeads });
    // 585 pages of 32 KiB take 18.3 MiB of each layer's keys.
    expect(inBuffers(2 ** 25)).toMatchObject({ totalPages: 585, parts: 1 });
    expect(inBuffers(2 ** 24)).toMatchObject({ totalPages: 585, parts: 2 });
    expect(inBuffers(8 * 2 ** 20)).toMatchObject({ totalPages: 585, parts: 4 });
    expect(inBuffers(8 * 2 ** 20, 6)).toMatchObject({ totalPages: 585, parts: 3 });
    expect(inBuffers(2 ** 20)).toMatchObject({ totalPages: 256, parts: 8 });
  });

  it('makes no more than the lanes can use', () => {
    const plan = planCache({ ...NEEDS, maxContext: 100, maxLanes: 4 });
    expect(plan).toMatchObject({ totalPages: 28, maxContext: 100 });
  });

  it('never exceeds either bound, and could not hold a page more', () => {
    const bytes = fc.integer({ min: 1, max: 2 ** 36 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 512 }),
        bytes,
        bytes,
        (layers, kvHeads, head, budget, buffer) => {
          const row = kvHeads * head;
          const needs = {
            ...NEEDS,
            layers,
            kvHeads,
            kvBytesPerToken: 2 * layers * row,
            memoryBudgetBytes: budget,
            maxBufferBytes: buffer,
          };
          const within = (pages: number, parts = kvHeads) =>
            pages * 16 * 2 * layers * row <= budget && (pages * 16 * row) / parts <= buffer;
          if (!within(1)) {
            expect(['over-capacity', 'limit-exceeded']).toContain(refusal(() => planCache(needs)).code);
            return;
          }
          const { totalPages, parts, bytes: taken } = planCache(needs);
          expect(kvHeads % parts).toBe(0);
          expect(within(totalPages, parts)).toBe(true);
          // Nor do fewer buffers hold them.
          for (let fewer = 1; fewer < parts; fewer++) {
            if (kvHeads % fewer === 0) expect(within(totalPages, fewer)).toBe(false);
          }
          expect(within(totalPages + 1)).toBe(false);
          expect(taken).toBe(totalPages * 16 * 2 * layers * row);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('refuses when not one page fits', () => {
    expect(refusal(() => planCache({ ...NEEDS, memoryBudgetBytes: 10_000 }))).toMatchObject({
      code: 'over-capacity',
      message:
        'The KV cache may take 9.8 KiB, and one page of 16 tokens takes 1.8 MiB. Give it more memory, or load a smaller model.',
    });
    expect(refusal(() => planCache({ ...NEEDS, maxBufferBytes: 1000 }))).toMatchObject({ code: 'limit-exceeded' });
    expect(refusal(() => planCache({ ...NEEDS, layers: 0 }))).toMatchObject({ code: 'bad-option' });
  });
});
