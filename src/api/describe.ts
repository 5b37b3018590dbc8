/** A checkpoint by its headers, as choosing it needs it. */
import { type CheckpointSource, openCheckpoint } from '../checkpoint/index.ts';
import { type ModelShape, shapeOf, type WeightPrecision } from '../cost/shapes.ts';

export interface DescribedCheckpoint {
  readonly name: string;
  readonly architecture: string;
  readonly format: string;
  /** The publisher's name for it ("q4f16_1", "Q4_K"), or the type of floats ("BF16"). */
  readonly quantization: string;
  readonly shape: ModelShape;
  /** Bytes of the weights as they are stored. */
  readonly weightBytes: number;
  /** How they will lie in GPU memory unless somebody asks otherwise. */
  readonly loaded: WeightPrecision;
}

/** @throws ReckonError `bad-checkpoint`, `unknown-architecture`, `network`, `aborted` … */
export async function describeCheckpoint(
  source: CheckpointSource,
  signal: AbortSignal | undefined,
): Promise<DescribedCheckpoint> {
  const { model, weights } = await openCheckpoint(source, signal ? { signal } : {});
  const bits = [...weights.encodings.values()].flatMap((encoding) =>
    encoding.kind === 'quantized' ? [encoding.bits] : [],
  );
  const loaded = bits.length === 0 ? 'f16' : bits.includes(4) ? 'int4' : 'int8';
  return {
    name: source.name,
    architecture: model.architecture,
    format: weights.format,
    quantization: weights.quantization,
    shape: shapeOf(model, source.name),
    weightBytes: weights.bytes,
    loaded,
  };
}
