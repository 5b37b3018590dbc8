/** The GPU that web-llm will use, which it does not tell itself: it asks for the fastest, as this does. */
import { ReckonError } from '../../errors.ts';
import { type DeviceProfile, describeAdapter } from '../../gpu/profile.ts';

/** @throws ReckonError `no-webgpu`, `no-adapter` */
export async function adapterProfile(): Promise<DeviceProfile> {
  const { gpu } = globalThis.navigator ?? {};
  if (!gpu)
    throw new ReckonError('no-webgpu', 'web-llm needs WebGPU, and there is none here.', {
      hint: 'Use a browser that has it.',
    });
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter)
    throw new ReckonError('no-adapter', 'There is no GPU adapter.', { hint: 'Update the graphics driver.' });
  return describeAdapter(adapter);
}
