import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { AccuracyModel } from '../../src/cost/accuracy.ts';
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

  it('compares models at the length that all were given, and says what more gives beside it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'reckon-report-'));
    const cell = { task: 'kk', difficulty: 3, n: 8, temperature: 1, maxThinking: null, device: 'cpu' };
    const write = (model: string, cells: object[]) => {
      mkdirSync(join(folder, model));
      writeFileSync(join(folder, model, 'model.safetensors'), 'x'.repeat(model.length));
      const lines = cells.map((one) => JSON.stringify({ ...cell, ...one }));
      writeFileSync(join(folder, model, 'results.jsonl'), `${lines.join('\n')}\n`);
    };
    write('small', [{ maxTokens: 64, correct: [0, 4], tokens: 160 }]);
    write('larger', [
      { maxTokens: 64, correct: [4, 4], tokens: 320 },
      { maxTokens: 128, correct: [8, 4], tokens: 480 },
    ]);
    const { text, known } = report(folder);
    expect(text).toContain('of up to 64 tokens');
    expect(text).toMatch(/^\| kk\/3 \| 25\.0 \(.*\) \| 50\.0 \(.*\) \|$/m);
    expect(text).toContain('| task | larger, up to 64 | larger, up to 128 |');
    expect(text).toMatch(/^\| kk\/3 \| 50\.0 \(.*\) \/ 100\.0 \/ 20 \| 75\.0 \(.*\) \/ 100\.0 \/ 30 \|$/m);
    const curves = JSON.parse(known) as AccuracyModel[];
    expect(curves.map(({ evidence }) => evidence)).toEqual([
      expect.stringContaining('pass@1 25.0 %'),
      expect.stringContaining('pass@1 75.0 %'),
    ]);
    rmSync(folder, { recursive: true });
  });

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
