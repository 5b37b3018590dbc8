/**
 * The GPU that tests run on: one for each test process, a software driver wherever there is no other. Compiling an
 * engine's kernels takes such a driver seconds, and Dawn compiles a kernel once a device: so tests share devices.
 */
import { type NodeGpu, openNodeGpu } from '../../src/node/gpu.ts';

let opened: Promise<NodeGpu> | undefined;

function open(): Promise<NodeGpu> {
  const asked = process.env.RECKON_TEST_DRIVER;
  opened ??= openNodeGpu({ driver: asked === 'system' || asked === 'software' ? asked : 'auto' });
  return opened;
}

/**
 * WebGPU for a test. Whoever asks it for a device of the same features and limits gets the same device, which outlives
 * all of them: to destroy it does nothing. Buffers are their makers' to free, as `Gpu.close` does.
 * `RECKON_TEST_DRIVER` (`system` or `software`) overrules the choice of the driver.
 * Throws, with what to install, where there is no driver: a GPU test fails then, it is never skipped.
 */
export async function testGpu(): Promise<GPU> {
  const { gpu } = await open();
  const requestAdapter: GPU['requestAdapter'] = async (options) => {
    const adapter = await gpu.requestAdapter(options);
    return adapter && lending(adapter);
  };
  return { requestAdapter } as GPU;
}

/** WebGPU whose devices are the test's own: to lose them, to make them fail, or to see that they are destroyed. */
export async function ownGpu(): Promise<GPU> {
  return (await open()).gpu;
}

const lent = new Map<string, Promise<GPUDevice>>();

/** The adapter, with devices that are made once. */
function lending(adapter: GPUAdapter): GPUAdapter {
  const make = adapter.requestDevice.bind(adapter);
  const requestDevice: GPUAdapter['requestDevice'] = (descriptor) => {
    const key = JSON.stringify([[...(descriptor?.requiredFeatures ?? [])].sort(), descriptor?.requiredLimits]);
    let device = lent.get(key);
    if (!device) {
      device = make(descriptor).then((made) => Object.defineProperty(made, 'destroy', { value: () => {} }));
      lent.set(key, device);
    }
    return device;
  };
  return Object.defineProperty(adapter, 'requestDevice', { value: requestDevice });
}

/** True when the CPU computes, so that a test can choose a smaller case (never another verdict). */
export async function testGpuIsSoftware(): Promise<boolean> {
  return (await open()).software;
}

/** What runs the kernels, for messages. */
export async function testGpuName(): Promise<string> {
  return (await open()).driver;
}
