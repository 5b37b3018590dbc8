/** A project of someone else's: the packed tarball installed from outside this checkout. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface Consumer {
  folder: string;
  /** Paths in the tarball, as npm packed them. */
  packed: string[];
  /** The installed package's own package.json. */
  manifest: Manifest;
  /** Writes files into the project. */
  write(files: Record<string, string>): void;
  /** Runs Node there. */
  node(...args: string[]): Ran;
  /** Type-checks a file of the project, declarations included, under a consumer's usual settings. */
  typeCheck(file: string, moduleResolution: 'bundler' | 'nodenext'): Ran;
  remove(): void;
}

export interface Manifest {
  name: string;
  exports: Record<string, string | { types: string; default: string }>;
  bin: Record<string, string>;
  dependencies: Record<string, string>;
}

function run(command: string, args: string[], cwd: string): Ran {
  const shell = process.platform === 'win32';
  // npm and vitest tell their children about the project they were started in; the consumer is another one.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(package|lifecycle|config_local)|NODE_ENV$|VITEST)/.test(name),
    ),
  );
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    shell,
    env,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  });
  if (error) throw error;
  return { status, stdout, stderr };
}

function must(what: string, ran: Ran): Ran {
  if (ran.status !== 0) throw new Error(`${what} failed (exit code ${ran.status}):\n${ran.stdout}\n${ran.stderr}`);
  return ran;
}

/** Builds, packs and installs. Half a minute at worst: dependencies come from npm's cache where it has them. */
export function installConsumer(): Consumer {
  must('Building the package', run(process.execPath, [join(root, 'scripts/build.mjs')], root));
  const folder = mkdtempSync(join(tmpdir(), 'reckon-consumer-'));
  try {
    const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
    const { stdout } = must('npm pack', run('npm', pack, root));
    const { filename, files } = firstPacked(JSON.parse(stdout));
    const write = (contents: Record<string, string>) => {
      for (const [path, text] of Object.entries(contents)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), text);
      }
    };
    write({ 'package.json': JSON.stringify({ name: 'consumer', private: true, type: 'module' }) });
    const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
    must('Installing the package', run('npm', ['install', ...quiet, `./${filename}`], folder));
    const manifest = JSON.parse(readFileSync(join(folder, 'node_modules/reckon/package.json'), 'utf8')) as Manifest;
    return {
      folder,
      packed: files.map((file) => file.path),
      manifest,
      write,
      node: (...args) => run(process.execPath, args, folder),
      typeCheck(file, moduleResolution) {
        const config = `tsconfig.${moduleResolution}.json`;
        write({ [config]: tsconfig(file, moduleResolution) });
        return run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', config], folder);
      },
      remove: () => rmSync(folder, { recursive: true, force: true }),
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

interface Packed {
  filename: string;
  files: { path: string }[];
}

/** npm prints a list; its newest versions print an object with one entry for each package. */
function firstPacked(answer: Packed[] | Record<string, Packed>): Packed {
  const [first] = Object.values(answer);
  if (!first) throw new Error('npm pack says that it packed nothing.');
  return first;
}

function tsconfig(file: string, moduleResolution: 'bundler' | 'nodenext'): string {
  return JSON.stringify({
    compilerOptions: {
      target: 'ES2023',
      lib: ['ES2023', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'],
      module: moduleResolution === 'bundler' ? 'ESNext' : 'NodeNext',
      moduleResolution,
      types: [],
      strict: true,
      noEmit: true,
      // Reckon's declarations have to hold by themselves.
      skipLibCheck: false,
    },
    files: [file],
  });
}
