/** MLC's packing, as mlc-llm defines it, against the values that scripts/golden-mlc.py kept. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { mlc3, mlc4 } from '../../src/checkpoint/codecs.ts';
import { dequantize } from '../../src/checkpoint/index.ts';

interface Golden {
  shape: [number, number];
  /** What was quantised. */
  weight: number[][];
  kinds: Record<'q4f16_1' | 'q4f32_1' | 'q3f16_1', { words: number[][]; scales: number[][]; values: number[][] }>;
}

const golden: Golden = JSON.parse(readFileSync(new URL('../golden/mlc.json', import.meta.url), 'utf8'));
const CODECS = { q4f16_1: mlc4('F16'), q4f32_1: mlc4('BF16'), q3f16_1: mlc3('F16') } as const;

describe('matrices that MLC quantised', () => {
  it.each(['q4f16_1', 'q4f32_1', 'q3f16_1'] as const)('%s', (name) => {
    const { words, scales, values } = golden.kinds[name];
    const codec = CODECS[name];
    const [rows, columns] = golden.shape;
    const parts = [
      new Uint8Array(Uint32Array.from(words.flat()).buffer),
      new Uint8Array(Uint16Array.from(scales.flat()).buffer),
    ];
    expect(codec.rowBytes(columns)).toEqual(parts.map((part) => part.length / rows));
    const decoded = codec.decode(parts, rows, columns);
    const found = dequantize({
      kind: 'quantized',
      name: 'w',
      encoding: codec.encoding,
      shape: golden.shape,
      firstRow: 0,
      rows,
      last: true,
      ...decoded,
    });
    expect([...found]).toEqual(values.flat());
    // And what was quantised is near: half a step of its group.
    const step = { q4f16_1: 7, q4f32_1: 7, q3f16_1: 3 }[name];
    const most = Math.max(...golden.weight.flat().map(Math.abs));
    for (const [i, value] of golden.weight.flat().entries())
      expect(Math.abs(found[i]! - value)).toBeLessThan((most / step) * 0.51);
  });
});
