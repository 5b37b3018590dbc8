import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bf16ToNumber, decodeWeights, f16ToNumber, numberToBf16, numberToF16 } from '../src/numbers.ts';

/** Nearest of two neighbouring codes by brute force over an increasing table. */
function nearest(table: readonly number[], value: number): number[] {
  let best = Number.POSITIVE_INFINITY;
  let codes: number[] = [];
  for (const [code, entry] of table.entries()) {
    const distance = Math.abs(entry - value);
    if (distance < best) [best, codes] = [distance, [code]];
    else if (distance === best) codes.push(code);
  }
  return codes;
}

describe('binary16', () => {
  it('reads the landmarks', () => {
    const cases: [number, number][] = [
      [0x0000, 0],
      [0x8000, -0],
      [0x3c00, 1],
      [0xc000, -2],
      [0x3555, 0.333251953125],
      [0x7bff, 65504],
      [0x0400, 2 ** -14],
      [0x03ff, 1023 * 2 ** -24],
      [0x0001, 2 ** -24],
      [0x7c00, Number.POSITIVE_INFINITY],
      [0xfc00, Number.NEGATIVE_INFINITY],
      [0x7e00, Number.NaN],
      [0x7c01, Number.NaN],
    ];
    for (const [bits, value] of cases) expect(f16ToNumber(bits)).toBe(value);
  });

  it('rises with its bits, and comes back from every value', () => {
    const wrong: number[] = [];
    for (let bits = 0; bits < 0x7c00; bits++) {
      const value = f16ToNumber(bits);
      const back = numberToF16(value) === bits && numberToF16(-value) === (bits | 0x8000);
      if (!back || !(f16ToNumber(bits + 1) > value)) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
  });

  it('rounds to the nearest, ties to even', () => {
    const table = Array.from({ length: 0x7c00 }, (_, bits) => f16ToNumber(bits));
    fc.assert(
      fc.property(
        fc.oneof(fc.double({ min: 0, max: 65504, noNaN: true }), fc.double({ min: 0, max: 1e-4, noNaN: true })),
        (value) => {
          const codes = nearest(table, value);
          expect(numberToF16(value)).toBe(codes.length === 1 ? codes[0] : codes.find((code) => code % 2 === 0));
        },
      ),
      { numRuns: 60 },
    );
    for (let bits = 1; bits < 0x7bff; bits += 97) {
      const middle = (f16ToNumber(bits) + f16ToNumber(bits + 1)) / 2;
      expect(numberToF16(middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
    }
    expect(numberToF16(65519.99)).toBe(0x7bff);
    expect(numberToF16(65520)).toBe(0x7c00);
    expect(numberToF16(Number.NEGATIVE_INFINITY)).toBe(0xfc00);
    expect(f16ToNumber(numberToF16(Number.NaN))).toBeNaN();
  });
});

describe('bfloat16', () => {
  it('is the upper half of a binary32', () => {
    const words = new Uint32Array(1);
    const floats = new Float32Array(words.buffer);
    const wrong: number[] = [];
    for (let bits = 0; bits < 0x10000; bits++) {
      words[0] = bits << 16;
      const value = floats[0]!;
      if (!Object.is(bf16ToNumber(bits), value)) wrong.push(bits);
      if (!Number.isNaN(value) && numberToBf16(value) !== bits) wrong.push(bits);
    }
    expect(wrong).toEqual([]);
  });

  it('rounds to the nearest, ties to even', () => {
    expect(numberToBf16(1 + 2 ** -8)).toBe(0x3f80);
    expect(numberToBf16(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(numberToBf16(1 + 2 ** -8 + 2 ** -20)).toBe(0x3f81);
    expect(numberToBf16(3.4e38)).toBe(0x7f80);
    expect(bf16ToNumber(numberToBf16(Number.NaN))).toBeNaN();
  });
});

describe('decodeWeights', () => {
  it('reads little-endian at any offset', () => {
    const bytes = new Uint8Array([9, 0x00, 0x3c, 0x00, 0xc0, 0x80, 0x3f]);
    expect([...decodeWeights(bytes.subarray(1, 5), 'F16')]).toEqual([1, -2]);
    expect([...decodeWeights(bytes.subarray(5), 'BF16')]).toEqual([1]);
    expect([...decodeWeights(new Uint8Array([0, 0, 0x80, 0x3f]), 'F32')]).toEqual([1]);
    expect(() => decodeWeights(new Uint8Array(3), 'F16')).toThrow(/3 bytes/);
  });
});
