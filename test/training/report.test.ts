import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { passAtK } from '../../training/curves.ts';
import { report, withTables } from '../../training/report.ts';

describe('pass@k', () => {
  // Zhu et al., arXiv 2506.01347, the authors' calculate_metrics.py.
  it.each([
    [16, 2, 8, 0.766667],
    [256, 1, 1, 0.003906],
    [256, 13, 16, 0.576848],
    [8, 3, 2, 0.642857],
    [8, 0, 8, 0],
    [256, 1, 256, 1],
  ])('of %i samples, %i right, at k = %i is %f', (n, correct, k, expected) => {
    expect(passAtK(n, correct, k)).toBeCloseTo(expected, 6);
  });
});

describe('the README of the embedded models', () => {
  const models = fileURLToPath(new URL('../../models/', import.meta.url));

  it('has the tables and the curves of what lies beside it', () => {
    const { text, drawings, known } = report(models);
    expect(readFileSync(fileURLToPath(new URL('../../src/cost/measured.json', import.meta.url)), 'utf8')).toBe(known);
    const readme = readFileSync(`${models}README.md`, 'utf8');
    expect(withTables(readme, text)).toBe(readme);
    expect(Object.keys(drawings).length).toBeGreaterThan(0);
    for (const [file, svg] of Object.entries(drawings)) {
      expect(readFileSync(`${models}${file}`, 'utf8'), file).toBe(svg);
      expect(readme).toContain(file);
    }
  });
});
