import { gguf as readWithLibrary } from '@huggingface/gguf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../../src/checkpoint/config.ts';
import { readGguf } from '../../src/checkpoint/gguf.ts';
import { ggufParts } from '../../src/checkpoint/gguf-weights.ts';
import { openCheckpoint } from '../../src/checkpoint/index.ts';
import { isReckonError } from '../../src/errors.ts';
import { errorOf, memorySource } from '../support/checkpoint.ts';
import { type GgufTensor, ggufCheckpoint, ggufFile, ggufMetadata, type Typed } from '../support/formats/gguf.ts';
import { TINY_SHAPES, wide } from '../support/formats/layout.ts';

const F = 'model.gguf';

function sourceOf(files: Record<string, Uint8Array | string>) {
  return { ...memorySource(files, { chunk: 50_000 }), list: async () => Object.keys(files) };
}

function fileOf(made: { files: Record<string, Uint8Array | string> }): Uint8Array {
  return made.files[F] as Uint8Array;
}

/** `fetch` that answers ranges of one file. */
function serving(file: Uint8Array): typeof fetch {
  return async (_url, init) => {
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(new Headers(init?.headers).get('range') ?? '') ?? [];
    return new Response(file.slice(Number(from), Number(to) + 1), { status: 206 });
  };
}

const typed = (type: 'u32' | 'f32', value: number): Typed => ({ type, value });

describe('GGUF headers', () => {
  it('are read as the library of Hugging Face reads them', async () => {
    const metadata = new Map<string, Typed>([
      ['a.string', { type: 'string', value: 'Größe 🤔' }],
      ['a.flag', { type: 'bool', value: true }],
      ['a.large', { type: 'u64', value: 2 ** 40 }],
      ['a.negative', { type: 'i32', value: -7 }],
      ['a.list', { type: 'strings', value: ['', 'é', 'x'.repeat(5000)] }],
      ['a.numbers', { type: 'f32s', value: [0.5, -2] }],
    ]);
    const file = fileOf(ggufCheckpoint(TINY_SHAPES.qwen3_moe, { format: () => 'Q4_0', metadata }));
    const own = await readGguf(memorySource({ [F]: file }), F);
    const library = await readWithLibrary('https://example.org/model.gguf', { fetch: serving(file) });
    const { version: _, tensor_count: __, kv_count: ___, ...theirs } = library.metadata as Record<string, unknown>;
    const plain = (value: unknown) => (typeof value === 'bigint' ? Number(value) : value);
    expect(Object.fromEntries(own.metadata)).toEqual(
      Object.fromEntries(Object.entries(theirs).map(([key, value]) => [key, plain(value)])),
    );
    expect([...own.tensors.keys()]).toEqual(library.tensorInfos.map(({ name }) => name));
    const dataStart = own.tensors.values().next().value!.start;
    for (const info of library.tensorInfos) {
      const tensor = own.tensors.get(info.name)!;
      expect(tensor.dimensions).toEqual(info.shape.map(Number));
      expect(tensor.start - dataStart).toBe(Number(info.offset));
    }
    expect(Number(library.tensorDataOffset)).toBe(dataStart);
  });

  it('are read in parts that grow, and no further than they go', async () => {
    const metadata = new Map<string, Typed>([
      ['long', { type: 'strings', value: Array(40).fill('y'.repeat(100_000)) }],
    ]);
    const file = fileOf(ggufCheckpoint(TINY_SHAPES.llama, { format: () => 'F16', metadata }));
    const source = memorySource({ [F]: file }, { chunk: 1 << 20 });
    expect((await readGguf(source, F)).tensors.size).toBeGreaterThan(10);
    expect(source.opened.map(({ start }) => start)).toEqual([0, 1 << 20, 2 << 20]);
  });

  it('say what is wrong', async () => {
    const tensor = (change: Partial<GgufTensor> = {}): GgufTensor => ({
      dimensions: [32, 2],
      type: 0,
      bytes: new Uint8Array(256),
      ...change,
    });
    const refused = async (file: Uint8Array) => {
      const error = await errorOf(() => readGguf(memorySource({ [F]: file }), F));
      if (!isReckonError(error, 'bad-checkpoint')) throw error;
      return error.message;
    };
    const good = ggufFile(new Map(), new Map([['a', tensor()]]));
    const patched = (at: number, ...bytes: number[]) => {
      const copy = good.slice();
      copy.set(bytes, at);
      return copy;
    };
    expect(await refused(patched(0, 0x50))).toMatch(/does not begin with "GGUF"/);
    expect(await refused(patched(4, 1))).toMatch(/version 1, not 2 or 3/);
    expect(await refused(patched(4, 0, 0, 0, 3))).toMatch(/big-endian/);
    expect(await refused(patched(8, 0, 0, 0, 0, 1))).toMatch(/claims 4294967296 tensors/);
    expect(await refused(good.slice(0, 20))).toMatch(/ends after 20 bytes, within its header/);
    expect(await refused(good.slice(0, -10))).toMatch(/"a" ends at byte .*: it is cut short/);
    const one = (change: Partial<GgufTensor>) => ggufFile(new Map(), new Map([['a', tensor(change)]]));
    expect(await refused(one({ dimensions: [33], type: 2 }))).toMatch(/rows of 33 in Q4_0, no multiple of 32/);
    expect(await refused(one({ dimensions: [1, 1, 1, 1, 1] }))).toMatch(/has 5 dimensions/);
    expect(await refused(one({ dimensions: [2 ** 50, 2 ** 50] }))).toMatch(/larger than any file/);
    const aligned = (value: number) => ggufFile(new Map([['general.alignment', typed('u32', value)]]), new Map(), 32);
    expect(await refused(aligned(33))).toMatch(/general.alignment is 33/);
    expect(await refused(aligned(0))).toMatch(/general.alignment is 0/);
  });

  it('answer mutations and random bytes with typed errors only', async () => {
    const file = fileOf(ggufCheckpoint(TINY_SHAPES.llama, { format: () => 'Q8_0' }));
    const header = file.slice(0, 3000);
    const attempt = async (bytes: Uint8Array) => {
      try {
        await openCheckpoint(sourceOf({ [F]: bytes }));
      } catch (error) {
        expect(isReckonError(error), (error as Error).stack).toBe(true);
      }
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(header.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (changes) => {
          const copy = file.slice();
          for (const [at, value] of changes) copy[at] = value;
          await attempt(copy);
        },
      ),
      { numRuns: 200 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), (bytes) =>
        attempt(new Uint8Array([...header.subarray(0, 24), ...bytes])),
      ),
      { numRuns: 100 },
    );
  });
});

describe('GGUF checkpoints', () => {
  it('tell their configuration', async () => {
    const { model, weights } = await openCheckpoint(
      sourceOf(ggufCheckpoint(wide(TINY_SHAPES.qwen3_moe), { format: () => 'Q4_K' }).files),
    );
    expect(model).toMatchObject({
      architecture: 'Qwen3MoeForCausalLM',
      headDim: 64,
      qkNorm: true,
      tiedEmbeddings: false,
      vocabSize: 64,
      moe: { experts: 4, expertsPerToken: 2, normTopkProb: true, denseLayers: [] },
    });
    expect(weights).toMatchObject({ format: 'gguf', quantization: 'Q4_K' });
    expect(weights.encodings.get('model.layers.0.self_attn.q_proj.weight')).toMatchObject({ bits: 4, affine: true });
  });

  it('tell of scaled RoPE, also where tensors hold its divisors', async () => {
    const opened = async (architecture: 'llama' | 'phi3', metadata: Map<string, Typed>, names: string[]) => {
      const divisors = (name: string): [string, GgufTensor] => [
        name,
        { dimensions: [8], type: 0, bytes: new Uint8Array(Float32Array.from({ length: 8 }, (_, i) => i + 1).buffer) },
      ];
      const made = ggufCheckpoint(TINY_SHAPES[architecture], {
        format: () => 'F16',
        metadata,
        extra: new Map(names.map(divisors)),
      });
      return (await openCheckpoint(sourceOf(made.files))).model;
    };
    const list = [1, 2, 3, 4, 5, 6, 7, 8];
    const llama3 = await opened('llama', new Map(), ['rope_freqs.weight']);
    expect(llama3.ropeScaling).toMatchObject({ shortFactors: list, longFactors: list, attentionFactor: 1 });
    const phi3 = await opened(
      'phi3',
      new Map([
        ['phi3.rope.scaling.original_context_length', typed('u32', 64)],
        ['phi3.rope.scaling.attn_factor', typed('f32', 1.25)],
      ]),
      ['rope_factors_long.weight', 'rope_factors_short.weight'],
    );
    expect(phi3.ropeScaling).toMatchObject({ type: 'longrope', originalMaxContext: 64, attentionFactor: 1.25 });
    const yarn = new Map<string, Typed>([
      ['llama.rope.scaling.type', { type: 'string', value: 'yarn' }],
      ['llama.rope.scaling.factor', typed('f32', 4)],
      ['llama.rope.scaling.original_context_length', typed('u32', 128)],
    ]);
    expect(await opened('llama', yarn, [])).toMatchObject({
      ropeScaling: { type: 'yarn', factor: 4 },
      maxContext: 512,
    });
  });

  it('may be split into parts', async () => {
    const whole = ggufCheckpoint(TINY_SHAPES.qwen2, { format: () => 'Q8_0' });
    const { tensors } = await readGguf(memorySource(whole.files), F);
    const parts = ggufParts('m-00001-of-00003.gguf');
    expect(parts).toEqual(['m-00001-of-00003.gguf', 'm-00002-of-00003.gguf', 'm-00003-of-00003.gguf']);
    const files: Record<string, Uint8Array> = {};
    for (const [i, part] of parts.entries()) {
      const own = [...tensors.values()].filter((_, at) => at % 3 === i);
      const numbers = { F32: 0, Q8_0: 8 } as Record<string, number>;
      const copies = own.map(({ name, dimensions, type, start, end }): [string, GgufTensor] => [
        name,
        { dimensions: [...dimensions], type: numbers[type]!, bytes: fileOf(whole).slice(start, end) },
      ]);
      files[part] = ggufFile(i === 0 ? ggufMetadata(TINY_SHAPES.qwen2) : new Map(), new Map(copies));
    }
    const { weights } = await openCheckpoint(sourceOf(files));
    expect(weights.files.map(({ file }) => file)).toEqual(parts);
    expect(weights.bytes).toBe((await openCheckpoint(sourceOf(whole.files))).weights.bytes);
    const { [parts[1]!]: _, ...rest } = files;
    expect((await errorOf(() => openCheckpoint(sourceOf(rest)))).message).toMatch(
      /part "m-00002-of-00003.gguf".* missing/,
    );
  });

  it('refuse what is not known, by name', async () => {
    const refused = async (change: (metadata: Map<string, Typed>) => void, type = 0) => {
      const metadata = ggufMetadata(TINY_SHAPES.llama);
      change(metadata);
      const embedding = { dimensions: [64, 96], type, bytes: new Uint8Array(64 * 96 * 4) };
      const file = ggufFile(metadata, new Map([['token_embd.weight', embedding]]));
      return errorOf(() => openCheckpoint(sourceOf({ [F]: file })));
    };
    const mamba = await refused((metadata) => metadata.set('general.architecture', { type: 'string', value: 'mamba' }));
    expect(isReckonError(mamba, 'unknown-architecture') && mamba.message).toMatch(/"mamba" is not known.*Qwen3Moe/);
    const mixtral = await refused((metadata) => metadata.set('llama.expert_count', typed('u32', 8)));
    expect(mixtral.message).toMatch(/"llama with experts" is not known/);
    expect((await refused(() => undefined, 20)).message).toMatch(/"token_embd.weight" is stored as type 20/);
    expect((await refused(() => undefined)).message).toMatch(/lacks "model.layers.0.input_layernorm.weight"/);
    const several = sourceOf({ 'a-Q4_0.gguf': 'x', 'b-Q8_0.gguf': 'y' });
    expect((await errorOf(() => openCheckpoint(several))).message).toMatch(/holds 2 models: a-Q4_0.gguf, b-Q8_0.gguf/);
  });

  it('give the configuration that the same model has elsewhere', async () => {
    const { model } = await openCheckpoint(sourceOf(ggufCheckpoint(TINY_SHAPES.qwen3, { format: () => 'F16' }).files));
    const same = {
      architectures: ['Qwen3ForCausalLM'],
      hidden_size: 64,
      num_hidden_layers: 2,
      intermediate_size: 96,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 32,
      vocab_size: 96,
      rms_norm_eps: Math.fround(1e-5),
      rope_theta: 10000,
      max_position_embeddings: 256,
      hidden_act: 'silu',
      tie_word_embeddings: true,
    };
    expect(model).toEqual(parseModelConfig(same));
  });
});
