import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { headerLength, parseHeader, readHeader, weightDType } from '../../src/checkpoint/safetensors.ts';
import { isReckonError } from '../../src/errors.ts';
import { errorOf, memorySource, protoSource, safetensorsFile } from '../support/checkpoint.ts';

const F = 'model.safetensors';
const tensor = (shape: number[], start: number, end: number, dtype = 'F16') => ({
  dtype,
  shape,
  data_offsets: [start, end],
});

/** Reads `file` and gives the header, or the message of the typed error. */
async function outcome(file: Uint8Array, size?: number | 'unknown') {
  const source = memorySource(
    { [F]: file },
    { chunk: 7, size: (_, bytes) => (size === 'unknown' ? undefined : (size ?? bytes)) },
  );
  try {
    return await readHeader(source, F);
  } catch (error) {
    if (!isReckonError(error, 'bad-checkpoint')) throw error;
    return error.message;
  }
}

describe('safetensors header', () => {
  it('reads a valid file whatever the order of its entries', async () => {
    const header = {
      b: tensor([2, 3], 8, 20),
      __metadata__: { format: 'pt' },
      a: tensor([4], 0, 8),
      empty: tensor([0, 9], 8, 8),
    };
    for (const size of [undefined, 'unknown'] as const) {
      const read = await outcome(safetensorsFile(header, 20), size);
      if (typeof read === 'string') throw new Error(read);
      expect(read.tensors.map(({ name }) => name)).toEqual(['a', 'empty', 'b']);
      const b = read.tensors[2]!;
      expect([b.start - read.dataStart, b.end - b.start, b.shape]).toEqual([8, 12, [2, 3]]);
      expect(read.metadata).toEqual({ format: 'pt' });
    }
  });

  it('reads the embedded checkpoint', async () => {
    const source = protoSource();
    const header = await readHeader(source, F);
    expect(header.tensors).toHaveLength(46);
    expect(header.fileBytes).toBe(await source.size(F));
    const elements = header.tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(elements).toBe(798_336);
  });

  it('reads a header longer than the first read', async () => {
    const header: Record<string, unknown> = {};
    for (let i = 0; i < 6000; i++) header[`model.layers.${i}.weight.with.a.long.name`] = tensor([1], 2 * i, 2 * i + 2);
    const read = await outcome(safetensorsFile(header, 12000));
    expect(typeof read === 'string' ? read : read.tensors.length).toBe(6000);
  });

  it('names the file, the tensor and both numbers in what is wrong', async () => {
    const cases: [string, unknown, number, RegExp][] = [
      ['size against shape', { w: tensor([3, 5], 0, 28) }, 28, /"w" takes 28 bytes, but F16 \[3, 5\] takes 30/],
      [
        'overlap',
        { a: tensor([4], 0, 8), b: tensor([4], 6, 14) },
        14,
        /"b" overlaps .* begins at 6, that one ends at 8/,
      ],
      [
        'gap',
        { a: tensor([4], 0, 8), b: tensor([4], 10, 18) },
        18,
        /"b" leaves a gap .* begins at 10, that one ends at 8/,
      ],
      ['cut short', { a: tensor([4], 0, 8) }, 5, /cut short: "a" ends at byte \d+, the file at \d+/],
      ['surplus', { a: tensor([4], 0, 8) }, 9, /bytes that belong to no tensor/],
      ['unknown type', { a: tensor([4], 0, 8, 'Q4_K') }, 8, /"a" has the unknown type .*Q4_K/],
      ['type from the prototype', { a: tensor([4], 0, 8, 'constructor') }, 8, /unknown type/],
      ['negative shape', { a: tensor([-4], 0, 8) }, 8, /"a" has a shape/],
      ['fractional shape', { a: tensor([0.5, 8], 0, 8) }, 8, /"a" has a shape/],
      ['shape beyond counting', { a: tensor([2 ** 40, 2 ** 40], 0, 8) }, 8, /"a" has a shape of .* more than any file/],
      ['infinite product', { a: tensor(Array(16).fill(2 ** 52), 0, 8) }, 8, /more than any file/],
      ['many dimensions', { a: tensor(Array(17).fill(1), 0, 2) }, 2, /"a" has a shape/],
      ['negative offset', { a: tensor([4], -8, 0) }, 8, /"a" has data_offsets/],
      ['reversed offsets', { a: tensor([4], 8, 0) }, 8, /"a" ends before it begins: data_offsets 8, 0/],
      ['huge offset', { a: tensor([4], 2 ** 53 - 9, 2 ** 53 - 1) }, 8, /"a" lies beyond any file/],
      ['three offsets', { a: { dtype: 'F16', shape: [4], data_offsets: [0, 8, 8] } }, 8, /"a" has data_offsets/],
      ['text offsets', { a: { dtype: 'F16', shape: [4], data_offsets: ['0', '8'] } }, 8, /"a" has data_offsets/],
      ['no object', { a: 1 }, 8, /"a" is not described/],
      ['polluting name', '{"__proto__":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}', 8, /"__proto__" has a name/],
      ['empty name', { '': tensor([4], 0, 8) }, 8, /"" has a name/],
      [
        'repeated name',
        '{"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},"a":{"dtype":"F16","shape":[4],"data_offsets":[8,16]}}',
        16,
        /"a" leaves a gap/,
      ],
      ['metadata', { __metadata__: { a: 1 } }, 0, /metadata "a" is not a string/],
      ['array', [], 0, /not a JSON object/],
      ['not JSON', '{"a":', 0, /not JSON/],
      ['deep nesting', '['.repeat(100_000), 0, /not JSON/],
    ];
    for (const [name, header, dataBytes, message] of cases) {
      const result = await outcome(safetensorsFile(header, dataBytes));
      expect(result, name).toMatch(message);
      expect(result, name).toMatch(/^model\.safetensors: /);
    }
  });

  it('refuses absurd lengths without believing them', async () => {
    const claim = (length: bigint, bytes: number) => {
      const file = new Uint8Array(bytes);
      new DataView(file.buffer).setBigUint64(0, length, true);
      return file;
    };
    expect(await outcome(claim(0xffff_ffff_ffff_ffffn, 64))).toMatch(
      /claims 18446744073709552000 bytes; the format allows/,
    );
    expect(await outcome(claim(100_000_001n, 64))).toMatch(/claims 100000001 bytes/);
    expect(await outcome(claim(57n, 64))).toMatch(/claims 57 bytes, the file has 64/);
    expect(await outcome(claim(90_000_000n, 64), 'unknown')).toMatch(/claims 90000000 bytes, the file ends after 64/);
    expect(await outcome(claim(0n, 64))).toMatch(/claims 0 bytes/);
    for (let bytes = 0; bytes < 8; bytes++)
      expect(await outcome(new Uint8Array(bytes))).toMatch(`the file has ${bytes} bytes`);
  });

  it('accepts every type of the format, and refuses by name those that weights cannot have', async () => {
    const header = { quantised: tensor([4, 2], 0, 8, 'I8'), half: tensor([5, 2], 8, 13, 'F4') };
    const read = await outcome(safetensorsFile(header, 13));
    if (typeof read === 'string') throw new Error(read);
    const error = await errorOf(() => weightDType(read.tensors[0]!));
    expect(isReckonError(error, 'bad-checkpoint') && error.message).toMatch(/"quantised" are stored as I8/);
  });

  it('answers random bytes with typed errors only', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, plausible) => {
        if (plausible && bytes.length >= 8) bytes.set([bytes.length - 8, 0, 0, 0, 0, 0, 0, 0]);
        expect(['string', 'object']).toContain(typeof (await outcome(bytes)));
      }),
      { numRuns: 300 },
    );
  });

  it('answers mutated headers with typed errors, or a header that still holds together', async () => {
    const good = safetensorsFile(
      { __metadata__: { format: 'pt' }, a: tensor([4, 2], 0, 16), b: tensor([3], 16, 28, 'F32') },
      28,
    );
    const edit = fc.record({
      at: fc.nat(good.length - 1),
      value: fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('0123456789"{}[],:-.eE'))),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(edit, { minLength: 1, maxLength: 6 }),
        fc.nat(good.length),
        fc.boolean(),
        async (edits, cut, cuts) => {
          const file = good.slice(0, cuts ? cut : good.length);
          for (const { at, value } of edits) if (at < file.length) file[at] = value;
          const read = await outcome(file);
          if (typeof read === 'string') return;
          let position = read.dataStart;
          for (const { start, end } of read.tensors) {
            expect(start).toBe(position);
            position = end;
          }
          expect(position).toBe(file.length);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('answers any JSON with typed errors only', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.dictionary(
          fc.string(),
          fc.record({ dtype: fc.jsonValue(), shape: fc.jsonValue(), data_offsets: fc.jsonValue() }),
        ),
        (value, entries) => {
          for (const header of [value, entries, { a: value }]) {
            try {
              parseHeader(new TextEncoder().encode(JSON.stringify(header)), F, 100);
            } catch (error) {
              expect(isReckonError(error, 'bad-checkpoint')).toBe(true);
            }
          }
        },
      ),
    );
  });

  it('shortens hostile names in messages', async () => {
    const result = await outcome(safetensorsFile({ [`x\u0007${'y'.repeat(10_000)}`]: 1 }, 0));
    expect(String(result).length).toBeLessThan(400);
    expect(result).toContain('x\\u0007yyy');
  });

  it('headerLength reads little-endian', () => {
    expect(headerLength(new Uint8Array([0x10, 0x27, 0, 0, 0, 0, 0, 0]), F)).toBe(10_000);
  });
});
