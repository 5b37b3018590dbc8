import { describe, expect, it } from 'vitest';
import { ProgressMeter } from '../../src/lab/progress.ts';
import { type Unit, unitsOf } from '../../src/lab/units.ts';
import { smallExperiment } from './rig.ts';

/** Two units a limit: 4 and 8 tokens of thinking. */
const units = unitsOf(smallExperiment({ problems: 2, samples: 2, n: [1], lanes: 2 }));

describe('progress', () => {
  it('tells the time left by the tokens that units like the ended ones take', () => {
    let now = 0;
    const meter = new ProgressMeter(units, 4, () => now);
    expect(meter.report()).toMatchObject({ unitsDone: 0, unitsTotal: 4, samplesTotal: 4 * 2, secondsLeft: null });
    const [first, second, third, fourth] = units as [Unit, Unit, Unit, Unit];
    const finish = (unit: Unit, tokens: number) => {
      for (let i = 0; i < 2 * tokens; i++) meter.token(unit);
      meter.done(unit, [
        { tokens, correct: true },
        { tokens, correct: false },
      ]);
    };
    now = 1000;
    finish(first, 5);
    // 10 tokens in a second. Left: one unit like it, 10 tokens; two of limit 8, nothing known but 8 + 4 tokens a chain.
    expect(meter.report()).toMatchObject({ unitsDone: 1, samplesDone: 2, samplesRight: 1, tokens: 10, seconds: 1 });
    expect(meter.report().secondsLeft).toBeCloseTo(1 + 2.4 * 2, 9);
    now = 2000;
    finish(second, 10);
    // 30 tokens in two seconds; left: one of each.
    expect(meter.report().secondsLeft).toBeCloseTo((10 + 20) / 15, 9);
    for (let i = 0; i < 4; i++) meter.token(third);
    expect(meter.report().secondsLeft).toBeCloseTo(((10 - 4 + 20) / 34) * 2, 9);
    meter.restart(third);
    expect(meter.report().secondsLeft).toBeCloseTo(((10 + 20) / 34) * 2, 9);
    meter.done(third, []);
    meter.done(fourth, []);
    expect(meter.report()).toMatchObject({ unitsDone: 4, secondsLeft: 0 });
  });

  it('counts what an earlier session had done, but not as speed', () => {
    const meter = new ProgressMeter(units, 4, () => 0);
    for (const unit of units.slice(0, 3)) meter.done(unit, [{ tokens: 100, correct: true }], true);
    expect(meter.report()).toMatchObject({ unitsDone: 3, resumed: 3, tokens: 0, samplesRight: 3, secondsLeft: null });
  });
});
