/** Predicted beside measured step times, on a real run. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoadedModel } from '../../src/api/load-model.ts';
import type { CostEvent } from '../../src/strategies/types.ts';
import { protoModel } from '../support/model.ts';

describe('step times', () => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await protoModel({ calibrate: true });
  });
  afterAll(() => model.dispose());

  it('come with the costs of a calibrated model, as positive figures over the steps that ran', async () => {
    expect(model.info.calibration?.flops32).toBeGreaterThan(0);
    const costs: CostEvent[] = [];
    const run = model.reason({
      prompt: 'Use 18 8 21 to make 47.',
      strategy: { name: 'best-of-n', n: 4, select: 'logprob', earlyStop: false },
      // Nothing ends of itself, so that there are enough steps.
      sampling: { seed: 1, biases: new Map([0, 2, 4].map((token) => [token, Number.NEGATIVE_INFINITY])) },
      thinking: { maxTokens: 120 },
    });
    for await (const event of run) if (event.type === 'cost') costs.push(event);
    const timing = costs.at(-1)!.timing!;
    expect(timing.steps).toBeGreaterThan(10);
    expect(timing.measuredMs).toBeGreaterThan(0);
    expect(timing.predictedMs).toBeGreaterThan(0);
    expect(timing.medianError).toBeGreaterThanOrEqual(0);
    expect(Number.isFinite(timing.medianError)).toBe(true);
  });
});
