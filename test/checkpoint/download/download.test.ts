/** Downloads from a hub that behaves, and what of them stays. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FILES } from '../../../src/checkpoint/store/entry.ts';
import { folderDisk } from '../../../src/checkpoint/store/node.ts';
import { ModelStore } from '../../../src/checkpoint/store/store.ts';
import type { DownloadProgress } from '../../../src/checkpoint/store/types.ts';
import { isReckonError } from '../../../src/errors.ts';
import { errorOf } from '../../support/checkpoint.ts';
import {
  closeHubs,
  expectWhole,
  hubWith,
  MODEL,
  noise,
  QUICK,
  reference,
  SHARDS,
  storeIn,
  type TestFolders,
  TOTAL,
  testFolders,
  WANTED,
} from '../../support/download.ts';

let folders: TestFolders;
beforeAll(async () => {
  folders = await testFolders();
});
afterAll(() => folders.remove());
afterEach(closeHubs);

async function reckonError(work: () => Promise<unknown>) {
  const error = await errorOf(work);
  if (!isReckonError(error)) throw error;
  return error;
}

describe('a download', () => {
  it('brings what makes up the model, pinned and checked, and needs no network after', async () => {
    const hub = await hubWith();
    const folder = folders.next();
    const seen: DownloadProgress[] = [];
    const model = await storeIn(folder).download(reference(hub), { onProgress: (progress) => seen.push(progress) });
    expect(model).toMatchObject({ name: 'maker/model', complete: true, bytes: TOTAL, total: TOTAL });
    expect(model.revision).toMatch(/^[0-9a-f]{40}$/);
    expect(model.files.map(({ path }) => path).sort()).toEqual([...WANTED].sort());
    expect(model.files.every(({ verified, digest }) => verified && digest !== null)).toBe(true);
    await expectWhole(folder, model.key);
    expect(seen.at(-1)).toMatchObject({ phase: 'done', loaded: TOTAL, total: TOTAL, received: TOTAL });
    expect(hub.sent).toBe(TOTAL);
    for (const { url } of hub.requests.slice(1)) expect(url).toContain(`/resolve/${model.revision}/`);

    await closeHubs();
    expect(await storeIn(folder).download(reference(hub))).toEqual(model);
    expect(await storeIn(folder).list()).toEqual([model]);
    // Another server is the same repository.
    expect(await storeIn(folder).find('maker/model')).toEqual(model);
  });

  it('stops where it is told, and goes on at the byte', async () => {
    const hub = await hubWith({ pace: 30 });
    const folder = folders.next();
    const stop = new AbortController();
    const onProgress = ({ loaded }: DownloadProgress) => loaded > TOTAL / 3 && stop.abort();
    const error = await reckonError(() =>
      storeIn(folder).download(reference(hub), { signal: stop.signal, onProgress, connections: 1 }),
    );
    expect(error.code).toBe('aborted');
    const [part] = await storeIn(folder).list();
    expect(part).toMatchObject({ complete: false, total: TOTAL });
    expect(part!.bytes).toBeGreaterThan(TOTAL / 4);
    expect((await reckonError(() => storeIn(folder).source('maker/model'))).message).toMatch(
      /Only a part of maker\/model/,
    );
    let received = 0;
    const model = await storeIn(folder).download(reference(hub), { onProgress: (news) => (received = news.received) });
    expect(received).toBe(TOTAL - part!.bytes);
    await expectWhole(folder, model.key);
  });

  it('takes only what has changed when the revision moves, and only when told to look', async () => {
    const hub = await hubWith();
    const folder = folders.next();
    const old = await storeIn(folder).download(reference(hub));
    const news = noise(30_001, 77);
    hub.options.files[SHARDS[1]] = news;
    expect((await storeIn(folder).download(reference(hub))).revision).toBe(old.revision);
    hub.sent = 0;
    const now = await storeIn(folder).download(reference(hub), { update: true });
    expect(now.revision).not.toBe(old.revision);
    expect(hub.sent).toBe(news.length);
    await expectWhole(folder, now.key, { ...MODEL, [SHARDS[1]]: news });
    // What is no longer a part of it does not stay behind.
    delete hub.options.files['tokenizer.json'];
    await storeIn(folder).download(reference(hub), { update: true });
    expect(await readdir(join(folder, now.key, FILES))).not.toContain('tokenizer.json');
    expect(hub.sent).toBe(news.length);
  });

  it('does not glue two states of a file, on servers that list nothing and give no checksums', async () => {
    const hub = await hubWith({ api: false, pace: 30 });
    const folder = folders.next();
    const stop = new AbortController();
    const onProgress = ({ loaded }: DownloadProgress) => loaded > TOTAL / 2 && stop.abort();
    await reckonError(() =>
      storeIn(folder).download(reference(hub), { signal: stop.signal, onProgress, connections: 1 }),
    );
    const changed = { ...MODEL, [SHARDS[0]]: noise(60_000, 50) };
    hub.options.files[SHARDS[0]] = changed[SHARDS[0]];
    const model = await storeIn(folder).download(reference(hub));
    expect(model.files.every(({ digest }) => digest === null)).toBe(true);
    await expectWhole(folder, model.key, changed);
  });

  it('copes with a server that knows no ranges, also where it breaks', async () => {
    let count = 0;
    const hub = await hubWith({ manner: () => (++count % 4 === 0 ? 'drop' : 'whole') });
    const folder = folders.next();
    const model = await storeIn(folder).download(reference(hub));
    await expectWhole(folder, model.key);
  });

  it('fetches a damaged file once more, and then says so', async () => {
    let bad = 1;
    const manner = ({ path }: { path: string }) => (path === SHARDS[1] && bad-- > 0 ? 'corrupt' : 'good');
    const hub = await hubWith({ manner });
    const folder = folders.next();
    await expectWhole(folder, (await storeIn(folder).download(reference(hub))).key);
    bad = 1000;
    const other = folders.next();
    const error = await reckonError(() => storeIn(other).download(reference(hub)));
    expect(error.code).toBe('corrupt-download');
    expect(error.details).toMatchObject({ path: SHARDS[1], algorithm: 'sha256' });
    // What was right stays.
    bad = 0;
    hub.sent = 0;
    await expectWhole(other, (await storeIn(other).download(reference(hub))).key);
    expect(hub.sent).toBeLessThanOrEqual(TOTAL - MODEL['tokenizer.json']!.length);
  });

  it('gives a token to the server it is for, and to nobody else', async () => {
    const elsewhere = await hubWith();
    const hub = await hubWith({ token: 'hf_secret', redirect: elsewhere.url });
    const folder = folders.next();
    const refused = await reckonError(() => storeIn(folder).download(reference(hub)));
    expect(refused).toMatchObject({ code: 'access-denied', details: { status: 401 } });
    expect(refused.message).toMatch(/maker\/model is not open to everyone.*token/);
    const wrong = await reckonError(() => storeIn(folder).download(reference(hub), { token: 'hf_wrong' }));
    expect(wrong.code).toBe('access-denied');
    expect(`${wrong.message} ${JSON.stringify(wrong.details)} ${wrong.stack}`).not.toContain('hf_wrong');
    const model = await storeIn(folder).download(reference(hub), { token: 'hf_secret' });
    await expectWhole(folder, model.key);
    expect(hub.requests.at(-1)!.authorization).toBe('Bearer hf_secret');
    expect(elsewhere.sent).toBe(TOTAL);
    expect(elsewhere.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
    const kept = await readFile(join(folder, model.key, 'journal.jsonl'), 'utf8');
    expect(kept).not.toContain('hf_secret');
  });

  it('refuses what does not fit before the first byte, and says what would make room', async () => {
    const hub = await hubWith({ repository: 'maker/other' });
    const folder = folders.next();
    await storeIn(folder).download(reference(await hubWith()));
    const disk = { ...folderDisk(folder), space: async () => ({ free: 2 ** 20 + 50_000, persistent: true }) };
    const small = new ModelStore(disk, QUICK);
    const error = await reckonError(() => small.download({ repository: 'maker/other', from: hub.url }));
    expect(error.code).toBe('storage');
    expect(error.message).toMatch(/needs 0\.1 MB more.*has room for 1\.1 MB.*delete maker\/model \(0\.1 MB\)/);
    expect(error.details).toMatchObject({ needed: TOTAL });
    expect(hub.sent).toBe(0);
  });

  it('waits for another that is at it, and then has nothing left to do', async () => {
    const hub = await hubWith({ pace: 2 });
    const folder = folders.next();
    const phases = new Set<string>();
    const [one, two] = await Promise.all([
      storeIn(folder).download(reference(hub), { onProgress: ({ phase }) => phases.add(phase) }),
      storeIn(folder).download(reference(hub), { onProgress: ({ phase }) => phases.add(phase) }),
    ]);
    expect(one).toEqual(two);
    expect(phases).toContain('waiting');
    expect(hub.sent).toBe(TOTAL);
    // A lock whose program has died does not hold anyone up: no process has this id.
    await writeFile(join(folder, `${one.key}.lock`), '4194304\n');
    await storeIn(folder).download(reference(hub), { update: true });
    expect((await readdir(folder)).sort()).toEqual([one.key]);
  });

  it('says what is wrong with a name, a server or a repository', async () => {
    const hub = await hubWith({ manner: () => 'good' });
    const store = storeIn(folders.next());
    const nobody = await reckonError(() => store.download({ repository: 'maker/other', from: hub.url }));
    expect(nobody.message).toMatch(/has no repository maker\/other/);
    expect((await reckonError(() => store.download('no repository'))).code).toBe('bad-option');
    await closeHubs();
    expect((await reckonError(() => store.download(reference(hub)))).code).toBe('network');
    expect(await store.source('maker/model').catch((error) => error.code)).toBe('storage');
  });
});

describe('what is stored', () => {
  it('can be checked, and what is damaged is fetched again', async () => {
    const hub = await hubWith();
    const folder = folders.next();
    const store = storeIn(folder);
    const model = await store.download(reference(hub));
    expect(await store.verify(model)).toEqual([]);
    const path = join(folder, model.key, FILES, SHARDS[0]);
    const bytes = await readFile(path);
    bytes[12345]! ^= 1;
    await writeFile(path, bytes);
    expect(await store.verify(model)).toEqual([SHARDS[0]]);
    hub.sent = 0;
    await store.download(reference(hub));
    expect(hub.sent).toBe(MODEL[SHARDS[0]]!.length);
    await expectWhole(folder, model.key);
  });

  it('is deleted whole, by a key of ours only, and not while it arrives', async () => {
    const hub = await hubWith({ pace: 60 });
    const folder = folders.next();
    const store = storeIn(folder);
    const downloading = store.download(reference(hub));
    await expect.poll(async () => (await store.list()).length, { timeout: 10_000, interval: 5 }).toBe(1);
    expect(await reckonError(() => store.delete('maker/model'))).toMatchObject({
      code: 'storage',
      details: { busy: true },
    });
    const model = await downloading;
    await writeFile(join(folder, 'mine.txt'), 'not a model');
    await store.delete({ ...model, key: '..' });
    await store.delete({ ...model, key: 'mine.txt' });
    expect((await store.space()).models).toBe(TOTAL);
    await store.delete(model);
    await store.delete(model);
    expect(await readdir(folder)).toEqual(['mine.txt']);
    expect(await store.list()).toEqual([]);
  });

  it('is a source of files like any other', async () => {
    const hub = await hubWith();
    const store = storeIn(folders.next());
    await store.download(reference(hub));
    const source = await store.source('maker/model');
    expect(source).toMatchObject({ name: 'maker/model', revision: expect.stringMatching(/^[0-9a-f]{40}$/) });
    expect(await source.text('config.json')).toBe('{"model_type":"qwen3"}');
    expect([await source.has(SHARDS[0]), await source.has('README.md'), await source.size(SHARDS[0])]).toEqual([
      true,
      false,
      60_000,
    ]);
    // One buffer, lent and given back.
    const reader = (await source.open(SHARDS[0], { start: 100, end: 50_000 })).getReader({ mode: 'byob' });
    const whole: number[] = [];
    for (let view = new Uint8Array(7000); ; ) {
      const { done, value } = await reader.read(view);
      if (value) whole.push(...value);
      if (done) break;
      view = new Uint8Array(value.buffer);
    }
    expect(Buffer.compare(Uint8Array.from(whole), MODEL[SHARDS[0]]!.subarray(100, 50_000))).toBe(0);
  });
});
