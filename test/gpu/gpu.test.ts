/** The open device: limits told before they are hit, objections turned into typed errors. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { typedGpuError } from '../../src/gpu/gpu.ts';
import { type Gpu, openGpu, ReadbackRing, Recorder } from '../../src/gpu/index.ts';
import { errorCode } from '../engine/rig.ts';
import { ownGpu, testGpu } from '../support/gpu.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await ownGpu() });
});
afterAll(() => gpu.close());

describe('opening', () => {
  it('says plainly that there is no WebGPU, no adapter, or no device', async () => {
    const adapter = (requestDevice: () => Promise<GPUDevice>) =>
      ({ features: new Set(), limits: {}, info: {}, requestDevice }) as unknown as GPUAdapter;
    const api = (requestAdapter: () => Promise<GPUAdapter | null>) => ({ requestAdapter }) as unknown as GPU;
    const refuse = () => Promise.reject(new Error('no'));
    expect(await errorCode(() => openGpu({ gpu: api(async () => null) }))).toBe('no-adapter');
    expect(await errorCode(() => openGpu({ gpu: api(refuse) }))).toBe('no-adapter');
    expect(await errorCode(() => openGpu({ gpu: api(async () => adapter(refuse)) }))).toBe('no-adapter');
  });

  it('raises the limits to the adapter’s', async () => {
    const adapter = await (await ownGpu()).requestAdapter();
    expect(gpu.profile.limits.maxStorageBufferBindingSize).toBe(adapter!.limits.maxStorageBufferBindingSize);
    expect(gpu.profile.limits.maxBufferSize).toBe(adapter!.limits.maxBufferSize);
  });
});

describe('buffers', () => {
  it('are counted, and freed once', () => {
    const before = gpu.allocatedBytes;
    const buffer = gpu.buffer('test', 1000);
    expect(gpu.allocatedBytes - before).toBe(1008);
    gpu.free(buffer);
    gpu.free(buffer);
    expect(gpu.allocatedBytes).toBe(before);
  });

  it('over the limit are refused with the sizes, before the GPU is asked', async () => {
    const { maxStorageBufferBindingSize } = gpu.profile.limits;
    expect(() => gpu.buffer('weights of layer 3', maxStorageBufferBindingSize + 16)).toThrow(
      /weights of layer 3 needs .* MiB in one piece; this GPU allows/,
    );
    expect(await errorCode(() => gpu.buffer('x', maxStorageBufferBindingSize + 16))).toBe('limit-exceeded');
  });
});

describe('guarded work', () => {
  const invalid = () => void gpu.device.createBuffer({ size: 16, usage: 0x01 | 0x80 });

  it('turns what the GPU objects to into a typed error, and nothing else', async () => {
    expect(await gpu.guarded('nothing', () => 7)).toBe(7);
    expect(await errorCode(() => gpu.guarded('a test', invalid))).toBe('gpu-validation');
    await expect(gpu.guarded('a test', invalid)).rejects.toThrow(/rejected a test/);
    await expect(gpu.guarded('a test', () => Promise.reject(new Error('its own')))).rejects.toThrow('its own');
    expect(gpu.failure).toBeNull();
    expect(await gpu.guarded('nothing', () => 8)).toBe(8);
  });

  it('tells running out of memory apart', () => {
    class GPUOutOfMemoryError extends Error {}
    const error = typedGpuError(
      new GPUOutOfMemoryError('full') as unknown as GPUError,
      'the allocation of the weights',
    );
    expect(error.code).toBe('gpu-out-of-memory');
    expect(error.message).toMatch(/out of memory during the allocation of the weights.*smaller model/);
  });
});

describe('kernels', () => {
  const spec = {
    module: 'probe/compute',
    bindings: ['write'],
    conditions: { half: false },
    constants: { ROUNDS: 1 },
  } as const;

  it('are compiled once, and share bind groups where their bindings are alike', async () => {
    const [one, same, other] = await Promise.all([
      gpu.kernel(spec),
      gpu.kernel({ ...spec, conditions: { ...spec.conditions } }),
      gpu.kernel({ ...spec, constants: { ROUNDS: 2 } }),
    ]);
    expect(same).toBe(one);
    expect(other.pipeline).not.toBe(one.pipeline);
    expect(other.layout).toBe(one.layout);
  });

  it('that cannot be made are a typed error each time, not a remembered one', async () => {
    const wrong = { ...spec, module: 'probe/none' };
    const [first, second] = [gpu.kernel(wrong), gpu.kernel(wrong).catch(() => null)];
    expect(await errorCode(() => first)).toBe('internal');
    await second;
    expect(gpu.kernel(wrong)).not.toBe(first);
    expect(await errorCode(() => gpu.kernel(wrong))).toBe('internal');
  });
});

describe('two on one device', () => {
  it('own their buffers, and one is closed without harm to the other', async () => {
    const api = await testGpu();
    const [one, other] = [await openGpu({ gpu: api }), await openGpu({ gpu: api })];
    expect(other.device).toBe(one.device);
    one.buffer('gone', 64);
    const kept = other.buffer('kept', 64);
    one.close();
    expect([one.allocatedBytes, other.allocatedBytes]).toEqual([0, 64]);
    other.device.queue.writeBuffer(kept, 0, new Uint32Array(16).fill(3));
    const ring = new ReadbackRing(other, 'kept', 1, 64);
    const recorder = new Recorder(other);
    recorder.begin('copy');
    const slot = ring.claim();
    slot.copy(recorder, kept, 0, 64);
    other.device.queue.submit([recorder.finish()]);
    expect(new Uint32Array(await slot.read())[15]).toBe(3);
    expect([one.failure, other.failure]).toEqual([null, null]);
    other.close();
  });
});

describe('a closed or failed device', () => {
  it('refuses everything', async () => {
    const own = await openGpu({ gpu: await ownGpu() });
    own.close();
    own.close();
    expect(await errorCode(() => own.buffer('x', 16))).toBe('device-lost');
    expect(await errorCode(() => own.guarded('x', () => 1))).toBe('device-lost');
    expect(await errorCode(() => new Recorder(own).begin('x'))).toBe('device-lost');
    expect(own.failure).toBeNull();
  });

  it('tells its listeners once, also those that come late', async () => {
    const own = await openGpu({ gpu: await ownGpu() });
    const told: string[] = [];
    own.onFailure(({ code }) => told.push(`early ${code}`));
    const forget = own.onFailure(({ code }) => told.push(`never ${code}`));
    forget();
    own.device.destroy();
    await own.device.lost;
    await new Promise((resolve) => setTimeout(resolve, 20));
    own.onFailure(({ code }) => told.push(`late ${code}`));
    expect(told).toEqual(['early device-lost', 'late device-lost']);
    expect(own.failure?.hint).toMatch(/Load the model again/);
    await expect(own.guarded('x', () => 1)).rejects.toThrow(/was lost/);
    own.close();
  });
});

describe('reading back', () => {
  it('returns what was copied, in any order, and gives places back', async () => {
    const ring = new ReadbackRing(gpu, 'test', 2, 64);
    const recorder = new Recorder(gpu);
    const source = gpu.buffer('source', 64);
    const slots = [1, 2].map((value) => {
      gpu.device.queue.writeBuffer(source, 0, new Uint32Array(16).fill(value));
      const slot = ring.claim();
      recorder.begin('copy');
      slot.copy(recorder, source, 0, 16, 0);
      slot.copy(recorder, source, 0, 16, 32);
      gpu.device.queue.submit([recorder.finish()]);
      return slot;
    });
    expect(ring.available).toBe(0);
    expect(() => ring.claim()).toThrow(/full/);
    const [second, first] = await Promise.all([slots[1]!.read(), slots[0]!.read()]);
    expect([new Uint32Array(first)[8], new Uint32Array(second)[0]]).toEqual([1, 2]);
    expect(first.byteLength).toBe(48);
    expect(ring.available).toBe(2);
    ring.claim().release();
    expect(ring.available).toBe(2);
    gpu.free(source);
  });

  it('refuses grids beyond the limit', async () => {
    const recorder = new Recorder(gpu);
    const kernel = await gpu.kernel({
      module: 'probe/compute',
      bindings: ['write'],
      conditions: { half: false },
      constants: { ROUNDS: 1 },
    });
    recorder.begin('x');
    const out = gpu.buffer('out', 1024);
    const over = gpu.profile.limits.maxComputeWorkgroupsPerDimension + 1;
    expect(() => recorder.dispatch(kernel, gpu.bind(kernel, [out]), [over])).toThrow(/wants a grid/);
    recorder.dispatch(kernel, gpu.bind(kernel, [out]), [0]);
    expect([recorder.dispatches, recorder.passes]).toEqual([0, 0]);
    recorder.finish();
    gpu.free(out);
  });
});
