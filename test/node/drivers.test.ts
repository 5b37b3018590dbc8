import { describe, expect, it } from 'vitest';
import { chosenByUser, type Host, hasGpuNode, softwareDrivers } from '../../src/node/drivers.ts';
import { plan } from '../../src/node/gpu.ts';

/** A machine made of the files it has. */
function host(files: string[], more: Partial<Host> = {}): Host {
  const all = new Set(files);
  return {
    platform: 'linux',
    env: { PATH: '/usr/bin' },
    exists: (path) => all.has(path),
    list: (folder) => files.filter((f) => f.startsWith(`${folder}/`)).map((f) => f.slice(folder.length + 1)),
    lines: () => [],
    ...more,
  };
}

const DEBIAN = '/usr/lib/chromium/vk_swiftshader_icd.json';
const LAVAPIPE = '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json';

describe('driver search', () => {
  it('finds SwiftShader in a browser, then lavapipe, and no driver of a GPU among the software ones', () => {
    const found = softwareDrivers(host([LAVAPIPE, '/usr/share/vulkan/icd.d/radeon_icd.x86_64.json', DEBIAN]));
    expect(found).toEqual([
      { name: 'SwiftShader', manifest: DEBIAN },
      { name: 'lavapipe', manifest: LAVAPIPE },
    ]);
  });

  it('asks the package manager when the usual folders have none', () => {
    const found = softwareDrivers(
      host([], { lines: (command) => (command === 'dpkg' ? ['/odd/chromium', '/odd/vk_swiftshader_icd.json'] : []) }),
    );
    expect(found).toEqual([{ name: 'SwiftShader', manifest: '/odd/vk_swiftshader_icd.json' }]);
  });

  it('looks beside a browser on the PATH, through its link', () => {
    const found = softwareDrivers(
      host(['/usr/bin/google-chrome', '/far/chrome/vk_swiftshader_icd.json'], {
        lines: (command, ...args) =>
          command === 'readlink' && args.at(-1) === '/usr/bin/google-chrome' ? ['/far/chrome/google-chrome'] : [],
      }),
    );
    expect(found.map((f) => f.manifest)).toEqual(['/far/chrome/vk_swiftshader_icd.json']);
  });

  it('tells machines with a GPU from those without', () => {
    expect(hasGpuNode(host([]))).toBe(false);
    expect(hasGpuNode(host(['/dev/dri/card0']))).toBe(false);
    expect(hasGpuNode(host(['/dev/dri/renderD128']))).toBe(true);
    expect(hasGpuNode(host(['/dev/nvidiactl']))).toBe(true);
    expect(hasGpuNode(host(['/dev/dxg']))).toBe(true);
    expect(hasGpuNode(host([], { platform: 'darwin' }))).toBe(true);
  });
});

describe('plan', () => {
  const names = (want: 'auto' | 'system' | 'software', machine: Host) => plan(want, machine).map((c) => c.name);

  it('tries a real GPU first where one is in sight, software first where not', () => {
    expect(names('auto', host([DEBIAN, '/dev/dri/renderD128']))).toEqual(['system', 'SwiftShader']);
    expect(names('auto', host([DEBIAN]))).toEqual(['SwiftShader', 'system']);
  });

  it('keeps to the kind that was asked for', () => {
    expect(names('software', host([DEBIAN, '/dev/dri/renderD128']))).toEqual(['SwiftShader']);
    expect(names('system', host([DEBIAN, '/dev/dri/renderD128']))).toEqual(['system']);
    expect(names('software', host([]))).toEqual([]);
  });

  it('lets the user choose', () => {
    const machine = host([DEBIAN], { env: { VK_ICD_FILENAMES: '/mine.json' } });
    expect(chosenByUser(machine)).toEqual({ variable: 'VK_ICD_FILENAMES', value: '/mine.json' });
    expect(names('auto', machine)).toEqual(['VK_ICD_FILENAMES=/mine.json']);
    expect(names('system', machine)).toEqual(['VK_ICD_FILENAMES=/mine.json']);
  });

  it('leaves the choice to the platform off Linux', () => {
    expect(names('software', host([], { platform: 'win32' }))).toEqual(['system']);
  });
});
