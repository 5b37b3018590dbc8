import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULTS, firstWrong, type Settings } from '../../demo/settings.ts';
import { suggest } from '../../demo/suggest.ts';
import type { ModelInfo } from '../../src/api/types.ts';
import { catalogueEntry } from '../../src/cost/catalogue.ts';
import { accuracyPrior } from '../../src/cost/priors.ts';
import { taskById } from '../../src/tasks/index.ts';

const question = { problem: taskById('countdown').generate(4) };

const info = {
  name: 'proto',
  weightBytes: 1.6e6,
  precision: { weights: 'f16', kv: 'f16' },
  shape: catalogueEntry('proto'),
  capacity: { pageSize: 16, totalPages: 4096, freePages: 4096, bytesPerToken: 1024, maxContext: 1024, maxLanes: 64 },
  calibration: {
    flops32: 1e10,
    flops16: null,
    bandwidth: 1e10,
    dispatchSeconds: 1e-5,
    intensity: 1,
    seconds: 1,
  },
} as unknown as ModelInfo;

const within = (budget: Partial<Settings['budget']>): Settings => ({
  ...DEFAULTS,
  budget: { ...DEFAULTS.budget, ...budget },
});

describe('what the page suggests', () => {
  it('fits the fields and the budget, and says why', () => {
    fc.assert(
      fc.property(fc.integer({ min: 40, max: 20_000 }), fc.constantFrom('verifier', 'majority'), (tokens, select) => {
        const settings: Settings = { ...within({ tokens: String(tokens) }), select: select as Settings['select'] };
        const { settings: advised, reason } = suggest(question, settings, info);
        expect(advised.lanes! * advised.thinking!).toBeLessThanOrEqual(tokens);
        expect(firstWrong({ ...settings, ...advised })).toBeNull();
        expect(reason).toContain('expected');
      }),
      { numRuns: 40 },
    );
  });

  it('thinks in more lanes where more may be spent and a verifier chooses', () => {
    const lanes = (tokens: string) => suggest(question, within({ tokens }), info).settings.lanes!;
    expect(lanes('4000')).toBeGreaterThan(lanes('150'));
  });

  it('names another model that would do better within the budget, and none that would not', () => {
    const { precision, shape } = info;
    const accuracy = accuracyPrior('proto', 'countdown')!.parameters;
    const other = (location: number) => [
      { shape: { ...shape, name: 'other' }, precision, accuracy: { ...accuracy, location } },
    ];
    const reason = (location: number) => suggest(question, within({ tokens: '400' }), info, other(location)).reason;
    expect(reason(accuracy.location + 3)).toMatch(/ other would reach [\d.]+ % within the same budget, in \d+ lane/);
    expect(reason(accuracy.location - 3)).not.toContain('would reach');
  });

  it('says so where nothing is known or nothing fits', () => {
    expect(() => suggest({ prompt: 'Why?' }, DEFAULTS, info)).toThrow(/not known/);
    expect(() => suggest(question, DEFAULTS, { ...info, name: 'other' })).toThrow(/not known/);
    expect(() => suggest(question, within({ seconds: '0.00001' }), info)).toThrow(/No plan fits/);
  });
});
