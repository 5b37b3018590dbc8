/** A checkpoint by its headers, as choosing it needs it. */
import { type CheckpointDescription, type CheckpointSource, describeCheckpoint } from '../checkpoint/index.ts';
import { type ModelShape, shapeOf, type WeightPrecision } from '../cost/shapes.ts';

export interface DescribedModel
  extends Pick<
    CheckpointDescription,
    'name' | 'architecture' | 'format' | 'quantization' | 'weightBytes' | 'loadedBytes'
  > {
  readonly shape: ModelShape;
  /** How its weights will lie in GPU memory unless somebody asks otherwise. */
  readonly loaded: WeightPrecision;
}

/** @throws ReckonError `bad-checkpoint`, `unknown-architecture`, `network`, `aborted` … */
export async function describeModel(
  source: CheckpointSource,
  signal: AbortSignal | undefined,
): Promise<DescribedModel> {
  const { config, encodings, name, ...description } = await describeCheckpoint(source, signal ? { signal } : {});
  const bits = [...encodings.values()].flatMap((encoding) => (encoding.kind === 'quantized' ? [encoding.bits] : []));
  const loaded = bits.length === 0 ? 'f16' : bits.includes(4) ? 'int4' : 'int8';
  const { architecture, format, quantization, weightBytes, loadedBytes } = description;
  return { name, architecture, format, quantization, weightBytes, loadedBytes, shape: shapeOf(config, name), loaded };
}
