import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DownloadSettings } from '../../../src/checkpoint/download/download.ts';
import { FILES } from '../../../src/checkpoint/store/entry.ts';
import { folderDisk } from '../../../src/checkpoint/store/node.ts';
import { ModelStore } from '../../../src/checkpoint/store/store.ts';
import type { DownloadProgress } from '../../../src/checkpoint/store/types.ts';
import { isReckonError } from '../../../src/errors.ts';
import { type Hub, type HubOptions, type Manner, startHub } from '../../support/hub.ts';

/** Bytes that tell where they are from. */
function noise(length: number, seed: number): Uint8Array {
  let state = seed * 2654435761 + 1;
  return Uint8Array.from({ length }, () => (state = (state * 1664525 + 1013904223) >>> 0) >>> 24);
}

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

const MODEL: Readonly<Record<string, Uint8Array>> = {
  'README.md': text('not wanted'),
  'pytorch_model.bin': noise(5000, 9),
  'config.json': text({ model_type: 'qwen3' }),
  'tokenizer.json': text({ a: 'é'.repeat(500) }),
  'model-00001-of-00002.safetensors': noise(60_000, 1),
  'model-00002-of-00002.safetensors': noise(30_001, 2),
  'model.safetensors.index.json': text({
    weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' },
  }),
};
const WANTED = Object.keys(MODEL).filter((path) => !/README|pytorch/.test(path));
const TOTAL = WANTED.reduce((sum, path) => sum + MODEL[path]!.length, 0);

const QUICK: DownloadSettings = {
  partBytes: 16 * 1024,
  noteBytes: 16 * 1024,
  stallSeconds: 0.15,
  retry: { baseSeconds: 0.002, maxSeconds: 0.02 },
};

let top: string;
let hubs: Hub[] = [];
let folders = 0;

beforeAll(async () => {
  top = await mkdtemp(join(tmpdir(), 'reckon-download-'));
});
afterAll(() => rm(top, { recursive: true, force: true }));
afterEach(async () => {
  for (const hub of hubs) await hub.close();
  hubs = [];
});

async function hubWith(options: Partial<HubOptions> = {}): Promise<Hub> {
  const hub = await startHub({ files: { ...MODEL }, ...options });
  hubs.push(hub);
  return hub;
}

function newFolder(): string {
  return join(top, String(folders++));
}

const storeIn = (folder: string) => new ModelStore(folderDisk(folder), QUICK);
const reference = (hub: Hub) => ({ repository: 'maker/model', from: hub.url });

async function expectWhole(folder: string, key: string, files = MODEL): Promise<void> {
  for (const path of WANTED) {
    const bytes = await readFile(join(folder, key, FILES, path));
    expect(Buffer.compare(bytes, files[path]!), path).toBe(0);
  }
}

describe('a download', () => {
  it('brings what makes up the model, pinned and checked, and needs no network after', async () => {
    const hub = await hubWith();
    const folder = newFolder();
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

    await hub.close();
    expect(await storeIn(folder).download(reference(hub))).toEqual(model);
    expect(await storeIn(folder).list()).toEqual([model]);
  });

  it('ends with the right bytes or a typed error, whatever the server does: 200 runs', async () => {
    const bad: Manner[] = ['drop', 'stall', 'truncate', 'corrupt', 'whole', 403, 416, 429, 503];
    const outcomes: string[] = [];
    const scenario = fc.record({ seed: fc.integer(), trouble: fc.constantFrom(0.03, 0.1, 0.3), api: fc.boolean() });
    async function run({ seed, trouble, api }: { seed: number; trouble: number; api: boolean }): Promise<void> {
      let state = seed >>> 0;
      const random = () => (state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 32;
      const manner = () => (random() < trouble ? bad[Math.floor(random() * bad.length)]! : 'good');
      const hub = await startHub({ files: { ...MODEL }, api, manner });
      const folder = newFolder();
      try {
        const model = await storeIn(folder).download(reference(hub), { retry: { ...QUICK.retry, random } });
        expect(model).toMatchObject({ complete: true, bytes: TOTAL });
        // Without checksums nobody can see a changed byte; with them nothing else gets through.
        if (api) await expectWhole(folder, model.key);
        outcomes.push('done');
      } catch (error) {
        if (!isReckonError(error)) throw error;
        expect(['network', 'access-denied', 'corrupt-download', 'bad-checkpoint']).toContain(error.code);
        outcomes.push(error.code);
      } finally {
        await hub.close();
        await rm(folder, { recursive: true, force: true });
      }
    }
    // Eight at a time, since most of the time is spent waiting.
    const eight = fc.array(scenario, { minLength: 8, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(eight, async (scenarios) => {
        await Promise.all(scenarios.map(run));
      }),
      { numRuns: 25 },
    );
    expect(outcomes).toHaveLength(200);
    const count = (code: string) => outcomes.filter((outcome) => outcome === code).length;
    expect(count('done')).toBeGreaterThan(50);
    expect(count('access-denied')).toBeGreaterThan(5);
  });
});
