/** How large a step may be: from what was asked for and what the device's buffers can hold. */
import type { ModelConfig } from '../checkpoint/config.ts';
import { checkNumber } from '../errors.ts';
import type { DeviceProfile } from '../gpu/index.ts';
import { PAGE_SIZE, SPLIT_PAGES, type StepLimits } from '../kernels/step.ts';

export interface StepSizes {
  /** Lanes in one step. */
  maxLanes: number;
  /** Longest lane, tokens. */
  maxContext: number;
  /** Prompt tokens fed in one step beside the lanes that decode. */
  prefillRows?: number;
}

/** Memory spent on logits and on partial attention results, each, unless a single row or lane needs more. */
const SCRATCH_BYTES = 64 * 2 ** 20;
/** Words of the lists of selections, and of the scores they choose by, unless a single row needs more. */
const SELECTION_WORDS = 4 * 2 ** 20;
/** A software driver computes a row in milliseconds: short steps keep it answering. */
const PREFILL_ROWS = { gpu: 256, cpu: 64 };

/** @throws ReckonError `bad-option` for sizes that are not positive whole numbers. */
export function stepLimits(
  profile: Pick<DeviceProfile, 'tuning'> & { limits: Pick<DeviceProfile['limits'], 'maxStorageBufferBindingSize'> },
  config: Pick<ModelConfig, 'heads' | 'kvHeads' | 'headDim' | 'vocabSize'>,
  sizes: StepSizes,
): StepLimits {
  const slots = checkNumber('maxLanes', sizes.maxLanes, { min: 1, max: 256, integer: true });
  const maxContext = checkNumber('maxContext', sizes.maxContext, { min: 2, integer: true });
  const prefillRows = checkNumber('prefillRows', sizes.prefillRows ?? PREFILL_ROWS[profile.tuning], {
    min: 1,
    max: 4096,
    integer: true,
  });
  const splits = Math.ceil(maxContext / (SPLIT_PAGES * PAGE_SIZE));
  const partialBytes = config.heads * (config.headDim + 4) * 4;
  const maxItems = Math.max(splits, Math.min(slots * splits, Math.floor(SCRATCH_BYTES / partialBytes)));
  // Rows of a step that choose blocks of 16 tokens with all their context as candidates, some 8 a lane: those beyond wait.
  // One that chooses tokens must fit.
  const pages = Math.ceil(maxContext / PAGE_SIZE);
  const { kvHeads } = config;
  const selections = Math.max(kvHeads * maxContext, Math.min(kvHeads * 8 * slots * pages, SELECTION_WORDS));
  // One row beyond those of lanes that decode, or a lane that scores could wait for as long as they do.
  const rowBytes = config.vocabSize * 4;
  const logitBudget = Math.min(
    Math.max(SCRATCH_BYTES, (slots + 1) * rowBytes),
    profile.limits.maxStorageBufferBindingSize,
  );
  const maxLogitRows = Math.max(1, Math.min(slots + prefillRows, Math.floor(logitBudget / rowBytes)));
  return {
    maxRows: slots + prefillRows,
    maxItems,
    maxLogitRows,
    maxSamples: slots + Math.max(256, maxLogitRows),
    slots,
    maxPagesPerLane: Math.ceil(maxContext / PAGE_SIZE),
    maxListEntries: selections,
    maxScores: selections,
  };
}
