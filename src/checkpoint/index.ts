/** The checkpoint room's door, for browser and Node alike; `node.ts` has what only Node can do. */
export {
  isMoeLayer,
  KNOWN_ARCHITECTURES,
  type ModelConfig,
  type MoeConfig,
  modelConfigJson,
  parseModelConfig,
} from './config.ts';
export { type CheckpointDescription, describeCheckpoint } from './describe.ts';
export type { DownloadSettings } from './download/download.ts';
export { filesSource } from './files-source.ts';
export { type GenerationDefaults, parseGenerationDefaults } from './generation.ts';
export {
  DEFAULT_HUB,
  isRepositoryName,
  type ModelOrigin,
  modelOrigin,
  originName,
  parseModelName,
  type RepositoryReference,
} from './hub/reference.ts';
export { type OpenCheckpoint, openCheckpoint, openWeights } from './open.ts';
export {
  commonEncoding,
  dequantize,
  type FloatEncoding,
  type GroupValues,
  type MatrixEncoding,
  promote,
  type QuantizedChunk,
  type QuantizedEncoding,
  type WeightChunk,
} from './quantized.ts';
export { type ConfigFile, readGenerationDefaults, readModelConfig } from './read.ts';
export type { RopeScaling } from './rope-scaling.ts';
export { type SafetensorsHeader, type TensorInfo, weightDType } from './safetensors.ts';
export { MODEL_SHAPES, modelShape, type ShapeName } from './shapes.ts';
export { type CheckpointTensors, readTensorIndex } from './shards.ts';
export { type CheckpointSource, isMissingFile, type ReadOptions } from './source.ts';
export { browserDisk } from './store/opfs.ts';
export { type ModelName, ModelStore } from './store/store.ts';
export type { DownloadOptions, DownloadProgress, StorageSpace, StoredFile, StoredModel } from './store/types.ts';
export { type LoadProgress, type StreamOptions, streamTensors, type TensorChunk } from './stream.ts';
export { type SyntheticOptions, syntheticSource } from './synthetic.ts';
export { type ExpectedTensor, expectedTensors, parameterCount } from './tensors.ts';
export { repositorySource, type UrlSourceOptions, urlSource } from './url-source.ts';
export type { CheckpointFormat, WeightIndex } from './weight-index.ts';
