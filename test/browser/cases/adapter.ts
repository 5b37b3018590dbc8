/** Runs in a page: what the browser's WebGPU is, and whether its f16 computes. */

export interface AdapterReport {
  name: string;
  features: string[];
}

export async function adapterReport(): Promise<AdapterReport> {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error('This browser offers no WebGPU adapter.');
  const { vendor, architecture, description } = adapter.info;
  return { name: [vendor, architecture, description].join(' '), features: [...adapter.features].sort() };
}

const CODE = `enable f16;
@group(0) @binding(0) var<storage, read_write> data: array<f16>;
@compute @workgroup_size(32) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  data[id.x] = data[id.x] * f16(0.1) + f16(1.0);
}`;

/** x · 0.1 + 1 over f16 numbers, given and returned as their bit patterns; a multiple of 32 of them. */
export async function scaleInF16(bits: number[]): Promise<number[]> {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error('This browser offers no WebGPU adapter.');
  const device = await adapter.requestDevice({ requiredFeatures: ['shader-f16'] });
  const input = new Uint16Array(bits);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const data = device.createBuffer({ size: input.byteLength, usage });
  const staging = device.createBuffer({
    size: input.byteLength,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  device.queue.writeBuffer(data, 0, input);
  const module = device.createShaderModule({ code: CODE });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer: data } }],
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(input.length / 32);
  pass.end();
  encoder.copyBufferToBuffer(data, 0, staging, 0, input.byteLength);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const output = [...new Uint16Array(staging.getMappedRange())];
  device.destroy();
  return output;
}

export function failOnPurpose(): never {
  throw new RangeError('on purpose');
}
