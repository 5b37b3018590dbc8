import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { divideColumns, FOUR_BIT, packedBytes, packedColumns, type WeightFormat } from '../../src/kernels/matrix.ts';
import { WeightPacker } from '../../src/kernels/pack.ts';
import { decodeWeights, f16ToNumber } from '../../src/numbers.ts';
import { testGpu } from '../support/gpu.ts';
import { downloadFloats, nearestHalf, seeded } from './cases/linear-support.ts';
import { F16, F32 } from './cases/matrix-support.ts';
import { checkPack, checkPackAll, checkPackQuantized } from './cases/pack.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

const ALONG = [{ row: 0, rows: 4, column: 0, stride: 1 }];

function wholeMatrix(inputs: number, outputs: number, format: WeightFormat) {
  const buffer = gpu.buffer('packed', packedBytes(inputs, outputs, format));
  return { inputs, outputs, format, parts: [{ first: 0, outputs, buffer }] };
}

describe('WeightPacker', () => {
  it('puts every number where it belongs, exactly, for all formats', async () => {
    await checkPackAll(gpu);
  });

  it('does so for random shapes and places', async () => {
    const random = seeded(9);
    const upTo = (n: number) => 1 + Math.floor(random() * n);
    for (let seed = 0; seed < 12; seed++) {
      const rows = upTo(20);
      const columnStride = upTo(2);
      const firstColumn = upTo(8) - 1;
      await checkPack(gpu, {
        precision: seed % 2 ? 'f16' : 'f32',
        dtype: (['F32', 'F16', 'BF16'] as const)[seed % 3]!,
        inputs: 4 * upTo(12),
        rows,
        firstColumn,
        columnStride,
        outputs: firstColumn + rows * columnStride + upTo(3) - 1,
        seed,
      });
    }
  });

  it('scatters codes and their scales, and quantises floats, into parts of columns', async () => {
    await checkPackQuantized(gpu);
  });

  it('keeps NaN a NaN', async () => {
    const packer = await WeightPacker.create(gpu, [F16]);
    const matrix = wholeMatrix(4, 4, F16);
    const bytes = new Uint8Array(new Float32Array([1, Number.NaN]).buffer);
    packer.writeFloats(matrix, ALONG, { dtype: 'F32', element: 0, bytes });
    const [word] = new Uint32Array((await downloadFloats(gpu, matrix.parts[0]!.buffer, 1)).buffer);
    expect(word! & 0xffff).toBe(0x3c00);
    expect(f16ToNumber(word! >>> 16)).toBeNaN();
  });

  it('writes vectors as f32, where their runs say', async () => {
    const packer = await WeightPacker.create(gpu, []);
    const target = gpu.buffer('vector', 32);
    const at = (column: number, rows = 2) => [{ row: 0, rows, column, stride: 1 }];
    packer.writeVector(target, at(0), { dtype: 'BF16', element: 0, bytes: new Uint8Array([0x80, 0x3f, 0x00, 0xc0]) });
    packer.writeVector(target, at(2), { dtype: 'F16', element: 0, bytes: new Uint8Array([0x00, 0x3c, 0x01, 0x00]) });
    const tenths = new Uint8Array(new Float32Array([0.1, 0.2]).buffer);
    const swapped = [...at(5, 1), { row: 1, rows: 1, column: 4, stride: 1 }];
    packer.writeVector(target, swapped, { dtype: 'F32', element: 0, bytes: tenths });
    expect([...(await downloadFloats(gpu, target, 6))]).toEqual([1, -2, 1, 2 ** -24, ...[0.2, 0.1].map(Math.fround)]);
  });

  it('refuses split pairs and groups, and columns outside the matrix', async () => {
    const packer = await WeightPacker.create(gpu, [F32, FOUR_BIT]);
    const floats = wholeMatrix(8, 4, F32);
    const codes = wholeMatrix(64, 4, FOUR_BIT);
    const source = { dtype: 'F16', element: 0 } as const;
    const beyond = [{ row: 0, rows: 4, column: 4, stride: 1 }];
    const attempts = [
      () => packer.writeFloats(floats, ALONG, { ...source, bytes: new Uint8Array(6) }),
      () => packer.writeFloats(floats, ALONG, { ...source, element: 3, bytes: new Uint8Array(4) }),
      () => packer.writeFloats(floats, beyond, { ...source, bytes: new Uint8Array(4) }),
      () => packer.writeFloats(codes, ALONG, { ...source, bytes: new Uint8Array(64) }),
      () => packer.writeVector(floats.parts[0]!.buffer, ALONG, { dtype: 'F32', element: 0, bytes: new Uint8Array(7) }),
    ];
    for (const attempt of attempts) {
      let error: unknown;
      try {
        attempt();
      } catch (caught) {
        error = caught;
      }
      expect(isReckonError(error, 'bad-option')).toBe(true);
    }
  });
});

describe('matrices', () => {
  it('are divided between columns, into parts that fit', () => {
    expect(divideColumns(1000, 8, 60, F16)).toEqual([{ first: 0, outputs: 60 }]);
    const parts = divideColumns(16 * 300, 8, 700, F16);
    expect(parts).toEqual([
      { first: 0, outputs: 256 },
      { first: 256, outputs: 256 },
      { first: 512, outputs: 188 },
    ]);
    expect(divideColumns(16 * 300, 8, 700, F16, { unit: 140 }).map(({ first }) => first)).toEqual([0, 280, 560]);
    expect(() => divideColumns(16 * 100, 8, 700, F16)).toThrow(/128 columns of 8 weights/);
  });

  it('take the bytes of padded columns, codes and scales', () => {
    expect(packedColumns(65)).toBe(68);
    expect(packedBytes(12, 65, F16)).toBe(12 * 68 * 2);
    expect(packedBytes(12, 64, F32)).toBe(12 * 64 * 4);
    // Three groups: two words of scales.
    expect(packedBytes(96, 64, FOUR_BIT)).toBe(64 * (96 / 2 + 2 * 4));
    expect(packedBytes(96, 64, { ...FOUR_BIT, bits: 8, affine: true, scale: 'f32' })).toBe(64 * (96 + 3 * 8));
  });
});

describe('decodeWeights', () => {
  it('reads all 65,536 halves: each is its own nearest half', () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = decodeWeights(new Uint8Array(bits.buffer), 'F16');
    expect(values[0x3c00]).toBe(1);
    expect(values[0x0001]).toBe(2 ** -24);
    expect(values[0xfbff]).toBe(-65504);
    for (let i = 0; i < 0x7c00; i++) {
      if (nearestHalf(values[i]!) !== values[i]) throw new Error(`half ${i} is not its own nearest`);
      if (i > 0 && !(values[i]! > values[i - 1]!)) throw new Error(`half ${i} is not above the one before`);
    }
  });
});
