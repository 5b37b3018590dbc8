import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { packedBytes, packedColumns, WeightPacker } from '../../src/kernels/pack.ts';
import { decodeWeights, f16ToNumber } from '../../src/numbers.ts';
import { testGpu } from '../support/gpu.ts';
import { downloadFloats, nearestHalf, seeded } from './cases/linear-support.ts';
import { checkPack, checkPackAll } from './cases/pack.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

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

  it('keeps NaN a NaN', async () => {
    const packer = await WeightPacker.create(gpu, 'f16');
    const matrix = gpu.buffer('packed', packedBytes(4, 4, 'f16'));
    const source = { dtype: 'F32', firstColumn: 0, columnStride: 1, elementOffset: 0 } as const;
    packer.write(matrix, { inputs: 4, columns: 4 }, source, new Uint8Array(new Float32Array([1, Number.NaN]).buffer));
    const [word] = new Uint32Array((await downloadFloats(gpu, matrix, 1)).buffer);
    expect(word! & 0xffff).toBe(0x3c00);
    expect(f16ToNumber(word! >>> 16)).toBeNaN();
  });

  it('writes vectors as f32, at an offset', async () => {
    const packer = await WeightPacker.create(gpu, 'f32');
    const target = gpu.buffer('vector', 32);
    packer.writeVector(target, 'BF16', new Uint8Array([0x80, 0x3f, 0x00, 0xc0]));
    packer.writeVector(target, 'F16', new Uint8Array([0x00, 0x3c, 0x01, 0x00]), 2);
    packer.writeVector(target, 'F32', new Uint8Array(new Float32Array([0.1]).buffer), 4);
    expect([...(await downloadFloats(gpu, target, 5))]).toEqual([1, -2, 1, 2 ** -24, Math.fround(0.1)]);
  });

  it('refuses half pairs and columns outside the matrix', async () => {
    const packer = await WeightPacker.create(gpu, 'f32');
    const matrix = gpu.buffer('packed', packedBytes(8, 4, 'f32'));
    const shape = { inputs: 8, columns: 4 };
    const source = { dtype: 'F16', firstColumn: 0, columnStride: 1, elementOffset: 0 } as const;
    const attempts = [
      () => packer.write(matrix, shape, source, new Uint8Array(6)),
      () => packer.write(matrix, shape, { ...source, elementOffset: 3 }, new Uint8Array(4)),
      () => packer.write(matrix, shape, { ...source, elementOffset: 32 }, new Uint8Array(4)),
      () => packer.write(matrix, shape, { ...source, firstColumn: 4 }, new Uint8Array(4)),
      () => packer.writeVector(matrix, 'F32', new Uint8Array(7)),
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

  it('sizes packed matrices by padded columns', () => {
    expect(packedColumns(65)).toBe(68);
    expect(packedBytes(12, 65, 'f16')).toBe(12 * 68 * 2);
    expect(packedBytes(12, 64, 'f32')).toBe(12 * 64 * 4);
  });
});
