import { describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { openNodeGpu } from '../../src/node/gpu.ts';
import { ownGpu, testGpuName } from '../support/gpu.ts';

const DOUBLE = `
@group(0) @binding(0) var<storage, read_write> data: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < arrayLength(&data)) { data[id.x] = data[id.x] * 2u; }
}`;

describe('openNodeGpu', () => {
  it('opens a driver that computes', async () => {
    const adapter = await (await ownGpu()).requestAdapter();
    const device = (await adapter!.requestDevice())!;
    const input = Uint32Array.from({ length: 100 }, (_, i) => i * i);
    const data = device.createBuffer({
      size: input.byteLength,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    });
    device.queue.writeBuffer(data, 0, input);
    const pipeline = await device.createComputePipelineAsync({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code: DOUBLE }) },
    });
    const staging = device.createBuffer({
      size: input.byteLength,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(
      0,
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: [{ binding: 0, resource: { buffer: data } }],
      }),
    );
    pass.dispatchWorkgroups(2);
    pass.end();
    encoder.copyBufferToBuffer(data, 0, staging, 0, input.byteLength);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const output = [...new Uint32Array(staging.getMappedRange())];
    device.destroy();
    expect(output).toEqual([...input].map((x) => x * 2));
  });

  it('says which driver it is', async () => {
    expect(await testGpuName()).toMatch(/\((software|GPU), .+\)$/);
  });

  it('is not misled by its own earlier choice', async () => {
    const first = await openNodeGpu();
    const second = await openNodeGpu();
    expect(second.driver).toBe(first.driver);
    expect(second.driver).not.toContain('VK_');
  });

  it('says what was tried and what to do when the chosen driver does not exist', async () => {
    const before = process.env.VK_DRIVER_FILES;
    const beforeIcd = process.env.VK_ICD_FILENAMES;
    process.env.VK_DRIVER_FILES = process.env.VK_ICD_FILENAMES = '/nowhere/driver.json';
    try {
      const error = await openNodeGpu().then(
        () => null,
        (reason: unknown) => reason,
      );
      // Off Linux there is no Vulkan loader to mislead.
      if (process.platform !== 'linux') return;
      expect(isReckonError(error, 'no-adapter')).toBe(true);
      expect(String(error)).toContain('/nowhere/driver.json');
      expect(String(error)).toContain('Unset VK_DRIVER_FILES');
    } finally {
      restore('VK_DRIVER_FILES', before);
      restore('VK_ICD_FILENAMES', beforeIcd);
    }
  });
});

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}
