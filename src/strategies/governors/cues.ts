/** Cues on a schedule: a text written into the thinking after every so many tokens of it. */
import type { Cue } from '../thinking.ts';
import type { Governor } from './governor.ts';

/** Counts tokens spent, so that what is taken back does not call for the same cue again. */
export function scheduledCue({ every, text }: Cue): Governor {
  let due = every;
  return {
    reach: ({ spent }) => Math.max(1, due - spent),
    pause({ spent }) {
      if (spent < due) return null;
      due = (Math.floor(spent / every) + 1) * every;
      return { action: 'cue', reason: `It has thought for ${spent} tokens.`, write: text };
    },
  };
}
