/** A made-up model on a hub, and folders to bring it to. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { DownloadSettings } from '../../src/checkpoint/download/download.ts';
import { FILES } from '../../src/checkpoint/store/entry.ts';
import { folderDisk } from '../../src/checkpoint/store/node.ts';
import { ModelStore } from '../../src/checkpoint/store/store.ts';
import { type Hub, type HubOptions, startHub } from './hub.ts';

/** Bytes that tell where they are from. */
export function noise(length: number, seed: number): Uint8Array {
  let state = (seed * 2654435761 + 1) >>> 0;
  return Uint8Array.from({ length }, () => (state = (state * 1664525 + 1013904223) >>> 0) >>> 24);
}

/** Numbers in [0, 1) by seed. */
export function randomBy(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 32;
}

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

export const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;

/** A repository with more in it than the model. */
export const MODEL: Readonly<Record<string, Uint8Array>> = {
  'README.md': text('not wanted'),
  'pytorch_model.bin': noise(5000, 9),
  'config.json': text({ model_type: 'qwen3' }),
  'tokenizer.json': text({ a: 'é'.repeat(500) }),
  [SHARDS[0]]: noise(60_000, 1),
  [SHARDS[1]]: noise(30_001, 2),
  'model.safetensors.index.json': text({ weight_map: { a: SHARDS[0], b: SHARDS[1] } }),
};
/** The files of the model. */
export const WANTED = Object.keys(MODEL).filter((path) => !/README|pytorch/.test(path));
export const TOTAL = WANTED.reduce((sum, path) => sum + MODEL[path]!.length, 0);

/** Small parts, quick tries. */
export const QUICK: DownloadSettings = {
  partBytes: 16 * 1024,
  noteBytes: 8 * 1024,
  stallSeconds: 10,
  retry: { baseSeconds: 0.002, maxSeconds: 0.02 },
};

let hubs: Hub[] = [];

/** A hub with the model, closed by `closeHubs`. */
export async function hubWith(options: Partial<HubOptions> = {}): Promise<Hub> {
  const hub = await startHub({ files: { ...MODEL }, ...options });
  hubs.push(hub);
  return hub;
}

export async function closeHubs(): Promise<void> {
  for (const hub of hubs) await hub.close();
  hubs = [];
}

export interface TestFolders {
  /** A folder that is not there yet. */
  next(): string;
  remove(): Promise<void>;
}

export async function testFolders(): Promise<TestFolders> {
  const top = await mkdtemp(join(tmpdir(), 'reckon-models-'));
  let count = 0;
  return {
    next: () => join(top, String(count++)),
    remove: () => rm(top, { recursive: true, force: true }),
  };
}

export function storeIn(folder: string, settings: DownloadSettings = {}): ModelStore {
  return new ModelStore(folderDisk(folder), { ...QUICK, ...settings });
}

export function reference(hub: Hub): { repository: string; from: string } {
  return { repository: 'maker/model', from: hub.url };
}

/** Every file of the model is on the disk as it was published. */
export async function expectWhole(folder: string, key: string, files = MODEL): Promise<void> {
  for (const path of WANTED) {
    const bytes = await readFile(join(folder, key, FILES, path));
    expect(Buffer.compare(bytes, files[path]!), path).toBe(0);
  }
}
