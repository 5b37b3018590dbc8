export { type BindingResource, Gpu, USAGE } from './gpu.ts';
export type { BindingKind, Kernel, KernelSpec } from './kernel.ts';
export { type OpenGpuOptions, openGpu } from './open.ts';
export type { DeviceProfile } from './profile.ts';
export { ReadbackRing, type ReadbackSlot } from './readback.ts';
export { type Grid, Recorder } from './recorder.ts';
