/** Follows a run to its end, handing its events on once a frame. */
import type { ReasonRun } from '../src/api/types.ts';
import type { Answer, ReasoningEvent } from '../src/strategies/types.ts';
import { FrameBatch, type FrameClock } from './frames.ts';

/**
 * Resolves with the run's answer, when `take` has had every event.
 * @param died rejects when the engine's worker dies.
 * @throws what the run throws, likewise after its last event was taken.
 */
export async function follow(
  run: ReasonRun,
  died: Promise<never>,
  take: (events: ReasoningEvent[]) => void,
  clock?: FrameClock,
): Promise<Answer> {
  const batch = new FrameBatch(take, clock);
  const consume = async () => {
    for await (const event of run) batch.push(event);
    return run.result;
  };
  // The iteration reports the same failure; this one must not count as unhandled.
  run.result.catch(() => {});
  try {
    return await Promise.race([consume(), died]);
  } finally {
    batch.flush();
  }
}
