/** Minimum of a function of few variables without its derivatives (Nelder and Mead, 1965). Deterministic. */

/**
 * @param start where to begin; @param step first moves along each variable.
 * @returns the best point found after `evaluations` values at most, or when the simplex has shrunk to nothing.
 */
export function minimise(
  f: (x: readonly number[]) => number,
  start: readonly number[],
  step: number,
  evaluations = 800,
): number[] {
  const n = start.length;
  let left = evaluations;
  const at = (x: number[]) => {
    left--;
    const value = f(x);
    return { x, value: Number.isNaN(value) ? Number.POSITIVE_INFINITY : value };
  };
  const corners = [at([...start])];
  for (let i = 0; i < n; i++) corners.push(at(start.map((value, j) => (i === j ? value + step : value))));

  while (left > 0) {
    corners.sort((a, b) => a.value - b.value);
    const best = corners[0]!;
    const worst = corners[n]!;
    if (Math.max(...corners.map(({ x }) => distance(x, best.x))) < 1e-6) break;
    const centre = start.map((_, j) => corners.slice(0, n).reduce((sum, { x }) => sum + x[j]!, 0) / n);
    const along = (t: number) => at(centre.map((c, j) => c + t * (worst.x[j]! - c)));
    const reflected = along(-1);
    if (reflected.value < best.value) {
      const expanded = along(-2);
      corners[n] = expanded.value < reflected.value ? expanded : reflected;
    } else if (reflected.value < corners[n - 1]!.value) {
      corners[n] = reflected;
    } else {
      const contracted = along(reflected.value < worst.value ? -0.5 : 0.5);
      if (contracted.value < Math.min(worst.value, reflected.value)) corners[n] = contracted;
      else {
        for (let i = 1; i <= n; i++) corners[i] = at(corners[i]!.x.map((value, j) => (value + best.x[j]!) / 2));
      }
    }
  }
  corners.sort((a, b) => a.value - b.value);
  return corners[0]!.x;
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}
