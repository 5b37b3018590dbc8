/** The rule of the house: a room imports only from rooms below it. The floors are those of docs/architecture.md. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/** Floor of each room. Files beside the rooms (`errors.ts`, `numbers.ts`) are the ground; `index.ts` is the door. */
const FLOORS: Readonly<Record<string, number>> = {
  gpu: 1,
  ledger: 1,
  kernels: 2,
  checkpoint: 2,
  text: 2,
  kv: 3,
  model: 3,
  engine: 4,
  cost: 4,
  catalogue: 5,
  tasks: 5,
  strategies: 5,
  lab: 6,
  api: 7,
  backends: 7,
  worker: 7,
  elements: 7,
  node: 7,
  cli: 7,
};

/** Neighbours on a floor that may be used, and why. */
const NEIGHBOURS: Readonly<Record<string, string>> = {
  'model → kv': 'a decoder allocates the cache whose pages the KV room counts: how many fit is said there',
  'strategies → tasks': "a verdict is a task's word, and candidates carry it; tasks know nothing of strategies",
  'worker → api': "the worker runs the API, and its client is the API's model",
  'backends → api': 'a backend gives its models the public face',
  'cli → api': 'the command line is a user of the API',
  'cli → node': 'the command line runs in Node',
  'api → node': 'in Node, and only there, the API asks for a GPU and keeps files: imported at run time',
};

interface Import {
  file: string;
  target: string;
  typeOnly: boolean;
  dynamic: boolean;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? sources(path) : entry.name.endsWith('.ts') ? [path] : [];
  });
}

const IMPORT =
  /(?:^|\n)\s*(import|export)\s+(type\s+)?[^;'"()]*?from\s+'(\.[^']+)'|(?:^|\n)\s*import\s+'(\.[^']+)'|import\('(\.[^']+)'\)/g;

/** The source without its block comments, whose examples import too. */
function codeOf(path: string): string {
  return readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
}

function importsOf(path: string): Import[] {
  return [...codeOf(path).matchAll(IMPORT)].map(([, , type, from, bare, dynamic]) => ({
    file: relative(src, path).split(sep).join('/'),
    target: relative(src, resolve(dirname(path), from ?? bare ?? dynamic ?? ''))
      .split(sep)
      .join('/'),
    typeOnly: type !== undefined,
    dynamic: dynamic !== undefined,
  }));
}

/** The room of a file below `src`; null for the ground floor. */
function roomOf(path: string): string | null {
  return path.includes('/') ? path.split('/')[0]! : null;
}

const all = sources(src).flatMap(importsOf);
const between = all
  .map((item) => ({ ...item, from: roomOf(item.file), to: roomOf(item.target) }))
  .filter((item) => item.from !== item.to);

describe('the house', () => {
  it('is read right: imports are found, all kinds of them', () => {
    const naive = sources(src).flatMap((path) => codeOf(path).match(/(from |import |import\()'\./g) ?? []);
    expect(all.length).toBe(naive.length);
    expect(all.length).toBeGreaterThan(200);
    expect(all.some(({ typeOnly }) => typeOnly)).toBe(true);
    expect(all.some(({ dynamic }) => dynamic)).toBe(true);
    for (const { file, target } of all) expect(target, `${file} leaves src`).not.toMatch(/^\.\.\/(?!shaders)/);
  });

  it('has a floor for every room', () => {
    const rooms = readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(rooms.map(({ name }) => name).filter((name) => FLOORS[name] === undefined)).toEqual([]);
  });

  it('imports only downwards', () => {
    const wrong = between
      .filter(({ from, to }) => from !== null && to !== null && (FLOORS[to] ?? 9) >= (FLOORS[from] ?? 0))
      .filter(({ from, to }) => !(`${from} → ${to}` in NEIGHBOURS))
      .map(({ file, target }) => `${file} → ${target}`);
    expect(wrong).toEqual([]);
  });

  it('keeps its exceptions few: each is needed, and of the kind it says', () => {
    const used = new Set(between.map(({ from, to }) => `${from} → ${to}`));
    expect(Object.keys(NEIGHBOURS).filter((rule) => !used.has(rule))).toEqual([]);
    for (const { file, from, to, dynamic } of between) {
      if (from === 'api' && to === 'node') expect(dynamic, `${file} → node`).toBe(true);
    }
  });

  it('lets only the ground and its door stand beside the rooms', () => {
    const loose = readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isFile());
    expect(loose.map(({ name }) => name).sort()).toEqual(['errors.ts', 'index.ts', 'numbers.ts']);
    const ground = all.filter(({ file }) => file === 'errors.ts' || file === 'numbers.ts');
    expect(ground.map(({ target }) => target).filter((target) => roomOf(target) !== null)).toEqual([]);
    expect(all.filter(({ target }) => target === 'index.ts')).toEqual([]);
  });

  it('touches Node only where Node is: what a browser loads imports none of it outright', () => {
    const node = sources(src).filter((path) => /(?:from|import) 'node:/.test(readFileSync(path, 'utf8')));
    const rooms = node.map((path) => relative(src, path).split(sep).join('/'));
    const allowed = /^(node|cli)\/|\/node\.ts$/;
    expect(rooms.filter((file) => !allowed.test(file))).toEqual([]);
    const reached = all.filter(({ target, dynamic }) => allowed.test(target) && !dynamic);
    expect(reached.filter(({ file }) => !allowed.test(file)).map(({ file, target }) => `${file} → ${target}`)).toEqual(
      [],
    );
  });
});
