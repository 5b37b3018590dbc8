import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { merge } from '../../src/strategies/merge.ts';

/** Waits for `turns` turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

interface Script {
  /** Turns to wait before each item. */
  waits: number[];
  /** Fails after the last item. */
  fails: boolean;
}

interface Trace {
  closed: Set<number>;
}

async function* play(script: Script, source: number, trace: Trace): AsyncGenerator<[number, number], string> {
  try {
    for (const [i, wait] of script.waits.entries()) {
      await turns(wait);
      yield [source, i];
    }
    if (script.fails) throw new Error(`source ${source}`);
    return `end ${source}`;
  } finally {
    trace.closed.add(source);
  }
}

const script = fc.record({
  waits: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 6 }),
  fails: fc.constant(false),
});

describe('merge', () => {
  it('delivers every item once, in each source’s order, and all return values', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(script, { maxLength: 6 }), async (scripts) => {
        const trace: Trace = { closed: new Set() };
        const merged = merge(scripts.map((s, i) => play(s, i, trace)));
        const seen = scripts.map(() => 0);
        for (;;) {
          const next = await merged.next();
          if (next.done) {
            expect(next.value).toEqual(scripts.map((_, i) => `end ${i}`));
            break;
          }
          const [source, item] = next.value;
          expect(item).toBe(seen[source]!++);
        }
        expect(seen).toEqual(scripts.map((s) => s.waits.length));
        expect(trace.closed.size).toBe(scripts.length);
      }),
      { numRuns: 60 },
    );
  });

  it('ends all sources when the reader leaves at any point', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(script, { minLength: 1, maxLength: 5 }), fc.nat(12), async (scripts, leaveAt) => {
        const trace: Trace = { closed: new Set() };
        let cancels = 0;
        let read = 0;
        const all = scripts.reduce((sum, s) => sum + s.waits.length, 0);
        for await (const _ of merge(
          scripts.map((s, i) => play(s, i, trace)),
          () => cancels++,
        )) {
          if (read++ === leaveAt) break;
        }
        expect(trace.closed.size).toBe(scripts.length);
        expect(cancels).toBeLessThanOrEqual(1);
        if (leaveAt >= all) expect(cancels).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('throws a source’s error after what came before it, ends the others, and leaves no rejection behind', async () => {
    const rejections: unknown[] = [];
    const note = (reason: unknown) => rejections.push(reason);
    process.on('unhandledRejection', note);
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ waits: script.map((s) => s.waits), fails: fc.boolean() }), {
            minLength: 1,
            maxLength: 5,
          }),
          async (scripts) => {
            const failing = new Set(scripts.flatMap((s, i) => (s.fails ? [i] : [])));
            const trace: Trace = { closed: new Set() };
            const seen = scripts.map(() => 0);
            let failure: string | null = null;
            try {
              for await (const [source] of merge(scripts.map((s, i) => play(s, i, trace)))) seen[source]!++;
            } catch (error) {
              failure = (error as Error).message;
            }
            expect(failure !== null).toBe(failing.size > 0);
            if (failure !== null) {
              const source = Number(failure.slice('source '.length));
              expect(failing.has(source)).toBe(true);
              expect(seen[source]).toBe(scripts[source]!.waits.length);
            }
            expect(trace.closed.size).toBe(scripts.length);
          },
        ),
        { numRuns: 60 },
      );
      await turns(3);
      expect(rejections).toEqual([]);
    } finally {
      process.off('unhandledRejection', note);
    }
  });

  it('starves nobody: a source that is always ready does not hold back another', async () => {
    async function* endless(name: string): AsyncGenerator<string, void> {
      for (;;) yield name;
    }
    const counts = new Map<string, number>();
    let read = 0;
    for await (const name of merge([endless('a'), endless('b'), endless('c')])) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      if (++read === 300) break;
    }
    for (const count of counts.values()) expect(Math.abs(count - 100)).toBeLessThanOrEqual(2);
  });

  it('keeps every source going while the reader is slow', async () => {
    let asked = 0;
    async function* counting(): AsyncGenerator<number, void> {
      for (let i = 0; i < 3; i++) {
        asked++;
        yield i;
      }
    }
    const merged = merge([counting(), counting(), counting(), counting()]);
    await merged.next();
    await turns(3);
    // One item was read; its source works on the next, the three others hold one each.
    expect(asked).toBe(5);
    await merged.return([]);
  });

  it('wakes a source that would wait for ever through cancel', async () => {
    const controller = new AbortController();
    async function* stuck(): AsyncGenerator<string, void> {
      await new Promise<void>((resolve) => controller.signal.addEventListener('abort', () => resolve()));
      yield 'woken';
    }
    async function* quick(): AsyncGenerator<string, void> {
      yield 'first';
    }
    for await (const item of merge([stuck(), quick()], () => controller.abort())) {
      expect(item).toBe('first');
      break;
    }
    expect(controller.signal.aborted).toBe(true);
  });
});
