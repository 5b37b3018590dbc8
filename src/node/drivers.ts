/**
 * Where a Vulkan driver may be on this machine. Pure search: nothing is loaded and no environment is changed here, so
 * that it can be tested against any file system.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** What the search asks of its host. */
export interface Host {
  /** As `process.platform` has it. */
  platform: string;
  env: Readonly<Record<string, string | undefined>>;
  exists(path: string): boolean;
  /** File names in a folder; empty when there is none. */
  list(folder: string): string[];
  /** Lines a command prints; empty when it is missing or fails. */
  lines(command: string, ...args: string[]): string[];
}

export const thisHost: Host = {
  platform: process.platform,
  env: process.env,
  exists: existsSync,
  list(folder) {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  },
  lines(command, ...args) {
    try {
      const text = execFileSync(command, args, {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: 5000,
      });
      return text.split('\n').filter((line) => line !== '');
    } catch {
      return [];
    }
  },
};

/** A driver to try: its name for people, and the Vulkan manifest that selects it (none: the loader's own choice). */
export interface DriverCandidate {
  name: string;
  manifest?: string;
}

/** The variables by which a person chooses a Vulkan driver; where one is set, it is the only candidate. */
export const DRIVER_VARIABLES = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const;

/** Folders of Vulkan manifests that the loader searches, and one that container runtimes mount NVIDIA's into. */
const MANIFEST_FOLDERS = [
  '/usr/share/vulkan/icd.d',
  '/usr/local/share/vulkan/icd.d',
  '/etc/vulkan/icd.d',
  '/usr/local/nvidia/share/vulkan/icd.d',
];

/** SwiftShader is shipped beside these browsers' executables. */
const BROWSER_FOLDERS = [
  '/usr/lib/chromium',
  '/usr/lib64/chromium-browser',
  '/usr/lib/chromium-browser',
  '/opt/google/chrome',
  '/opt/google/chrome-beta',
  '/opt/chromium.org/chromium',
  '/opt/microsoft/msedge',
  '/opt/brave.com/brave',
  '/snap/chromium/current/usr/lib/chromium-browser',
];

const SWIFTSHADER = 'vk_swiftshader_icd.json';

/** The manifest that the user's environment names, if any. */
export function chosenByUser(host: Host = thisHost): { variable: string; value: string } | null {
  for (const variable of DRIVER_VARIABLES) {
    const value = host.env[variable];
    if (value) return { variable, value };
  }
  return null;
}

/** True when this machine shows a GPU to programs. Off Linux there is no cheap way to know, so: true. */
export function hasGpuNode(host: Host = thisHost): boolean {
  if (host.platform !== 'linux') return true;
  if (host.exists('/dev/nvidiactl') || host.exists('/dev/dxg') || host.exists('/dev/kfd')) return true;
  return host.list('/dev/dri').some((name) => name.startsWith('renderD'));
}

/** Drivers of real GPUs, best first: the loader's own choice, then manifests it may not look at. */
export function systemDrivers(host: Host = thisHost): DriverCandidate[] {
  const candidates: DriverCandidate[] = [{ name: 'system' }];
  if (host.platform !== 'linux') return candidates;
  const nvidia = '/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json';
  if (host.exists(nvidia)) candidates.push({ name: 'nvidia', manifest: nvidia });
  return candidates;
}

/** Software drivers on this machine, best first. SwiftShader before lavapipe: Dawn refuses lavapipe before Mesa 23. */
export function softwareDrivers(host: Host = thisHost): DriverCandidate[] {
  if (host.platform !== 'linux') return [];
  const swiftshader = new Set<string>();
  for (const folder of BROWSER_FOLDERS) {
    const path = join(folder, SWIFTSHADER);
    if (host.exists(path)) swiftshader.add(path);
  }
  if (swiftshader.size === 0) {
    for (const line of host.lines('dpkg', '-L', 'chromium', 'chromium-common')) {
      if (basename(line) === SWIFTSHADER) swiftshader.add(line);
    }
  }
  if (swiftshader.size === 0) for (const path of besideBrowsersOnPath(host)) swiftshader.add(path);

  const lavapipe: string[] = [];
  for (const folder of MANIFEST_FOLDERS) {
    for (const name of host.list(folder)) if (/^lvp_icd\b.*\.json$/.test(name)) lavapipe.push(join(folder, name));
  }
  return [
    ...[...swiftshader].map((manifest) => ({ name: 'SwiftShader', manifest })),
    ...lavapipe.map((manifest) => ({ name: 'lavapipe', manifest })),
  ];
}

function besideBrowsersOnPath(host: Host): string[] {
  const found: string[] = [];
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge']) {
    for (const folder of (host.env.PATH ?? '').split(':')) {
      const executable = join(folder, name);
      if (!host.exists(executable)) continue;
      const [real] = host.lines('readlink', '-f', executable);
      const manifest = join(dirname(real ?? executable), SWIFTSHADER);
      if (host.exists(manifest)) found.push(manifest);
    }
  }
  return found;
}
