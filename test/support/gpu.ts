/** The GPU that tests run on: one for each test process, a software driver wherever there is no other. */
import { type NodeGpu, openNodeGpu } from '../../src/node/gpu.ts';

let opened: Promise<NodeGpu> | undefined;

function open(): Promise<NodeGpu> {
  const asked = process.env.RECKON_TEST_DRIVER;
  opened ??= openNodeGpu({ driver: asked === 'system' || asked === 'software' ? asked : 'auto' });
  return opened;
}

/**
 * WebGPU for a test, opened once a process. `RECKON_TEST_DRIVER` (`system` or `software`) overrules the choice.
 * Throws, with what to install, where there is no driver: a GPU test fails then, it is never skipped.
 */
export async function testGpu(): Promise<GPU> {
  return (await open()).gpu;
}

/** True when the CPU computes, so that a test can choose a smaller case (never another verdict). */
export async function testGpuIsSoftware(): Promise<boolean> {
  return (await open()).software;
}

/** What runs the kernels, for messages. */
export async function testGpuName(): Promise<string> {
  return (await open()).driver;
}
