import { describe, expect, it } from 'vitest';
import { passAtK } from '../../training/curves.ts';

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
