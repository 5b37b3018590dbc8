/** Rotary frequencies of a model, stretched as its config says. Sources: transformers' `modeling_rope_utils.py`; the papers named. */
import type { ModelConfig, RopeScaling } from '../checkpoint/index.ts';
import type { Rotation } from '../kernels/rope.ts';

type RopeConfig = Pick<ModelConfig, 'headDim' | 'rotaryDim' | 'ropeTheta' | 'ropeScaling'>;

/**
 * How each pair of a head turns, in float64. Heads that are rotated in part have their rotated pairs first; the others turn by
 * nothing (see `headRuns`, which places them so).
 * @param maxContext Longest lane of the engine: longrope has one list of factors up to the original context, another beyond.
 */
export function rotationOf(config: RopeConfig, maxContext: number): Rotation {
  const { headDim, rotaryDim, ropeTheta, ropeScaling } = config;
  const plain = Array.from({ length: rotaryDim / 2 }, (_, i) => ropeTheta ** ((-2 * i) / rotaryDim));
  const turned = ropeScaling ? scaled(plain, ropeScaling, { rotaryDim, ropeTheta, maxContext }) : plain;
  const magnitude = ropeScaling && 'attentionFactor' in ropeScaling ? ropeScaling.attentionFactor : 1;
  const still = headDim / 2 - turned.length;
  return {
    frequencies: [...turned, ...new Array<number>(still).fill(0)],
    magnitudes: [...new Array<number>(turned.length).fill(magnitude), ...new Array<number>(still).fill(1)],
  };
}

function scaled(
  plain: readonly number[],
  scaling: RopeScaling,
  { rotaryDim, ropeTheta, maxContext }: { rotaryDim: number; ropeTheta: number; maxContext: number },
): number[] {
  switch (scaling.type) {
    case 'linear':
      return plain.map((frequency) => frequency / scaling.factor);
    case 'llama3': {
      // Llama 3.1: by how often a pair turns within the original context.
      const { factor, lowFreqFactor, highFreqFactor, originalMaxContext } = scaling;
      return plain.map((frequency) => {
        const turns = (originalMaxContext * frequency) / (2 * Math.PI);
        const kept = clamp((turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor));
        return frequency * (kept + (1 - kept) / factor);
      });
    }
    case 'yarn': {
      // YaRN, https://arxiv.org/abs/2309.00071: the pair that turns `turns` times within the original context.
      const { factor, originalMaxContext, betaFast, betaSlow, truncate } = scaling;
      const pairTurning = (turns: number) =>
        (rotaryDim * Math.log(originalMaxContext / (turns * 2 * Math.PI))) / (2 * Math.log(ropeTheta));
      const [from, to] = [pairTurning(betaFast), pairTurning(betaSlow)];
      const low = Math.max(0, truncate ? Math.floor(from) : from);
      const high = Math.min(rotaryDim - 1, truncate ? Math.ceil(to) : to);
      const width = high === low ? 0.001 : high - low;
      return plain.map((frequency, i) => {
        const stretched = clamp((i - low) / width);
        return (frequency / factor) * stretched + frequency * (1 - stretched);
      });
    }
    case 'longrope': {
      // LongRoPE, https://arxiv.org/abs/2402.13753
      const { shortFactors, longFactors, originalMaxContext } = scaling;
      const factors = maxContext > originalMaxContext ? longFactors : shortFactors;
      return plain.map((frequency, i) => frequency / factors[i]!);
    }
  }
}

const clamp = (x: number) => Math.min(1, Math.max(0, x));
