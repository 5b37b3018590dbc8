import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  commonEncoding,
  dequantize,
  type FloatEncoding,
  type MatrixEncoding,
  promote,
  type QuantizedChunk,
  type QuantizedEncoding,
  type TensorChunk,
} from '../../src/checkpoint/index.ts';
import { decodeWeights, numberToF16 } from '../../src/numbers.ts';

const symmetric = fc
  .record({
    bits: fc.constantFrom(4 as const, 8 as const),
    group: fc.constantFrom(8 as const, 16 as const, 32 as const),
    zero: fc.constantFrom(7, 8),
    scale: fc.constantFrom('f16' as const, 'f32' as const),
  })
  .map(
    (one): QuantizedEncoding => ({
      kind: 'quantized',
      affine: false,
      ...one,
      zero: one.bits === 8 ? 128 : one.zero,
    }),
  );
const encodings = fc.oneof(
  symmetric,
  symmetric.map((one): QuantizedEncoding => ({ ...one, affine: true, zero: 0 })),
);

/** Two rows of 64 random codes; scales and biases have few digits, so that every value is exact in f32. */
function chunkOf(encoding: QuantizedEncoding, seed: number): QuantizedChunk {
  let state = seed;
  const draw = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const groups = (2 * 64) / encoding.group;
  const values = () => {
    const exact = Array.from({ length: groups }, () => (draw(2001) - 1000) * 2 ** -8);
    return encoding.scale === 'f32' ? Float32Array.from(exact) : Uint16Array.from(exact, numberToF16);
  };
  return {
    kind: 'quantized',
    name: 'w',
    encoding,
    shape: [6, 64],
    firstRow: 2,
    rows: 2,
    codes: Uint8Array.from({ length: (2 * 64 * encoding.bits) / 8 }, () => draw(256)),
    scales: values(),
    biases: encoding.affine ? values() : null,
    last: false,
  };
}

const seeds = fc.integer({ min: 1, max: 2 ** 31 });

describe('quantised matrices', () => {
  it('mean what the definition says', () => {
    const encoding: QuantizedEncoding = {
      kind: 'quantized',
      bits: 4,
      group: 8,
      affine: false,
      zero: 7,
      scale: 'f16',
    };
    const chunk: QuantizedChunk = {
      kind: 'quantized',
      name: 'w',
      encoding,
      shape: [1, 16],
      firstRow: 0,
      rows: 1,
      codes: Uint8Array.of(0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe),
      scales: Uint16Array.of(numberToF16(0.5), numberToF16(-2)),
      biases: null,
      last: true,
    };
    const first = [-3.5, -3, -2.5, -2, -1.5, -1, -0.5, 0];
    expect([...dequantize(chunk)]).toEqual([...first, -2, -4, -6, -8, -10, -12, -14, -16]);
    const affine = { ...chunk, encoding: { ...encoding, affine: true, zero: 0 }, biases: chunk.scales };
    expect([...dequantize(affine)].slice(0, 3)).toEqual([0.5, 1, 1.5]);
    expect([...dequantize(affine)].slice(8, 10)).toEqual([-18, -20]);
  });

  it('keep every value in an encoding common to two, whichever they are', () => {
    fc.assert(
      fc.property(encodings, encodings, seeds, (a, b, seed) => {
        const common = commonEncoding([a, b]) as QuantizedEncoding;
        expect(commonEncoding([b, a])).toEqual(common);
        expect(commonEncoding([common, a])).toEqual(common);
        for (const encoding of [a, b]) {
          const chunk = chunkOf(encoding, seed);
          const moved = promote(chunk, common);
          expect(moved.encoding).toEqual(common);
          expect(moved.biases === null).toBe(!common.affine);
          expect(moved.scales).toBeInstanceOf(common.scale === 'f16' ? Uint16Array : Float32Array);
          expect(dequantize(moved)).toEqual(dequantize(chunk));
          expect(moved).toMatchObject({ firstRow: 2, rows: 2, shape: [6, 64] });
        }
      }),
    );
  });

  it('become floats where floats and codes mix', () => {
    const float: FloatEncoding = { kind: 'float', dtype: 'F16' };
    fc.assert(
      fc.property(encodings, seeds, (encoding, seed) => {
        const common: MatrixEncoding = commonEncoding([float, encoding]);
        expect(common).toEqual({ kind: 'float', dtype: 'F32' });
        const chunk = chunkOf(encoding, seed);
        const moved = promote(chunk, common) as TensorChunk;
        expect(moved.start).toBe(2 * 64 * 4);
        expect(decodeWeights(moved.bytes, 'F32')).toEqual(Float32Array.from(dequantize(chunk)));
      }),
      { numRuns: 30 },
    );
    const half: TensorChunk = {
      kind: 'float',
      name: 'w',
      dtype: 'F16',
      shape: [2, 2],
      bytes: new Uint8Array(Uint16Array.of(numberToF16(1.5), numberToF16(-3)).buffer),
      start: 4,
      last: true,
    };
    const widened = promote(half, { kind: 'float', dtype: 'F32' }) as TensorChunk;
    expect([...decodeWeights(widened.bytes, 'F32')]).toEqual([1.5, -3]);
    expect(widened.start).toBe(8);
    expect(commonEncoding([float, float])).toEqual(float);
  });

  it('refuse to lose anything', () => {
    const wide = chunkOf({ kind: 'quantized', bits: 8, group: 16, affine: false, zero: 128, scale: 'f32' }, 1);
    for (const change of [{ bits: 4, zero: 8 }, { group: 32 }, { scale: 'f16' }, { zero: 127 }] as const) {
      expect(() => promote(wide, { ...wide.encoding, ...change })).toThrow(/without loss/);
    }
  });
});
