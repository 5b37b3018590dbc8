/** Opens the adapter and the device with the features and limits that are there; nothing is assumed. */
import { ReckonError } from '../errors.ts';
import { Gpu } from './gpu.ts';
import { type DeviceProfile, describeDevice } from './profile.ts';

export interface OpenGpuOptions {
  /** Where WebGPU comes from. Default: `navigator.gpu`; in Node, what `openNodeGpu` returns. */
  gpu?: GPU | undefined;
  powerPreference?: GPUPowerPreference;
  /** Ask for GPU timestamps. Off by default: on some drivers the mere request slows every pass. */
  timestamps?: boolean;
  /** Leave features out, to run as a lesser GPU would (tests, comparisons). */
  without?: readonly ('f16' | 'subgroups')[];
  /** `default`: leave all limits at what every WebGPU device has, likewise. Default: the adapter's own. */
  limits?: 'adapter' | 'default';
  /** What to choose kernels for, if not for what the adapter is: on a software driver, `gpu` tests a GPU's kernels. */
  tuning?: DeviceProfile['tuning'];
}

const NO_WEBGPU_HINT =
  'Use a current Chrome, Edge, Firefox or Safari with WebGPU switched on, over https or localhost; ' +
  'in Node, pass a GPU (openNodeGpu finds one).';

/**
 * Opens a GPU.
 * @throws ReckonError `no-webgpu` where the host has none; `no-adapter` where it has no usable GPU or driver.
 */
export async function openGpu(options: OpenGpuOptions = {}): Promise<Gpu> {
  const api = options.gpu ?? (globalThis.navigator as Navigator | undefined)?.gpu;
  if (!api) throw new ReckonError('no-webgpu', 'This environment has no WebGPU.', { hint: NO_WEBGPU_HINT });

  const adapter = await api
    .requestAdapter({ powerPreference: options.powerPreference ?? 'high-performance' })
    .catch((cause: unknown) => {
      throw new ReckonError('no-adapter', `Asking for a GPU adapter failed: ${String(cause)}.`, { cause });
    });
  if (!adapter) {
    throw new ReckonError('no-adapter', 'WebGPU is there, but it offers no GPU adapter.', {
      hint: 'Check that hardware acceleration is on in the browser and that the graphics driver is current (chrome://gpu, about:support).',
    });
  }

  const wanted: GPUFeatureName[] = [];
  const want = (name: string) => {
    if (adapter.features.has(name as GPUFeatureName)) wanted.push(name as GPUFeatureName);
  };
  if (!options.without?.includes('f16')) want('shader-f16');
  if (!options.without?.includes('subgroups')) want('subgroups');
  if (options.timestamps) want('timestamp-query');

  const { limits } = adapter;
  const device = await adapter
    .requestDevice({
      label: 'reckon',
      requiredFeatures: wanted,
      requiredLimits:
        options.limits === 'default'
          ? {}
          : {
              maxBufferSize: limits.maxBufferSize,
              maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
              maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
              maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
              maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
              maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
            },
    })
    .catch((cause: unknown) => {
      throw new ReckonError('no-adapter', `The GPU adapter refused a device: ${String(cause)}.`, {
        hint: 'Close other pages that use the GPU, or restart the browser, then try again.',
        cause,
      });
    });
  return new Gpu(device, describeDevice(adapter, device, options.tuning));
}
