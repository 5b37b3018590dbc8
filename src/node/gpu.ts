/**
 * WebGPU in Node: Dawn, from the optional npm package `webgpu`, with a driver found on the machine. Everything else in
 * Reckon takes a `GPU` and does not know where it came from.
 */
import { ReckonError } from '../errors.ts';
import {
  chosenByUser,
  DRIVER_VARIABLES,
  type DriverCandidate,
  type Host,
  hasGpuNode,
  softwareDrivers,
  systemDrivers,
  thisHost,
} from './drivers.ts';

export interface NodeGpuOptions {
  /** `auto`: a real GPU if there is one, else software. Default `auto`. */
  driver?: 'auto' | 'system' | 'software';
  /** Switches Dawn's bounds checks off: for benchmarks on software drivers only, never for results that count. */
  unsafeFast?: boolean;
}

export interface NodeGpu {
  gpu: GPU;
  /** What runs the kernels, for people: "SwiftShader driver 5.0.0 (software, SwiftShader)". */
  driver: string;
  /** True when the CPU computes: absolute times mean nothing. */
  software: boolean;
}

const SOFTWARE_NAMES = /swiftshader|llvmpipe|lavapipe|basic render|warp/i;
/** The manifest that this module has put into the environment, if it has. */
let selectedHere: string | null = null;
const KEEP = Symbol.for('reckon.node.gpu');

/**
 * Opens WebGPU in Node. Sets the WebGPU globals (`GPUBufferUsage`, …) on `globalThis`, and on Linux the Vulkan variable
 * that selects the driver; a driver that the user chose by `VK_DRIVER_FILES` or `VK_ICD_FILENAMES` wins.
 *
 * @throws ReckonError `no-webgpu` when the package `webgpu` is missing or does not load here; `no-adapter` when no
 * driver works: the message lists what was tried, the hint what to install.
 */
export async function openNodeGpu(options: NodeGpuOptions = {}): Promise<NodeGpu> {
  const dawn = await loadDawn();
  installGlobals(dawn.globals);
  const flags = options.unsafeFast ? ['enable-dawn-features=allow_unsafe_apis,disable_robustness'] : [];
  // A driver that an earlier call selected is not the user's choice.
  if (selectedHere !== null && process.env[DRIVER_VARIABLES[0]] === selectedHere) unselect();
  const want = options.driver ?? 'auto';
  const candidates = plan(want, thisHost);

  const tried: string[] = [];
  for (const candidate of candidates) {
    const undo = select(candidate);
    const gpu = dawn.create(flags);
    keep(gpu);
    let failure = 'no adapter';
    const adapter = await gpu.requestAdapter(requestFor(want)).catch((error: unknown) => {
      failure = String(error);
      return null;
    });
    const software = adapter !== null && isSoftware(adapter);
    if (adapter && !(want === 'system' && software)) {
      const kind = software ? 'software' : 'GPU';
      return { gpu, driver: `${adapterName(adapter.info)} (${kind}, ${candidate.name})`, software };
    }
    if (adapter) failure = `only ${adapterName(adapter.info)}, a CPU`;
    const place = candidate.manifest === undefined ? candidate.name : `${candidate.name} at ${candidate.manifest}`;
    tried.push(`${place}: ${failure}`);
    undo();
  }
  throw new ReckonError(
    'no-adapter',
    `No ${NEED[want]} found for WebGPU in Node; tried: ${tried.join('; ') || 'nothing, none is installed'}.`,
    {
      hint: installHint(want, thisHost),
      details: { tried, driver: want },
    },
  );
}

type Want = 'auto' | 'system' | 'software';
const NEED: Record<Want, string> = { auto: 'driver was', system: 'real GPU was', software: 'software driver was' };

/** What to try, in order. The first candidate that gives an adapter wins. */
export function plan(want: Want, host: Host): DriverCandidate[] {
  const user = chosenByUser(host);
  if (user) return [{ name: `${user.variable}=${user.value}` }];
  const system = systemDrivers(host);
  // Off Linux the platform's own API has both kinds; a fallback adapter is asked for by flag.
  if (host.platform !== 'linux' || want === 'system') return system;
  const software = softwareDrivers(host);
  if (want === 'software') return software;
  // Without a GPU in sight the loader's own choice is at best a software driver, and a noisy one: it comes last.
  return hasGpuNode(host) ? [...system, ...software] : [...software, ...system];
}

function requestFor(want: Want): GPURequestAdapterOptions {
  if (want === 'software' && process.platform !== 'linux') return { forceFallbackAdapter: true };
  return { powerPreference: 'high-performance' };
}

/** Points the Vulkan loader at the candidate. It reads the variables when Dawn makes its instance. */
function select({ manifest }: DriverCandidate): () => void {
  if (manifest === undefined) return () => {};
  for (const variable of DRIVER_VARIABLES) process.env[variable] = manifest;
  selectedHere = manifest;
  // Mesa's layer that sorts devices has nothing to sort here, and complains on stderr where there is no display.
  process.env.NODEVICE_SELECT ??= '1';
  return unselect;
}

function unselect(): void {
  for (const variable of DRIVER_VARIABLES) delete process.env[variable];
  selectedHere = null;
}

function adapterName(info: GPUAdapterInfo): string {
  return info.description || info.device || [info.vendor, info.architecture].filter(Boolean).join(' ') || 'unnamed';
}

function isSoftware({ info }: GPUAdapter): boolean {
  return (
    info.isFallbackAdapter === true || SOFTWARE_NAMES.test(`${info.architecture} ${info.device} ${info.description}`)
  );
}

interface Dawn {
  create(flags: string[]): GPU;
  globals: Record<string, unknown>;
}

async function loadDawn(): Promise<Dawn> {
  try {
    return (await import('webgpu')) as unknown as Dawn;
  } catch (cause) {
    const missing = (cause as { code?: string }).code === 'ERR_MODULE_NOT_FOUND';
    throw new ReckonError(
      'no-webgpu',
      missing
        ? 'WebGPU in Node needs the package "webgpu", which is not installed.'
        : `The package "webgpu" does not load on this machine (${process.platform} ${process.arch}): ${String(cause)}.`,
      {
        hint: missing
          ? 'Run: npm install webgpu'
          : 'It has builds for Linux (glibc) and Windows on x64 and arm64, and for macOS; reinstall it there.',
        cause,
      },
    );
  }
}

function installGlobals(globals: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) {
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true, enumerable: false });
    }
  }
}

/** Dawn's instance must outlive everything made from it: once collected, the process aborts at some later moment. */
function keep(gpu: GPU): void {
  const store = globalThis as unknown as Record<symbol, GPU[] | undefined>;
  (store[KEEP] ??= []).push(gpu);
}

function installHint(want: Want, host: Host): string {
  if (chosenByUser(host)) return `Unset ${DRIVER_VARIABLES.join(' and ')} to let Reckon look for a driver.`;
  if (host.platform !== 'linux') return 'Update the graphics driver.';
  if (want === 'system')
    return 'Install your GPU vendor\'s Vulkan driver, or use the software driver (driver: "software").';
  return 'On Debian or Ubuntu: sudo apt-get install chromium mesa-vulkan-drivers. Elsewhere: install Chromium or Chrome (it ships SwiftShader) and the Vulkan loader (libvulkan.so.1).';
}
