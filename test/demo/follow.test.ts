import { describe, expect, it } from 'vitest';
import { follow } from '../../demo/follow.ts';
import type { FrameClock } from '../../demo/frames.ts';
import type { ReasonRun } from '../../src/api/types.ts';
import { ReckonError } from '../../src/errors.ts';
import type { Answer, ReasoningEvent } from '../../src/strategies/types.ts';

const ANSWER = { text: 'yes' } as Answer;
const ALIVE = new Promise<never>(() => {});

function lane(index: number): ReasoningEvent {
  return { type: 'lane', lane: index, seed: index };
}

function runOf(events: AsyncGenerator<ReasoningEvent>, result: Promise<Answer>): ReasonRun {
  return { result, [Symbol.asyncIterator]: () => events };
}

/** Frames that come when the test says so. */
function handClock(): { clock: FrameClock; frame: () => void; asked: () => number } {
  let waiting: (() => void) | null = null;
  let asked = 0;
  const clock: FrameClock = (callback) => {
    asked++;
    waiting = callback;
    return () => {
      waiting = null;
    };
  };
  return { clock, frame: () => waiting?.(), asked: () => asked };
}

describe('following a run', () => {
  it('hands events on once a frame, in order, and the rest at the end', async () => {
    const { clock, frame, asked } = handClock();
    const batches: number[] = [];
    async function* events() {
      for (let i = 0; i < 5; i++) yield lane(i);
      await new Promise((resolve) => setTimeout(resolve, 5));
      frame();
      for (let i = 5; i < 8; i++) yield lane(i);
    }
    const seen: ReasoningEvent[] = [];
    const answer = await follow(
      runOf(events(), Promise.resolve(ANSWER)),
      ALIVE,
      (batch) => {
        batches.push(batch.length);
        seen.push(...batch);
      },
      clock,
    );
    expect(answer).toBe(ANSWER);
    expect(batches).toEqual([5, 3]);
    expect(asked()).toBe(2);
    expect(seen).toEqual(Array.from({ length: 8 }, (_, i) => lane(i)));
  });

  it('loses no event of a run that fails', async () => {
    const failure = new ReckonError('device-lost', 'The GPU device was lost.');
    async function* events() {
      yield lane(0);
      throw failure;
    }
    const seen: ReasoningEvent[] = [];
    const run = runOf(events(), Promise.reject(failure));
    await expect(follow(run, ALIVE, (batch) => seen.push(...batch), handClock().clock)).rejects.toBe(failure);
    expect(seen).toEqual([lane(0)]);
  });

  it('ends when the worker dies, though the run never does', async () => {
    async function* events() {
      yield lane(0);
      await ALIVE;
    }
    const seen: ReasoningEvent[] = [];
    const died = new Promise<never>((_, reject) => setTimeout(() => reject(new Error('worker died')), 5));
    await expect(
      follow(runOf(events(), ALIVE), died, (batch) => seen.push(...batch), handClock().clock),
    ).rejects.toThrow('worker died');
    expect(seen).toEqual([lane(0)]);
  });
});
