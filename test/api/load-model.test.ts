import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadFrom, loadModel } from '../../src/api/load-model.ts';
import type { LoadOptions, LoadProgress } from '../../src/api/types.ts';
import { isReckonError, type ReckonErrorCode } from '../../src/errors.ts';
import { errorOf, memorySource, safetensorsFile } from '../support/checkpoint.ts';
import { ownGpu, testGpu } from '../support/gpu.ts';
import { PROTO } from '../support/model.ts';

const NAMES = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];
type Files = Record<string, Uint8Array | string>;

/** The embedded checkpoint in memory, changed. */
async function changed(change: (files: Files) => void): Promise<Files> {
  const files: Files = {};
  for (const name of NAMES) files[name] = await readFile(join(PROTO, name), name.endsWith('.json') ? 'utf8' : null);
  change(files);
  return files;
}

function editJson(files: Files, name: string, edit: (json: Record<string, unknown>) => void): void {
  const json = JSON.parse(String(files[name])) as Record<string, unknown>;
  edit(json);
  files[name] = JSON.stringify(json);
}

/** Rewrites the header of the weights, data as they are. */
function editHeader(files: Files, edit: (header: Record<string, { shape: number[]; dtype: string }>) => void): void {
  const bytes = files['model.safetensors'] as Uint8Array;
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  edit(header);
  const data = bytes.subarray(8 + length);
  const file = safetensorsFile(header, data.length);
  file.set(data, file.length - data.length);
  files['model.safetensors'] = file;
}

/** A GPU that tells which devices it gave out; each is destroyed, or it is not. */
async function watchedGpu(): Promise<{ gpu: GPU; devices: GPUDevice[]; open: () => Promise<number> }> {
  const real = await ownGpu();
  const devices: GPUDevice[] = [];
  const gpu = {
    requestAdapter: async (options?: GPURequestAdapterOptions) => {
      const adapter = await real.requestAdapter(options);
      if (!adapter) return null;
      const request = adapter.requestDevice.bind(adapter);
      return new Proxy(adapter, {
        get(target, name) {
          if (name === 'requestDevice') {
            return async (descriptor?: GPUDeviceDescriptor) => {
              const device = await request(descriptor);
              devices.push(device);
              return device;
            };
          }
          const value = Reflect.get(target, name, target) as unknown;
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    },
  } as unknown as GPU;
  const open = async () => {
    const lost = await Promise.all(
      devices.map((device) =>
        Promise.race([device.lost.then(() => true), new Promise((r) => setTimeout(r, 50, false))]),
      ),
    );
    return lost.filter((gone) => !gone).length;
  };
  return { gpu, devices, open };
}

async function failure(files: Files, options: LoadOptions = {}): Promise<Error> {
  const { gpu, open } = await watchedGpu();
  const error = await errorOf(() => loadFrom(memorySource(files, { chunk: 1 << 16 }), { gpu, ...options }));
  expect(await open()).toBe(0);
  return error;
}

describe('a checkpoint that is none', () => {
  const cases: [what: string, code: ReckonErrorCode, message: RegExp, change: (files: Files) => void][] = [
    ['no config.json', 'bad-checkpoint', /config\.json/, (files) => delete files['config.json']],
    ['a config that is no JSON', 'bad-checkpoint', /config\.json/, (files) => (files['config.json'] = '{')],
    [
      'an unknown architecture',
      'unknown-architecture',
      /MambaForCausalLM.*Qwen3ForCausalLM/s,
      (files) => editJson(files, 'config.json', (json) => (json.architectures = ['MambaForCausalLM'])),
    ],
    [
      'quantised weights',
      'unknown-architecture',
      /quanti/i,
      (files) => editJson(files, 'config.json', (json) => (json.quantization_config = { quant_method: 'awq' })),
    ],
    [
      'a field out of range',
      'bad-checkpoint',
      /num_hidden_layers.*-1/s,
      (files) => editJson(files, 'config.json', (json) => (json.num_hidden_layers = -1)),
    ],
    ['no tokenizer', 'bad-tokenizer', /tokenizer\.json.*missing/s, (files) => delete files['tokenizer.json']],
    ['a damaged tokenizer', 'bad-tokenizer', /tokenizer\.json/, (files) => (files['tokenizer.json'] = '{"model":')],
    [
      'a tokenizer of another model',
      'bad-tokenizer',
      /tokens; the model knows 80/,
      (files) =>
        editJson(files, 'tokenizer.json', (json) => {
          (json.model as { vocab: Record<string, number> }).vocab.stranger = 200;
        }),
    ],
    ['no weights', 'bad-checkpoint', /safetensors/, (files) => delete files['model.safetensors']],
    [
      'a truncated header',
      'bad-checkpoint',
      /model\.safetensors/,
      (files) => (files['model.safetensors'] = (files['model.safetensors'] as Uint8Array).slice(0, 100)),
    ],
    [
      'a header that claims exabytes',
      'bad-checkpoint',
      /header/,
      (files) => (files['model.safetensors'] = new Uint8Array(64).fill(0x7f)),
    ],
    [
      'truncated weights',
      'bad-checkpoint',
      /model\.safetensors/,
      (files) => (files['model.safetensors'] = (files['model.safetensors'] as Uint8Array).slice(0, -1000)),
    ],
    [
      'tensors that overlap',
      'bad-checkpoint',
      /model\.safetensors|overlap/,
      (files) =>
        editHeader(files, (header) => {
          const [a, b] = Object.values(header) as unknown as { data_offsets: number[] }[];
          a!.data_offsets = [...b!.data_offsets];
        }),
    ],
    [
      'a missing tensor',
      'bad-checkpoint',
      /model\.layers\.2\.mlp\.up_proj\.weight/,
      (files) =>
        editHeader(files, (header) => {
          header.stranger = header['model.layers.2.mlp.up_proj.weight']!;
          delete header['model.layers.2.mlp.up_proj.weight'];
        }),
    ],
    [
      'a tensor of the wrong shape',
      'bad-checkpoint',
      /model\.norm\.weight.*(64, 2|64,2|64 × 2)/s,
      (files) => editHeader(files, (header) => (header['model.norm.weight']!.shape = [64, 2])),
    ],
    [
      'a type of number that is not read',
      'bad-checkpoint',
      /I16/,
      (files) => editHeader(files, (header) => (header['model.norm.weight']!.dtype = 'I16')),
    ],
  ];

  it.each(cases)('%s: %s', async (_what, code, message, change) => {
    const error = await failure(await changed(change));
    expect(error.message).toMatch(message);
    expect(isReckonError(error, code)).toBe(true);
  });

  it('says so of a folder that does not exist, and of nothing at all', async () => {
    expect(isReckonError(await errorOf(() => loadModel('/no/such/folder')), 'bad-checkpoint')).toBe(true);
    expect(isReckonError(await errorOf(() => loadModel('')), 'bad-option')).toBe(true);
    expect(isReckonError(await errorOf(() => loadModel([])), 'bad-option')).toBe(true);
    expect(isReckonError(await errorOf(() => loadModel(undefined as unknown as string)), 'bad-option')).toBe(true);
  });
});

describe('settings that make no sense', () => {
  const bad: [string, LoadOptions][] = [
    ['maxLanes', { maxLanes: 0 }],
    ['maxLanes', { maxLanes: -4 }],
    ['maxLanes', { maxLanes: 1.5 }],
    ['maxLanes', { maxLanes: 1000 }],
    ['maxContext', { maxContext: 0 }],
    ['maxContext', { maxContext: -1 }],
    ['maxContext', { maxContext: 1_000_000 }],
    ['kvBytes', { kvBytes: 0 }],
    ['kvBytes', { kvBytes: Number.NaN }],
    ['precision.kv', { precision: { kv: 'int3' as 'f16' } }],
    ['quantize', { quantize: '3bit' as '4bit' }],
  ];
  it.each(bad)('%s, %o', async (name, options) => {
    const { gpu, devices } = await watchedGpu();
    const error = await errorOf(() => loadModel(PROTO, { gpu, ...options }));
    expect(error.message).toContain(name);
    expect(isReckonError(error, 'bad-option')).toBe(true);
    expect(devices).toHaveLength(0);
  });

  it('a cache too small for a page', async () => {
    const { gpu, open } = await watchedGpu();
    const error = await errorOf(() => loadModel(PROTO, { gpu, kvBytes: 100 }));
    expect(isReckonError(error, 'over-capacity')).toBe(true);
    expect(await open()).toBe(0);
  });
});

describe('a GPU that is none', () => {
  it('no adapter', async () => {
    const gpu = { requestAdapter: async () => null } as unknown as GPU;
    const error = await errorOf(() => loadModel(PROTO, { gpu }));
    expect(isReckonError(error, 'no-adapter')).toBe(true);
    expect(error.message).toMatch(/adapter.*driver/s);
  });

  it('an adapter that refuses a device', async () => {
    const adapter = { features: new Set(), limits: {}, requestDevice: () => Promise.reject(new Error('busy')) };
    const gpu = { requestAdapter: async () => adapter } as unknown as GPU;
    expect(isReckonError(await errorOf(() => loadModel(PROTO, { gpu })), 'no-adapter')).toBe(true);
  });

  it('a device that runs out of memory', async () => {
    const { gpu, open, devices } = await watchedGpu();
    class GPUOutOfMemoryError {
      message = 'no memory left';
    }
    const scopes: (object | null)[] = [];
    const request = gpu.requestAdapter.bind(gpu);
    gpu.requestAdapter = async (options) => {
      const adapter = (await request(options))!;
      return {
        features: adapter.features,
        limits: adapter.limits,
        info: adapter.info,
        requestDevice: async (descriptor?: GPUDeviceDescriptor) => {
          const device = await adapter.requestDevice(descriptor);
          device.popErrorScope = async () => {
            const error = scopes.length === 1 ? new GPUOutOfMemoryError() : null;
            scopes.push(error);
            return error as GPUError | null;
          };
          return device;
        },
      } as unknown as GPUAdapter;
    };
    const error = await errorOf(() => loadModel(PROTO, { gpu }));
    expect(isReckonError(error, 'gpu-out-of-memory')).toBe(true);
    expect(error.message).toMatch(/allocation of the weights/);
    expect(devices).toHaveLength(1);
    expect(await open()).toBe(0);
  });
});

describe('an aborted load', () => {
  it('before it starts touches nothing', async () => {
    const { gpu, devices } = await watchedGpu();
    const source = memorySource(await changed(() => {}));
    const signal = AbortSignal.abort(new Error('changed my mind'));
    const error = await errorOf(() => loadFrom(source, { gpu, signal }));
    expect(isReckonError(error, 'aborted')).toBe(true);
    expect((error.cause as Error).message).toBe('changed my mind');
    expect(source.opened).toHaveLength(0);
    expect(devices).toHaveLength(0);
  });

  it.each(['configuration', 'weights', 'kernels'] as const)(
    'in the phase "%s" leaves nothing behind',
    async (phase) => {
      const { gpu, open } = await watchedGpu();
      const controller = new AbortController();
      const source = memorySource(await changed(() => {}), { chunk: 1 << 16 });
      const onProgress = (progress: LoadProgress) => {
        if (progress.phase === phase) controller.abort();
      };
      const error = await errorOf(() => loadFrom(source, { gpu, signal: controller.signal, onProgress }));
      expect(isReckonError(error, 'aborted')).toBe(true);
      expect(await open()).toBe(0);
      const weights = source.opened.filter(({ path, end }) => path.endsWith('.safetensors') && end > 1 << 16);
      expect(weights.every(({ cancelled, bytesGiven, start, end }) => cancelled || bytesGiven === end - start)).toBe(
        true,
      );
    },
  );
});

describe('a load', () => {
  it('tells how far it is, and frees everything when the model is disposed', async () => {
    const { gpu, open } = await watchedGpu();
    const seen: LoadProgress[] = [];
    const model = await loadModel(pathToFileURL(PROTO), { gpu, maxLanes: 2, onProgress: (item) => seen.push(item) });
    const phases = [...new Set(seen.map(({ phase }) => phase))];
    expect(phases).toEqual(['configuration', 'weights', 'kernels', 'ready']);
    const weights = seen.filter(({ phase }) => phase === 'weights');
    for (let i = 1; i < weights.length; i++) expect(weights[i]!.loaded).toBeGreaterThan(weights[i - 1]!.loaded);
    expect(seen.at(-1)).toEqual({ phase: 'ready', loaded: seen.at(-1)!.total, total: 798_336 * 2 });
    expect(model.info).toMatchObject({
      name: 'proto',
      architecture: 'Qwen3ForCausalLM',
      parameters: 798_336,
      layers: 4,
      vocabulary: 80,
      maxContext: 1024,
      precision: { weights: 'f16', kv: 'f16' },
    });
    expect(model.info.capacity.freePages).toBe(model.info.capacity.totalPages);
    expect(await open()).toBe(1);
    model.dispose();
    model.dispose();
    expect(await open()).toBe(0);
    expect(isReckonError(await errorOf(() => model.reason({ prompt: 'Hello' }).result), 'device-lost')).toBe(true);
  });

  it('refuses messages without a chat template, and takes a prompt as it is; its weights quantised on the way', async () => {
    const files = await changed((all) => editJson(all, 'tokenizer_config.json', (json) => delete json.chat_template));
    const folder = mkdtempSync(join(tmpdir(), 'reckon-base-'));
    try {
      for (const [name, data] of Object.entries(files)) writeFileSync(join(folder, name), data);
      const model = await loadModel(folder, { gpu: await testGpu(), maxLanes: 1, quantize: '8bit' });
      expect(model.info.precision).toEqual({ weights: 'int8', kv: 'f16' });
      expect(model.info.weightBytes).toBeLessThan(798_336 * 1.1);
      const talk = model.reason({
        messages: [
          { role: 'system', content: 'Use' },
          { role: 'user', content: 'Use' },
        ],
      });
      expect(isReckonError(await errorOf(() => talk.result), 'bad-tokenizer')).toBe(true);
      const { usage } = await model.reason({
        prompt: 'Use 3 5 7 to make 22.',
        strategy: { name: 'chain-of-thought' },
        thinking: { maxTokens: 1 },
        answer: { maxTokens: 1 },
      }).result;
      expect(usage.promptTokens).toBe(model.engine.encode('Use 3 5 7 to make 22.').length);
      model.dispose();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
