import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CheckpointSource,
  type LoadProgress,
  MODEL_SHAPES,
  readTensorIndex,
  streamTensors,
  type TensorChunk,
} from '../../src/checkpoint/index.ts';
import { isReckonError } from '../../src/errors.ts';
import { drain, errorOf, memorySource, protoSource, safetensorsFile } from '../support/checkpoint.ts';

const config = MODEL_SHAPES.proto;
const F = 'model.safetensors';

async function wholeFile(): Promise<Uint8Array> {
  return drain(await protoSource().open(F));
}

async function collect(source: CheckpointSource, options: Parameters<typeof streamTensors>[2] = {}, shape = config) {
  const chunks: TensorChunk[] = [];
  for await (const chunk of streamTensors(source, shape, options)) if (chunk.kind === 'float') chunks.push(chunk);
  return chunks;
}

/** The weights split over shards, some tensors in each, with one tensor that no one asked for. */
async function sharded(): Promise<Record<string, Uint8Array | string>> {
  const bytes = await wholeFile();
  const { tensors } = await readTensorIndex(memorySource({ [F]: bytes }));
  const files: Record<string, Uint8Array | string> = {};
  const weightMap: Record<string, string> = {};
  const all = [...tensors.values()];
  for (let shard = 0; shard < 3; shard++) {
    const name = `model-0000${shard + 1}-of-00003.safetensors`;
    const header: Record<string, unknown> = {};
    const parts: Uint8Array[] = [];
    let offset = 0;
    for (const tensor of all.filter((_, i) => i % 3 === shard)) {
      const size = tensor.end - tensor.start;
      header[tensor.name] = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [offset, offset + size] };
      parts.push(bytes.slice(tensor.start, tensor.end));
      weightMap[tensor.name] = name;
      offset += size;
    }
    header['rotary.inv_freq'] = { dtype: 'F32', shape: [50], data_offsets: [offset, offset + 200] };
    const file = safetensorsFile(header, offset + 200);
    let at = file.length - offset - 200;
    for (const part of parts) {
      file.set(part, at);
      at += part.length;
    }
    files[name] = file;
  }
  files['model.safetensors.index.json'] = JSON.stringify({ metadata: {}, weight_map: weightMap });
  return files;
}

/** Joins pieces per tensor, checking that they follow each other. */
function join(chunks: readonly TensorChunk[]): Map<string, Uint8Array> {
  const whole = new Map<string, Uint8Array>();
  for (const { name, bytes, start, last, shape, dtype } of chunks) {
    const before = whole.get(name) ?? new Uint8Array(0);
    expect(start).toBe(before.length);
    expect(start % 4).toBe(0);
    expect(bytes.byteOffset).toBe(0);
    const joined = new Uint8Array(before.length + bytes.length);
    joined.set(before);
    joined.set(bytes, before.length);
    whole.set(name, joined);
    const size = shape.reduce((product, n) => product * n, 1) * (dtype === 'F32' ? 4 : 2);
    expect(last).toBe(joined.length === size);
  }
  return whole;
}

describe('streamTensors', () => {
  it('gives every tensor whole, whatever the sizes of chunks on either side', async () => {
    const bytes = await wholeFile();
    const { tensors } = await readTensorIndex(memorySource({ [F]: bytes }));
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1000, max: 70_000 }),
        fc.integer({ min: 500, max: 300_000 }),
        async (chunk, chunkBytes) => {
          const source = memorySource({ [F]: bytes }, { chunk });
          const chunks = await collect(source, { chunkBytes });
          const whole = join(chunks);
          expect(whole.size).toBe(tensors.size);
          for (const [name, data] of whole) {
            const { start, end } = tensors.get(name)!;
            expect(Buffer.compare(data, bytes.subarray(start, end))).toBe(0);
          }
          for (const one of chunks) {
            expect(one.bytes.length).toBeLessThanOrEqual(chunkBytes);
            const row = (one.shape[1] ?? 1) * 2;
            if (row <= chunkBytes) expect(one.bytes.length % row).toBe(0);
          }
          // One part for the header, one for all the weights.
          expect(source.opened).toHaveLength(2);
        },
      ),
      { numRuns: 8 },
    );
  });

  it('reads shards through an index, and only what the model needs', async () => {
    const source = memorySource(await sharded(), { chunk: 50_000 });
    const whole = join(await collect(source));
    const single = join(await collect(protoSource()));
    expect([...whole.keys()].sort()).toEqual([...single.keys()].sort());
    for (const [name, bytes] of whole) expect(Buffer.compare(bytes, single.get(name)!)).toBe(0);
  });

  it('counts progress in bytes up to all of them', async () => {
    const steps: LoadProgress[] = [];
    await collect(protoSource(), { chunkBytes: 20_000, onProgress: (step) => steps.push(step) });
    expect(steps.every((step, i) => step.loaded > (steps[i - 1]?.loaded ?? 0) && step.file === F)).toBe(true);
    expect(steps.at(-1)).toMatchObject({ loaded: 798_336 * 2, total: 798_336 * 2 });
  });

  it('stops within one piece of an abort, and cancels the read', async () => {
    const source = memorySource({ [F]: await wholeFile() });
    const abort = new AbortController();
    let pieces = 0;
    const error = await errorOf(async () => {
      for await (const _ of streamTensors(source, config, { signal: abort.signal, chunkBytes: 10_000 })) {
        pieces += 1;
        if (pieces === 3) abort.abort();
      }
    });
    expect(isReckonError(error, 'aborted') && error.message).toBe('Loading memory was aborted.');
    expect(pieces).toBe(3);
    expect(source.opened.at(-1)).toMatchObject({ cancelled: true });
    expect(source.opened.at(-1)!.bytesGiven).toBeLessThan(100_000);
    const before = await errorOf(() => collect(source, { signal: AbortSignal.abort() }));
    expect(isReckonError(before, 'aborted')).toBe(true);
  });

  it('ends a read that waits for ever when its signal fires', async () => {
    const whole = memorySource({ [F]: await wholeFile() });
    const abort = new AbortController();
    const stalled: CheckpointSource = {
      ...whole,
      open: async (path, options) => {
        if ((options?.start ?? 0) === 0) return whole.open(path, options);
        setTimeout(() => abort.abort(), 10);
        return new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) });
      },
    };
    const error = await errorOf(() => collect(stalled, { signal: abort.signal }));
    expect(isReckonError(error, 'aborted')).toBe(true);
  });

  it('cancels the read when the iteration is left', async () => {
    const source = memorySource({ [F]: await wholeFile() });
    for await (const _ of streamTensors(source, config)) break;
    expect(source.opened.at(-1)).toMatchObject({ cancelled: true });
  });

  it('says how many bytes are missing when the data end early', async () => {
    const bytes = await wholeFile();
    const cut = memorySource({ [F]: bytes.slice(0, -300) }, { size: () => bytes.length });
    const error = await errorOf(() => collect(cut));
    expect(isReckonError(error, 'bad-checkpoint') && error.message).toMatch(
      /^model\.safetensors ended 300 bytes early, in "model\.layers\.3/,
    );
    expect(isReckonError(error) && error.details.missingBytes).toBe(300);
    const empty = await errorOf(() =>
      collect(memorySource({ [F]: bytes.slice(0, 6000) }, { size: () => bytes.length })),
    );
    expect(isReckonError(empty) && empty.details.missingBytes).toBe(bytes.length - 6000);
    const truthful = await errorOf(() => collect(memorySource({ [F]: bytes.slice(0, -300) })));
    expect(truthful.message).toMatch(/cut short/);
  });

  it('checks tensors before it reads weights', async () => {
    const source = memorySource({ [F]: await wholeFile() });
    const error = await errorOf(() => collect(source, {}, { ...config, layers: 6 }));
    expect(error.message).toMatch(/lacks .* and \d+ more/);
    expect(source.opened).toHaveLength(1);
    expect((await errorOf(() => collect(source, { chunkBytes: 0 }))).message).toMatch(/chunkBytes is 0/);
  });

  it('passes on what the source fails with', async () => {
    const whole = memorySource({ [F]: await wholeFile() });
    const failing: CheckpointSource = {
      ...whole,
      open: async (path, options) =>
        (options?.start ?? 0) === 0
          ? whole.open(path, options)
          : new ReadableStream({ pull: (controller) => controller.error(new Error('disk on fire')) }),
    };
    expect((await errorOf(() => collect(failing))).message).toBe('disk on fire');
  });
});

describe('readTensorIndex', () => {
  const refused = async (change: (files: Record<string, Uint8Array | string>) => void): Promise<string> => {
    const files = await sharded();
    change(files);
    const error = await errorOf(() => readTensorIndex(memorySource(files)));
    if (!isReckonError(error, 'bad-checkpoint')) throw error;
    return error.message;
  };
  const index = (map: unknown) => (files: Record<string, Uint8Array | string>) => {
    files['model.safetensors.index.json'] = JSON.stringify({ weight_map: map });
  };

  it('names the shard or tensor that is wrong', async () => {
    const missing = await refused((files) => void delete files['model-00002-of-00003.safetensors']);
    expect(missing).toMatch(/"model-00002-of-00003.safetensors" is missing; .* places 15 tensors in it/);
    const swapped = await refused((files) => {
      files['model-00002-of-00003.safetensors'] = files['model-00001-of-00003.safetensors']!;
    });
    expect(swapped).toMatch(/model-00002-of-00003.safetensors does not hold the tensor "model\./);
    expect(await refused(index({ a: '../../secret.safetensors' }))).toMatch(/not a file name inside a checkpoint/);
    expect(await refused(index({ a: 'config.json' }))).toMatch(/not a .safetensors file/);
    expect(await refused(index({ a: 1 }))).toMatch(/file of "a" is not a string/);
    expect(await refused(index([]))).toMatch(/"weight_map" is not an object/);
    expect(await refused(index({}))).toMatch(/"weight_map" is empty/);
    expect((await errorOf(() => readTensorIndex(memorySource({})))).message).toMatch(
      /has neither model.safetensors nor/,
    );
  });
});
