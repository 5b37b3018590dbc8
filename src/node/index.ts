export { type NodeGpu, type NodeGpuOptions, openNodeGpu } from './gpu.ts';
