/** Stops thinking when the answer, asked for now and then on the side, stays the same. */
import { normaliseAnswer } from '../../text/answer.ts';
import type { StableAnswerOptions } from '../thinking.ts';
import type { Governor, Thought } from './governor.ts';

/** The answer that the lane would give now; null where it could not be asked. */
export type Probe = (thought: Thought, maxTokens: number) => Promise<string | null>;

export function stableAnswer(
  { every, probes = 3, maxTokens = Number.POSITIVE_INFINITY }: StableAnswerOptions,
  probe: Probe,
  minTokens = 0,
): Governor {
  // Earlier answers would not be acted on.
  let due = Math.max(every, minTokens);
  let last = '';
  let agreed = 0;
  return {
    reach: ({ spent }) => Math.max(1, due - spent),
    async pause(thought) {
      if (thought.spent < due) return null;
      due = thought.spent + every;
      const said = await probe(thought, maxTokens);
      if (said === null) return null;
      const answer = normaliseAnswer(said);
      agreed = answer !== '' && answer === last ? agreed + 1 : 1;
      last = answer;
      if (agreed < probes || answer === '') return null;
      return { action: 'close', reason: `Its answer was the same in ${probes} probes, ${every} tokens apart.` };
    },
  };
}
