/** Whatever a server or a disk does: the right bytes, or a typed error and another try that goes on from there. */
import { rm } from 'node:fs/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Disk, DiskWriter } from '../../../src/checkpoint/store/disk.ts';
import { folderDisk } from '../../../src/checkpoint/store/node.ts';
import { ModelStore } from '../../../src/checkpoint/store/store.ts';
import { isReckonError } from '../../../src/errors.ts';
import {
  expectWhole,
  MODEL,
  QUICK,
  randomBy,
  reference,
  storeIn,
  type TestFolders,
  TOTAL,
  testFolders,
} from '../../support/download.ts';
import { type Manner, startHub } from '../../support/hub.ts';

let folders: TestFolders;
beforeAll(async () => {
  folders = await testFolders();
});
afterAll(() => folders.remove());

/** Runs scenarios, eight at a time, since most of the time is spent waiting. */
async function forAll<T>(scenario: fc.Arbitrary<T>, runs: number, run: (scenario: T) => Promise<void>): Promise<void> {
  const eight = fc.array(scenario, { minLength: 8, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(eight, async (scenarios) => {
      await Promise.all(scenarios.map(run));
    }),
    { numRuns: runs / 8 },
  );
}

describe('a server of bad manners', () => {
  it('gets 200 downloads to the right bytes or a typed error', async () => {
    const bad: Manner[] = ['drop', 'stall', 'truncate', 'corrupt', 'whole', 403, 416, 429, 503];
    const outcomes: string[] = [];
    const scenario = fc.record({ seed: fc.integer(), trouble: fc.constantFrom(0.03, 0.1, 0.3), api: fc.boolean() });
    await forAll(scenario, 200, async ({ seed, trouble, api }) => {
      const random = randomBy(seed);
      const manner = () => (random() < trouble ? bad[Math.floor(random() * bad.length)]! : 'good');
      const hub = await startHub({ files: { ...MODEL }, api, manner });
      const folder = folders.next();
      try {
        const settings = { stallSeconds: 0.1, retry: { ...QUICK.retry, random } };
        const model = await storeIn(folder).download(reference(hub), settings);
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
    });
    expect(outcomes).toHaveLength(200);
    const count = (code: string) => outcomes.filter((outcome) => outcome === code).length;
    expect(count('done')).toBeGreaterThan(50);
    expect(count('access-denied')).toBeGreaterThan(5);
  });
});

class Killed extends Error {}

/** A disk that stops for good at its `last` change, which is half done then, as when the program is killed. */
function dyingDisk(disk: Disk, last: number): Disk {
  let changes = 0;
  async function change(whole: () => Promise<void>, half: () => Promise<void> = async () => {}): Promise<void> {
    changes++;
    if (changes === last) await half();
    if (changes >= last) throw new Killed();
    await whole();
  }
  return {
    ...disk,
    remove: (path) => change(() => disk.remove(path)),
    async writer(path): Promise<DiskWriter> {
      if (changes >= last) throw new Killed();
      const file = await disk.writer(path);
      return {
        get size() {
          return file.size;
        },
        read: (target, at) => file.read(target, at),
        close: () => file.close(),
        write: (bytes, at) =>
          change(
            () => file.write(bytes, at),
            () => file.write(bytes.subarray(0, bytes.length >> 1), at),
          ),
        resize: (size) => change(() => file.resize(size)),
        flush: () => change(() => file.flush()),
      };
    },
  };
}

describe('a program that is killed', () => {
  it('fetches nothing twice that its journal knows, wherever it was killed', async () => {
    const resumed: number[] = [];
    await forAll(fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 3 }), 32, async (kills) => {
      const hub = await startHub({ files: { ...MODEL } });
      const folder = folders.next();
      try {
        for (const last of kills) {
          const dying = new ModelStore(dyingDisk(folderDisk(folder), last), { ...QUICK, noteBytes: 4096 });
          await dying.download(reference(hub)).catch((error) => expect(error).toBeInstanceOf(Killed));
        }
        const [here] = await storeIn(folder).list();
        let received = 0;
        const model = await storeIn(folder).download(reference(hub), {
          onProgress: (news) => (received = news.received),
        });
        await expectWhole(folder, model.key);
        expect(received).toBe(TOTAL - (here?.bytes ?? 0));
        resumed.push(here?.bytes ?? 0);
      } finally {
        await hub.close();
        await rm(folder, { recursive: true, force: true });
      }
    });
    // Some had come far.
    expect(Math.max(...resumed)).toBeGreaterThan(TOTAL / 2);
    expect(resumed.filter((bytes) => bytes > 0 && bytes < TOTAL).length).toBeGreaterThan(2);
  });

  it('finishes a deletion that was cut short', async () => {
    const hub = await startHub({ files: { ...MODEL } });
    try {
      for (let last = 1; last <= 6; last++) {
        const folder = folders.next();
        await storeIn(folder).download(reference(hub));
        const dying = new ModelStore(dyingDisk(folderDisk(folder), last), QUICK);
        await dying.delete('maker/model').catch((error) => expect(error).toBeInstanceOf(Killed));
        // Either it is still whole, or it is gone.
        const [model] = await storeIn(folder).list();
        if (model) await expectWhole(folder, model.key);
        else expect(await folderDisk(folder).folders()).toEqual([]);
      }
    } finally {
      await hub.close();
    }
  });
});
