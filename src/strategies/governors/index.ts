/** The governors that a lane's thinking options call for. */
import type { StrategyContext } from '../types.ts';
import { scheduledCue } from './cues.ts';
import type { Governor } from './governor.ts';
import { loopBreaker } from './loop.ts';
import { EARLY_CUE, minThinking } from './min-thinking.ts';
import { type Probe, stableAnswer } from './stable-answer.ts';

export { type Closing, firstOrder, type Governor, type Order, type Thought } from './governor.ts';
export { denseRepetition, RepeatDetector } from './repeats.ts';
export type { Probe } from './stable-answer.ts';

/** New governors for one lane: they keep its state. Earlier ones are asked first. */
export function governorsOf({ engine, dialect, thinking }: StrategyContext, probe: Probe): Governor[] {
  const {
    minTokens = 0,
    onEarlyClose = 'suppress',
    earlyCue = EARLY_CUE,
    cues = [],
    loop,
    stableAnswer: stable,
  } = thinking;
  const governors: Governor[] = [];
  if (minTokens > 0) {
    const marker = engine.encode(dialect.marker);
    governors.push(minThinking({ minTokens, mode: onEarlyClose, cue: earlyCue, marker }));
  }
  if (loop) governors.push(loopBreaker(loop));
  if (stable) governors.push(stableAnswer(stable, probe, minTokens));
  for (const cue of cues) governors.push(scheduledCue(cue));
  return governors;
}
