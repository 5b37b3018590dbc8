import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type AccuracyParameters, expectedAccuracy } from '../../src/cost/accuracy.ts';
import { accuracyPrior } from '../../src/cost/priors.ts';
import { type Cell, curvesOf, passOf } from '../../training/curves.ts';

/** Problems whose chances are those of the curve, and as many right samples as then are likeliest. */
function cell(parameters: AccuracyParameters, maxThinking: number | null): Cell {
  const tokens = maxThinking ?? 2048;
  const done = 1 / (1 + (parameters.halfLength / tokens) ** parameters.slope);
  const problems = 200;
  const correct = Array.from({ length: problems }, (_, i) => {
    const u = (i + 0.5) / problems;
    const able = 1 / (1 + Math.exp(-(parameters.location + parameters.spread * Math.log(u / (1 - u)))));
    return Math.round(16 * done * able);
  });
  const drawn = problems * 16;
  return {
    task: 'kk',
    difficulty: 3,
    n: 16,
    temperature: 1,
    maxThinking,
    maxTokens: 2048,
    correct,
    tokens: 150 * drawn,
    device: 'cpu',
  };
}

const TRUE: AccuracyParameters = {
  location: 0.5,
  spread: 1.5,
  halfLength: 160,
  slope: 2.5,
  rivalry: 0.3,
  halfBudget: 32,
};

describe('the curves that the planner begins with', () => {
  it('come out of what was measured: length, more samples', () => {
    const cells = [null, 80, 160, 320].map((limit) => cell(TRUE, limit));
    const [curve] = curvesOf('made', [...cells, { ...cells[0]!, temperature: 0 }]);
    expect(curve).toMatchObject({ model: 'made', task: 'kk/3', origin: 'fitted' });
    for (const [i, tokens] of [2048, 80, 160, 320].entries()) {
      for (const trials of [1, 8]) {
        const expected = expectedAccuracy(curve!.parameters, { tokens, trials, selection: 'verifier' });
        expect(Math.abs(expected - passOf(cells[i]!, trials)), `${trials} of ${tokens}`).toBeLessThan(0.04);
      }
    }
    expect(curve!.evidence).toContain('200 held-out problems, 16 samples each (cpu) and limits of 80, 160, 320 tokens');
  });

  it('may be of a model that solves nothing, or all', () => {
    for (const right of [0, 16]) {
      const made = { ...cell(TRUE, null), correct: Array(200).fill(right) };
      const { parameters } = curvesOf('made', [made])[0]!;
      const one = expectedAccuracy(parameters, { tokens: 1000, trials: 1, selection: 'verifier' });
      expect(Math.abs(one - right / 16)).toBeLessThan(0.05);
    }
    expect(curvesOf('made', [{ ...cell(TRUE, 80) }])).toEqual([]);
  });

  it('are those of the results beside the models, as checked in', () => {
    const models = fileURLToPath(new URL('../../models', import.meta.url));
    for (const model of readdirSync(models).filter((name) => existsSync(`${models}/${name}/results.jsonl`))) {
      const lines = readFileSync(`${models}/${model}/results.jsonl`, 'utf8').trim().split('\n');
      for (const curve of curvesOf(
        model,
        lines.map((line) => JSON.parse(line) as Cell),
      )) {
        const known = accuracyPrior(model, curve.task);
        expect(known, `npm run report writes ${model} on ${curve.task}`).toBeDefined();
        for (const [name, value] of Object.entries(curve.parameters)) {
          const there = known!.parameters[name as keyof AccuracyParameters];
          expect(Math.abs(there - value), `${model} on ${curve.task}: ${name}`).toBeLessThan(
            0.01 * Math.abs(value) + 0.01,
          );
        }
      }
    }
  });
});
