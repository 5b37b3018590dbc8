import { describe, expect, it } from 'vitest';
import { Run } from '../../src/api/run.ts';
import { abortedError, isReckonError } from '../../src/errors.ts';
import type { Answer, ReasoningEvent } from '../../src/strategies/types.ts';
import { errorOf } from '../support/checkpoint.ts';

const ANSWER = { text: 'the answer' } as Answer;
const event = (lane: number): ReasoningEvent => ({ type: 'lane', lane, seed: lane });
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

async function lanes(run: Run): Promise<number[]> {
  const seen: number[] = [];
  for await (const item of run) if (item.type === 'lane') seen.push(item.lane);
  return seen;
}

/** A run that emits until it is aborted. */
function endless(signal?: AbortSignal): { run: Run; emitted: () => number } {
  let count = 0;
  const run = new Run(async (emit, aborted) => {
    while (!aborted.aborted) {
      emit(event(count++));
      await turn();
    }
    return ANSWER;
  }, signal);
  return { run, emitted: () => count };
}

describe('a run', () => {
  it('gives every event to a reader that comes early, late or slowly', async () => {
    const work = async (emit: (item: ReasoningEvent) => void) => {
      for (let i = 0; i < 20; i++) {
        emit(event(i));
        if (i % 3 === 0) await turn();
      }
      return ANSWER;
    };
    const all = Array.from({ length: 20 }, (_, i) => i);
    expect(await lanes(new Run(work))).toEqual(all);
    const late = new Run(work);
    expect(await late.result).toBe(ANSWER);
    expect(await lanes(late)).toEqual(all);
    const slow = new Run(work);
    const seen: number[] = [];
    for await (const item of slow) {
      if (item.type === 'lane') seen.push(item.lane);
      await turn();
    }
    expect(seen).toEqual(all);
  });

  it('runs without being iterated, from the next microtask on', async () => {
    let started = false;
    const run = new Run(async () => {
      started = true;
      return ANSWER;
    });
    expect(started).toBe(false);
    expect(await run.result).toBe(ANSWER);
  });

  it('throws behind the events that came before, and rejects its result', async () => {
    const run = new Run(async (emit) => {
      emit(event(1));
      throw new Error('broken');
    });
    const seen: ReasoningEvent[] = [];
    const error = await errorOf(async () => {
      for await (const item of run) seen.push(item);
    });
    expect(error.message).toBe('broken');
    expect(seen).toEqual([event(1)]);
    expect((await errorOf(() => run.result)).message).toBe('broken');
  });

  it('stops when its reader leaves, and still has a result', async () => {
    const { run, emitted } = endless();
    for await (const item of run) if (item.type === 'lane' && item.lane === 3) break;
    expect(await run.result).toBe(ANSWER);
    const count = emitted();
    await turn();
    await turn();
    expect(emitted()).toBe(count);
  });

  it('rejects as aborted when its reader leaves before there is anything', async () => {
    const run = new Run(async (emit, signal) => {
      emit(event(0));
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      throw abortedError('The run', signal);
    });
    for await (const _ of run) break;
    expect(isReckonError(await errorOf(() => run.result), 'aborted')).toBe(true);
  });

  it("follows its caller's signal, with its reason, before and during the work", async () => {
    const controller = new AbortController();
    const { run } = endless(controller.signal);
    setTimeout(() => controller.abort('enough'), 5);
    const seen = await lanes(run);
    expect(seen.length).toBeGreaterThan(0);
    expect(await run.result).toBe(ANSWER);
    let reason: unknown;
    await new Run(async (_, signal) => {
      reason = signal.aborted && signal.reason;
      return ANSWER;
    }, AbortSignal.abort('before')).result;
    expect(reason).toBe('before');
  });

  it('is iterated once: a second reader is told', async () => {
    const run = new Run(async () => ANSWER);
    await lanes(run);
    expect(isReckonError(await errorOf(() => lanes(run)), 'bad-option')).toBe(true);
  });
});
