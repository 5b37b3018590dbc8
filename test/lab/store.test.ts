import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileStore } from '../../src/lab/node.ts';
import { runExperiment } from '../../src/lab/run.ts';
import { MemoryStore, type StoredResults } from '../../src/lab/store.ts';
import { tinyEngine } from '../reference/proto.ts';
import { labRig, smallExperiment } from './rig.ts';

let folder: string;
let results: StoredResults;
const experiment = smallExperiment({ problems: 2, thinking: [4], samples: 2, n: [1, 2] });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'reckon-lab-'));
  results = await runExperiment(experiment, labRig(tinyEngine(3)), { store: new MemoryStore() });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function filled(name: string): Promise<string> {
  const path = join(folder, name, 'samples.jsonl');
  const store = new FileStore(path);
  expect(await store.load()).toBeNull();
  await store.begin(results.header);
  for (const unit of results.units) await store.append(unit);
  await store.close();
  return path;
}

async function loadedFrom(path: string, look: (stored: StoredResults | null) => void): Promise<void> {
  const store = new FileStore(path);
  try {
    look(await store.load());
  } finally {
    await store.close();
  }
}

describe('a store in a file', () => {
  it('gives back what was put in, across instances', async () => {
    const path = await filled('whole');
    await loadedFrom(path, (stored) => expect(stored).toEqual(results));
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(1 + results.units.length + 1);
  });

  it('drops a line that was cut off at any byte, and goes on behind the lines before it', async () => {
    const path = await filled('torn');
    const whole = readFileSync(path);
    const [headEnd, lastStart] = [whole.indexOf(10) + 1, whole.lastIndexOf(10, whole.length - 2) + 1];
    for (const cut of [3, headEnd - 1, headEnd, headEnd + 1, lastStart + 7, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, cut));
      const store = new FileStore(path);
      const stored = await store.load();
      if (cut < headEnd) {
        expect(stored).toBeNull();
        await store.close();
        continue;
      }
      expect(stored!.units).toEqual(results.units.slice(0, cut >= lastStart ? -1 : 0));
      await store.append(results.units.at(-1)!);
      expect((await store.load())!.units.at(-1)).toEqual(results.units.at(-1));
      await store.close();
    }
  });

  it('resumes an experiment whose process died in the middle of a line', async () => {
    const path = await filled('died');
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, whole.length - 10));
    const rig = labRig(tinyEngine(3));
    const resumed = await runExperiment(experiment, rig, { store: new FileStore(path) });
    expect(rig.seen.requests).toHaveLength(1);
    expect(resumed).toEqual(results);
    expect(readFileSync(path)).toEqual(whole);
  });

  it("touches no file that is not the lab's", async () => {
    const path = join(folder, 'notes.txt');
    for (const text of [
      'my notes',
      'my notes\nline two',
      '{"format":"other"}\n',
      '{"format":"reckon-lab","version":9}\n',
    ]) {
      writeFileSync(path, text);
      await expect(loadedFrom(path, () => {})).rejects.toThrow(/Line 1 of .*notes\.txt/);
      expect(readFileSync(path, 'utf8')).toBe(text);
    }
  });

  it('names the line that is damaged', async () => {
    const path = await filled('damaged');
    appendFileSync(path, 'not json\n');
    const line = 2 + results.units.length;
    await expect(new FileStore(path).load()).rejects.toMatchObject({ code: 'bad-option', details: { line } });
  });

  it('belongs to one process at a time, and to nobody who is dead', async () => {
    const path = await filled('held');
    const first = new FileStore(path);
    await first.load();
    await expect(new FileStore(path).load()).rejects.toThrow(
      new RegExp(`is being written by process ${process.pid}\\.`),
    );
    await first.close();
    // A process that has ended: its number is still in the lock.
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(`${path}.lock`, String(pid));
    await loadedFrom(path, (stored) => expect(stored).toEqual(results));
    expect(existsSync(`${path}.lock`)).toBe(false);
  });
});
