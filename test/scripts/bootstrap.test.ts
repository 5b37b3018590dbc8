import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const scripts = fileURLToPath(new URL('../../scripts', import.meta.url));
let folder: string;

/** A checkout with the real bootstrap and one dependency, a folder beside it: nothing comes from the network. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'reckon-bootstrap-'));
  mkdirSync(join(folder, 'scripts'));
  cpSync(join(scripts, 'bootstrap.mjs'), join(folder, 'scripts/bootstrap.mjs'));
  write('scripts/work.mjs', `import './bootstrap.mjs'; const { answer } = await import('dep'); console.log(answer);`);
  write('dep/package.json', JSON.stringify({ name: 'dep', version: '1.0.0', type: 'module', exports: './index.js' }));
  write('dep/index.js', 'export const answer = 42;');
  write('package.json', JSON.stringify({ name: 'sample', version: '1.0.0', dependencies: { dep: 'file:dep' } }));
  write(
    'package-lock.json',
    JSON.stringify({
      name: 'sample',
      version: '1.0.0',
      lockfileVersion: 3,
      requires: true,
      packages: {
        '': { name: 'sample', version: '1.0.0', dependencies: { dep: 'file:dep' } },
        dep: { version: '1.0.0' },
        'node_modules/dep': { resolved: 'dep', link: true },
      },
    }),
  );
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), text);
}

function start(
  code = `await import('./scripts/work.mjs')`,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { cwd: folder });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => (stdout += String(data)));
  child.stderr.on('data', (data) => (stderr += String(data)));
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, stdout, stderr })));
}

const installs = (stderr: string) => stderr.split('Installing the dependencies').length - 1;

describe('bootstrap', () => {
  it('installs once, keeps stdout for the script, and is silent afterwards', async () => {
    const first = await start();
    expect(first).toMatchObject({ status: 0, stdout: '42\n' });
    expect(installs(first.stderr)).toBe(1);
    expect(await start()).toEqual({ status: 0, stdout: '42\n', stderr: '' });
  });

  it('installs once when several start together', async () => {
    const all = await Promise.all([start(), start(), start()]);
    for (const { status, stdout } of all) expect({ status, stdout }).toEqual({ status: 0, stdout: '42\n' });
    expect(installs(all.map((one) => one.stderr).join('\n'))).toBe(1);
  });

  it('takes over the lock of a process that is gone', async () => {
    // Process ids end well below this on every system.
    write('.cache/install.lock/owner.json', '2147483646');
    const { status, stderr } = await start();
    expect(status).toBe(0);
    expect(installs(stderr)).toBe(1);
  });

  it('says that the install failed, and leaves no lock behind', async () => {
    write(
      'package.json',
      JSON.stringify({ name: 'sample', version: '1.0.0', dependencies: { dep: 'file:elsewhere' } }),
    );
    const { status, stdout, stderr } = await start();
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('npm ci failed with exit code');
    expect(existsSync(join(folder, '.cache/install.lock'))).toBe(false);
  });

  it('refuses an old Node with a sentence', async () => {
    const { status, stderr } = await start(
      `Object.defineProperty(process.versions, 'node', { value: '18.20.0' }); await import('./scripts/work.mjs')`,
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/Reckon needs Node 20\.19 or newer; this is 18\.20\.0\. Install .*\n$/);
  });
});
