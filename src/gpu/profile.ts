/** Who the GPU is and what it can do, as plain data. */
export interface DeviceProfile {
  /** For people, e.g. "NVIDIA H200", "SwiftShader (software)". */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  /** True for drivers that run on the CPU: correct, and no measure of a GPU. */
  readonly software: boolean;
  /** What kernels are chosen for: a GPU's many threads, or the few wide ones of a CPU, where barriers are dear. */
  readonly tuning: 'gpu' | 'cpu';
  readonly features: { readonly f16: boolean; readonly subgroups: boolean; readonly timestamps: boolean };
  /** Limits the device was opened with, in bytes and counts: the adapter's own. */
  readonly limits: {
    readonly maxBufferSize: number;
    readonly maxStorageBufferBindingSize: number;
    readonly maxComputeWorkgroupStorageSize: number;
    readonly maxComputeInvocationsPerWorkgroup: number;
    readonly maxComputeWorkgroupsPerDimension: number;
  };
}

/** Adapters that are a CPU in disguise, by what their drivers call themselves. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|warp/i;

/** The adapter as it would be with a device that asks for all it has. */
export function describeAdapter(adapter: GPUAdapter): DeviceProfile {
  return describeDevice(adapter, adapter);
}

export function describeDevice(
  adapter: GPUAdapter,
  device: Pick<GPUDevice, 'limits' | 'features'>,
  tuning?: DeviceProfile['tuning'],
): DeviceProfile {
  const { vendor, architecture, description, device: deviceName } = adapter.info;
  const words = [vendor, architecture, deviceName, description].join(' ');
  const fallback = (adapter.info as { isFallbackAdapter?: boolean }).isFallbackAdapter === true;
  const software = fallback || SOFTWARE.test(words);
  const base = description || deviceName || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed GPU';
  const { limits } = device;
  return {
    name: software && !/software/i.test(base) ? `${base} (software)` : base,
    vendor,
    architecture,
    software,
    tuning: tuning ?? (software ? 'cpu' : 'gpu'),
    features: {
      f16: device.features.has('shader-f16'),
      subgroups: device.features.has('subgroups' as GPUFeatureName),
      timestamps: device.features.has('timestamp-query'),
    },
    limits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    },
  };
}
