/** `reckon device`: which GPU there is, and what it sustains. */
import { calibrate } from '../cost/calibrate.ts';
import { openGpu } from '../gpu/index.ts';
import { openNodeGpu } from '../node/gpu.ts';
import { readOptions } from './options.ts';
import { formatBytes, formatCount } from './terminal.ts';

const HELP = `usage: reckon device [options]

  --driver D    auto | system | software
  --json        one JSON document on stdout
`;

export async function device(args: string[]): Promise<void> {
  const options = readOptions(args, {
    driver: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  });
  if (options.flag('help')) {
    process.stdout.write(HELP);
    return;
  }
  const { gpu: api, driver } = await openNodeGpu({
    driver: options.oneOf('driver', ['auto', 'system', 'software']) ?? 'auto',
  });
  const gpu = await openGpu({ gpu: api });
  try {
    const calibration = await calibrate(gpu);
    const { profile } = gpu;
    if (options.flag('json')) {
      process.stdout.write(`${JSON.stringify({ ...profile, driver, calibration }, null, 2)}\n`);
      return;
    }
    const { flops32, flops16, bandwidth, dispatchSeconds, intensity, seconds } = calibration;
    const features = Object.entries(profile.features).flatMap(([name, there]) => (there ? [name] : []));
    process.stdout.write(
      [
        `${profile.name}${profile.software ? ' — the CPU computes' : ''}`,
        `driver      ${driver}`,
        `features    ${features.join(', ') || 'none of f16, subgroups'}`,
        `buffers     up to ${formatBytes(profile.limits.maxBufferSize)}, ${formatBytes(profile.limits.maxStorageBufferBindingSize)} in one binding`,
        `f32         ${formatCount(flops32)}FLOP/s`,
        `f16         ${flops16 === null ? 'not in shaders here' : `${formatCount(flops16)}FLOP/s`}`,
        `memory      ${formatBytes(bandwidth)}/s read`,
        `dispatch    ${(dispatchSeconds * 1e6).toFixed(1)} µs each`,
        `intensity   ${intensity.toFixed(1)} FLOP per byte`,
        `measured in ${seconds.toFixed(2)} s`,
        '',
      ].join('\n'),
    );
  } finally {
    gpu.close();
  }
}
