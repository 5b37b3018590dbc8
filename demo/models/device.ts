/** The GPU that a model would run on, as far as a page can know it. */
import type { ModelInfo } from '../../src/api/types.ts';
import type { FitDevice } from '../../src/catalogue/index.ts';
import { type DeviceProfile, describeAdapter } from '../../src/gpu/profile.ts';

const GIB = 2 ** 30;

/** From the model that is loaded, with what was measured; else from the adapter. Null where there is none. */
export async function pageDevice(info: ModelInfo | null): Promise<FitDevice | null> {
  const profile = info?.device ?? (await adapterHere());
  if (!profile) return null;
  const { name, software, tuning, limits } = profile;
  const { calibration } = info ?? {};
  return {
    name,
    software,
    tuning,
    limits,
    // A CPU in disguise has the computer's memory, of which browsers tell up to 8 GiB.
    memoryBytes: software ? ((navigator as { deviceMemory?: number }).deviceMemory ?? 4) * GIB : undefined,
    figures: calibration && {
      flops: calibration.flops32,
      bandwidth: calibration.bandwidth,
      dispatchSeconds: calibration.dispatchSeconds,
    },
  };
}

async function adapterHere(): Promise<DeviceProfile | null> {
  const { gpu } = navigator as { gpu?: GPU };
  const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  return adapter ? describeAdapter(adapter) : null;
}
