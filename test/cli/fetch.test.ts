/** Models from the command line, in programs of their own: one is killed in the middle. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  closeHubs,
  expectWhole,
  hubWith,
  SHARDS,
  storeIn,
  type TestFolders,
  TOTAL,
  testFolders,
} from '../support/download.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

let folders: TestFolders;
let folder: string;
beforeAll(async () => {
  folders = await testFolders();
  folder = folders.next();
});
afterAll(async () => {
  await closeHubs();
  await folders.remove();
});

interface Ran {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** @param program The script that builds first, or what it builds. */
function reckon(program: 'scripts/reckon.mjs' | 'dist/cli.js', args: string[], token?: string) {
  const { HF_TOKEN: _, RECKON_TOKEN: __, ...env } = process.env;
  const child: ChildProcess = spawn(process.execPath, [program, ...args, '--cache', folder], {
    cwd: root,
    env: { ...env, ...(token ? { HF_TOKEN: token } : {}) },
  });
  const ran: Ran = { status: null, signal: null, stdout: '', stderr: '' };
  child.stdout?.on('data', (data) => (ran.stdout += data));
  child.stderr?.on('data', (data) => (ran.stderr += data));
  const ended = new Promise<Ran>((done) => child.on('close', (status, signal) => done({ ...ran, status, signal })));
  return { child, ended };
}

describe('reckon fetch and models', () => {
  it('bring a model here through a kill, check it, list it, delete it', async () => {
    let stall = true;
    const manner = ({ path }: { path: string }) => (stall && path === SHARDS[0] ? 'stall' : 'good');
    const hub = await hubWith({ manner, token: 'hf_secret' });
    const args = ['fetch', 'maker/model', '--from', hub.url, '--json'];
    const empty = await reckon('scripts/reckon.mjs', ['models', '--json']).ended;
    expect(JSON.parse(empty.stdout)).toMatchObject({ place: folder, stored: [], models: 0 });

    const refused = await reckon('dist/cli.js', args).ended;
    expect([refused.status, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toMatch(/maker\/model is not open to everyone.*access token/);

    const here = async () => (await storeIn(folder).list())[0]?.bytes ?? 0;
    const sent = (bytes: number) =>
      expect.poll(() => hub.sent, { timeout: 20_000, interval: 10 }).toBeGreaterThanOrEqual(bytes);
    // All but the second half of a shard, then silence.
    const stopped = reckon('dist/cli.js', args, 'hf_secret');
    await expect.poll(here, { timeout: 20_000, interval: 10 }).toBeGreaterThan(30_000);
    stopped.child.kill('SIGINT');
    expect((await stopped.ended).stderr).toMatch(/^Stopped: .* are here\. The same command goes on/m);
    expect((await stopped.ended).status).toBe(130);
    const kept = await here();
    expect(kept).toBeGreaterThan(30_000);

    const before = hub.sent;
    const { child, ended } = reckon('dist/cli.js', args, 'hf_secret');
    await sent(before + 10_000);
    child.kill('SIGKILL');
    expect((await ended).signal).toBe('SIGKILL');
    const known = await here();
    expect(known).toBeGreaterThanOrEqual(kept);
    expect(known).toBeLessThan(TOTAL);

    stall = false;
    const rest = await reckon('dist/cli.js', args, 'hf_secret').ended;
    expect(rest.status).toBe(0);
    const model = JSON.parse(rest.stdout);
    expect(model).toMatchObject({ complete: true, bytes: TOTAL, received: TOTAL - known });
    expect(rest.stderr).toMatch(/maker\/model: .* in 5 files, .* fetched/);
    expect(rest.stdout + rest.stderr).not.toContain('hf_secret');
    await expectWhole(folder, model.key);

    await closeHubs();
    expect(JSON.parse((await reckon('dist/cli.js', args).ended).stdout).received).toBe(0);
    expect((await reckon('dist/cli.js', ['models', 'verify', 'maker/model']).ended).stdout).toMatch(/as published/);
    expect((await reckon('dist/cli.js', ['models']).ended).stdout).toContain(model.key);
    expect((await reckon('dist/cli.js', ['models', 'delete', 'maker/model']).ended).stdout).toMatch(/are free again/);
    expect(await storeIn(folder).list()).toEqual([]);
  });

  const wrong: [string[], number, RegExp][] = [
    [['fetch'], 2, /takes one model/],
    [['fetch', 'a/b/c'], 2, /names no model/],
    [['fetch', 'a/b', '--from', 'nowhere'], 2, /is not the address of a server/],
    [['models', 'delete', 'maker/none'], 2, /No kept models are called/],
    [['models', 'dance'], 2, /is no command/],
  ];
  it('say what is wrong', async () => {
    const all = wrong.map(async ([args, code, message]) => {
      const { status, stderr } = await reckon('dist/cli.js', args).ended;
      expect(stderr).toMatch(message);
      expect(status).toBe(code);
    });
    await Promise.all(all);
  });
});
