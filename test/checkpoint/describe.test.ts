/** What a checkpoint is, told from its headers; and MLC's own files. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeCheckpoint, openCheckpoint } from '../../src/checkpoint/index.ts';
import { parseMlcManifest } from '../../src/checkpoint/mlc.ts';
import { directorySource } from '../../src/checkpoint/node.ts';
import { isReckonError } from '../../src/errors.ts';
import { loadChatTemplate, renderChat } from '../../src/text/index.ts';
import { errorOf, memorySource, protoSource } from '../support/checkpoint.ts';
import { ggufCheckpoint, type Typed } from '../support/formats/gguf.ts';
import { type MadeCheckpoint, TINY_SHAPES, wide } from '../support/formats/layout.ts';
import { mlcCheckpoint } from '../support/formats/mlc.ts';
import { floatCheckpoint, mlxCheckpoint } from '../support/formats/safetensors.ts';

function sourceOf({ files }: Pick<MadeCheckpoint, 'files'>) {
  return { ...memorySource(files), list: async () => Object.keys(files) };
}

const EOS = new Map<string, Typed>([['tokenizer.ggml.eos_token_id', { type: 'u32', value: 2 }]]);

/** Elements of all tensors. */
const elements = ({ values }: MadeCheckpoint) => [...values.values()].reduce((sum, { length }) => sum + length, 0);

describe('describeCheckpoint', () => {
  it('tells formats and quantisations apart', async () => {
    const cases: [MadeCheckpoint, string, string, string][] = [
      [floatCheckpoint(TINY_SHAPES.llama, 'BF16'), 'LlamaForCausalLM', 'safetensors', 'BF16'],
      [
        mlxCheckpoint(TINY_SHAPES.qwen3, { bits: 4, group: 64, dtype: 'F16' }),
        'Qwen3ForCausalLM',
        'mlx',
        '4-bit, group 64',
      ],
      [mlcCheckpoint(TINY_SHAPES.qwen2, 'q4f16_1'), 'Qwen2ForCausalLM', 'mlc', 'q4f16_1'],
      [mlcCheckpoint(TINY_SHAPES.phi3, 'q3f16_1'), 'Phi3ForCausalLM', 'mlc', 'q3f16_1'],
      [
        ggufCheckpoint(TINY_SHAPES.qwen3_moe, { format: () => 'Q8_0', metadata: EOS }),
        'Qwen3MoeForCausalLM',
        'gguf',
        'Q8_0',
      ],
    ];
    for (const [made, architecture, format, quantization] of cases) {
      const source = sourceOf(made);
      const found = await describeCheckpoint(source);
      expect(found).toMatchObject({ architecture, format, quantization, parameters: elements(made) });
      expect(found.weightBytes).toBeLessThan(elements(made) * 2.3);
      expect(found.files.every(({ file }) => Object.hasOwn(made.files, file))).toBe(true);
      // Headers, no more: every part that was opened begins at the start of a file.
      expect(source.opened.every(({ start }) => start === 0)).toBe(true);
    }
  });

  it('knows what weights take in GPU memory, where q, k and v of several encodings lie in one matrix', async () => {
    const format = (name: string) => (/attn_v|ffn_down|token_embd/.test(name) ? 'Q6_K' : 'Q4_K');
    const made = ggufCheckpoint(wide(TINY_SHAPES.qwen3), { format, metadata: EOS });
    const { loadedBytes, weightBytes } = await describeCheckpoint(sourceOf(made));
    // Q4_K: 4 bits, f32 scale and bias in 32. Q6_K: 8 bits, f32 scale in 16. Together: 8 bits, scale and bias in 16.
    const [q4, q6, both] = [4 + 64 / 32, 8 + 32 / 16, 8 + 64 / 16];
    const rows = 64 * q6 + 512 * both + 256 * q4 + 512 * q4 + 256 * q6;
    expect(loadedBytes).toBe((rows * 256) / 8 + (3 * 256 + 2 * 64) * 4);
    expect(loadedBytes).toBeGreaterThan(weightBytes * 1.4);
    const floats = floatCheckpoint(TINY_SHAPES.qwen3, 'F32');
    expect((await describeCheckpoint(sourceOf(floats))).loadedBytes).toBeLessThan(elements(floats) * 2.1);
  });

  it('gathers what ends a turn, reading the large tokenizer only where nothing else tells', async () => {
    const made = floatCheckpoint(TINY_SHAPES.qwen3, 'F16');
    const described = async (files: Record<string, string>) => {
      const read: string[] = [];
      const source = sourceOf({ files: { ...made.files, ...files } });
      const text = (path: string) => {
        read.push(path);
        return source.text(path);
      };
      const spied = { ...source, text };
      const { generation } = await describeCheckpoint(spied);
      return { ...generation, whole: read.includes('tokenizer.json') };
    };
    const added = { 7: { content: '<|im_end|>' }, 9: { content: '<|end|>' }, 11: { content: '<eos>' } };
    const config = JSON.stringify({ eos_token: { content: '<eos>' }, added_tokens_decoder: added });
    const sampling = JSON.stringify({ eos_token_id: [3], temperature: 0.6, top_k: 20, top_p: 0.95 });
    const whole = JSON.stringify({ added_tokens: [{ id: 5, content: '</s>' }] });
    expect(
      await described({ 'tokenizer_config.json': config, 'generation_config.json': sampling, 'tokenizer.json': whole }),
    ).toMatchObject({ stopTokens: [3, 7, 9, 11], temperature: 0.6, topK: 20, topP: 0.95, whole: false });
    expect(await described({ 'tokenizer.json': whole })).toMatchObject({
      stopTokens: [5],
      temperature: 1,
      whole: true,
    });
    const proto = await describeCheckpoint(protoSource());
    expect(proto).toMatchObject({ parameters: 798_336, weightBytes: 798_336 * 2, generation: { stopTokens: [0, 2] } });
  });

  it('takes a GGUF file by its path, whatever lies beside it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'reckon-gguf-'));
    try {
      for (const type of ['Q8_0', 'Q4_0'] as const) {
        const { files } = ggufCheckpoint(TINY_SHAPES.qwen3, { format: () => type, metadata: EOS });
        await writeFile(join(folder, `tiny-${type}.gguf`), files['model.gguf'] as Uint8Array);
      }
      const found = await describeCheckpoint(directorySource(join(folder, 'tiny-Q4_0.gguf')));
      expect(found).toMatchObject({ format: 'gguf', quantization: 'Q4_0' });
      const both = await errorOf(() => describeCheckpoint(directorySource(folder)));
      expect(both.message).toMatch(/holds 2 models: tiny-Q4_0.gguf, tiny-Q8_0.gguf/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('says what a source lacks', async () => {
    const empty = await errorOf(() => describeCheckpoint(memorySource({})));
    expect(isReckonError(empty, 'bad-checkpoint') && empty.message).toMatch(
      /no config.json.*mlc-chat-config.json.*gguf/,
    );
    const { 'tensor-cache.json': _, ...files } = mlcCheckpoint(TINY_SHAPES.llama, 'q4f16_1').files;
    const error = await errorOf(() => describeCheckpoint(sourceOf({ files })));
    expect(error.message).toMatch(/has neither tensor-cache.json nor ndarray-cache.json/);
  });
});

describe("MLX's quantisation", () => {
  it('is refused where it is another, or does not fit the tensors', async () => {
    const made = mlxCheckpoint(TINY_SHAPES.llama, { bits: 4, group: 32, dtype: 'BF16' });
    const refused = async (quantization: unknown) => {
      const config = JSON.parse(made.files['config.json'] as string);
      const files = { ...made.files, 'config.json': JSON.stringify({ ...config, quantization }) };
      return (await errorOf(() => openCheckpoint(sourceOf({ files })))).message;
    };
    expect(await refused({ bits: 3, group_size: 64 })).toMatch(/asks for 3 bits in groups of 64/);
    expect(await refused({ bits: 4, group_size: 32, mode: 'mxfp4' })).toMatch(/mxfp4/);
    expect(await refused({ bits: 4, group_size: 64 })).toMatch(/"model.embed_tokens" is not in groups of 64/);
    expect(await refused({ bits: 8, group_size: 32 })).toMatch(/is not in groups of 32 with 8 bits/);
    expect(await refused(null)).toMatch(/quantised in a way that is not known/);
  });
});

describe("MLC's files", () => {
  const made = mlcCheckpoint(TINY_SHAPES.qwen3, 'q4f16_1');
  const manifest = made.files['tensor-cache.json'] as string;

  it('under either name, with the checksums that a download is held against', async () => {
    const { shards } = parseMlcManifest(manifest, 'tensor-cache.json');
    for (const { file, fileBytes, md5 } of shards) {
      const bytes = made.files[file] as Uint8Array;
      expect(fileBytes).toBe(bytes.length);
      expect(md5).toBe(createHash('md5').update(bytes).digest('hex'));
    }
    const { 'tensor-cache.json': _, ...rest } = made.files;
    const older = await openCheckpoint(sourceOf({ files: { ...rest, 'ndarray-cache.json': manifest } }));
    expect(older.weights.tensors.size).toBe(made.values.size);
    // The original's configuration may lie beside it.
    const config = JSON.stringify({ architectures: ['Other'] });
    expect((await openCheckpoint(sourceOf({ files: { ...made.files, 'config.json': config } }))).weights.format).toBe(
      'mlc',
    );
  });

  it('make settings and a chat template of what they say of conversations', async () => {
    const { model, json, text } = await openCheckpoint(sourceOf(made));
    expect(model.maxContext).toBe(256);
    expect(json.eos_token_id).toEqual([2, 0]);
    expect(JSON.parse(await text.text('generation_config.json'))).toEqual({
      temperature: 0.6,
      top_p: 0.95,
      repetition_penalty: 1.05,
      eos_token_id: [2, 0],
    });
    const chat = await loadChatTemplate(text);
    const turns = [
      { role: 'user', content: "What's {1+1}?" },
      { role: 'assistant', content: '2\n' },
      { role: 'user', content: 'Sure?' },
    ] as const;
    expect(renderChat(chat, turns)).toBe(
      "<|im_start|>system\nYou're helpful.<|im_end|>\n<|im_start|>user\nWhat's {1+1}?<|im_end|>\n" +
        '<|im_start|>assistant\n2\n<|im_end|>\n<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\n',
    );
    expect(renderChat(chat, [{ role: 'system', content: 'Be \\brief' }, turns[2]])).toBe(
      '<|im_start|>system\nBe \\brief<|im_end|>\n<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\n',
    );
    // A template of its own goes before.
    const own = JSON.stringify({ chat_template: '{{ messages[0].content }}!' });
    const { text: other } = await openCheckpoint(sourceOf({ files: { ...made.files, 'tokenizer_config.json': own } }));
    expect(renderChat(await loadChatTemplate(other), [turns[2]])).toBe('Sure?!');
  });

  it('are refused with what is wrong', async () => {
    const chat = JSON.parse(made.files['mlc-chat-config.json'] as string);
    const refused = async (change: Record<string, unknown>) => {
      const files = { ...made.files, 'mlc-chat-config.json': JSON.stringify({ ...chat, ...change }) };
      return (await errorOf(() => openCheckpoint(sourceOf({ files })))).message;
    };
    expect(await refused({ quantization: 'q4f16_0' })).toMatch(/"q4f16_0" is not known.*q4f16_1/);
    expect(await refused({ model_config: 7 })).toMatch(/model_config is 7/);
    expect(await refused({ model_type: 'rwkv' })).toMatch(/"rwkv" is not known/);
    const short = manifest.replace(/"nbytes":\d+,"byteOffset":0/, '"nbytes":12,"byteOffset":0');
    expect(() => parseMlcManifest(short, 'm')).toThrow(/takes 12 bytes, but U32/);
    const outside = manifest.replace('params_shard_0.bin', '../secret');
    expect(() => parseMlcManifest(outside, 'm')).toThrow(/not a file name inside a checkpoint/);
  });

  it('answer any JSON with typed errors only', () => {
    const typed = (text: string) => {
      try {
        parseMlcManifest(text, 'm');
      } catch (error) {
        expect(isReckonError(error), (error as Error).stack).toBe(true);
      }
    };
    fc.assert(fc.property(fc.json(), typed), { numRuns: 50 });
    const tensor = { name: 'a', shape: [2], dtype: 'float16', format: 'raw', nbytes: 4, byteOffset: 0 };
    const shard = { dataPath: 'p.bin', nbytes: 4, md5sum: '0'.repeat(32), records: [tensor] };
    typed(JSON.stringify({ records: [shard] }));
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(tensor), ...Object.keys(shard), 'records'),
        fc.jsonValue(),
        (field, value) => {
          typed(JSON.stringify({ records: [{ ...shard, [field]: value, records: [{ ...tensor, [field]: value }] }] }));
          typed(JSON.stringify({ records: [{ ...shard, [field]: value }] }));
        },
      ),
      { numRuns: 100 },
    );
  });
});
