/** What only Node has: a GPU without a browser, and the embedded models' folders. */
export { type NodeGpu, type NodeGpuOptions, openNodeGpu } from './gpu.ts';
export { embeddedModel } from './models.ts';
