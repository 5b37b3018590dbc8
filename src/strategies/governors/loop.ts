/** What to do about a lane that repeats itself. */
import { laneSeed } from '../seeds.ts';
import type { LoopOptions } from '../thinking.ts';
import type { Governor, Order } from './governor.ts';
import { RepeatDetector } from './repeats.ts';

/** Seeds of resamples lie far from those of lanes, which are derived alike. */
const RESAMPLE_SEEDS = 1_000_000;

export function loopBreaker({ ngram = 40, action = 'stop', penalty = 1.3, attempts = 3 }: LoopOptions): Governor {
  const detector = new RepeatDetector(ngram);
  let tries = 0;
  /** Tokens spent up to which the penalty holds. */
  let penalised = 0;
  return {
    reach: ({ spent }) => (spent < penalised ? penalised - spent : Number.POSITIVE_INFINITY),
    sampling: (given, { spent }) =>
      spent < penalised ? { ...given, repetitionPenalty: Math.max(penalty, given.repetitionPenalty ?? 1) } : given,
    token(token, { held, spent, seed }, forced): Order | null {
      if (!detector.push(token) || forced || spent < penalised) return null;
      const reason = `It repeated ${ngram} tokens word for word.`;
      if (action === 'stop') return { action: 'close', reason };
      if (tries >= attempts) return { action: 'close', reason: `${reason} ${attempts} attempts did not help.` };
      tries++;
      if (action === 'resample') {
        return { action: 'resample', reason, keep: held - ngram, seed: laneSeed(seed, RESAMPLE_SEEDS + tries) };
      }
      penalised = spent + 2 * ngram;
      return { action: 'penalise', reason };
    },
    rewind: (held) => detector.truncate(held),
  };
}
