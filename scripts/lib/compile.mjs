/** Turns the sources into what runs: the library and its command line in `dist/`, and single Node programs. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fail, root, say } from '../bootstrap.mjs';

const cache = join(root, '.cache');
const CONFIGS = ['package.json', 'package-lock.json', 'tsconfig.json', 'vite.config.ts', 'scripts'];

/** Every file below `paths`, sorted. */
function filesBelow(paths) {
  const found = [];
  const visit = (path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) return;
    if (stat.isDirectory()) for (const name of readdirSync(path).sort()) visit(join(path, name));
    else found.push({ path, stat });
  };
  for (const path of paths) visit(join(root, path));
  return found;
}

/** A short text that changes whenever a file below `paths` does. */
function stampOf(paths) {
  const hash = createHash('sha256');
  for (const { path, stat } of filesBelow(paths)) hash.update(`${relative(root, path)} ${stat.size} ${stat.mtimeMs}\n`);
  return hash.digest('hex');
}

/**
 * Runs `make` unless it ran before on the same inputs and `outputs` are still there.
 * @returns true when it ran. A failure ends the script.
 */
export async function unlessFresh(name, inputs, outputs, make) {
  const record = join(cache, `${name}.stamp`);
  const stamp = stampOf([...inputs, ...CONFIGS]);
  const known = existsSync(record) ? readFileSync(record, 'utf8') : '';
  if (known === stamp && outputs.every((path) => existsSync(join(root, path)))) return false;
  try {
    await make();
  } catch (error) {
    // The bundler's own report says it all; its stack says nothing about the sources.
    fail(error.message);
  }
  mkdirSync(cache, { recursive: true });
  writeFileSync(record, stamp);
  return true;
}

/** Entries of the package that have a source by now: name in `dist/` to source. */
export function entries() {
  const all = {
    index: 'src/index.ts',
    worker: 'src/worker/index.ts',
    cost: 'src/cost/index.ts',
    lab: 'src/lab/index.ts',
    elements: 'src/elements/index.ts',
    'web-llm': 'src/backends/web-llm/index.ts',
    server: 'src/backends/server/index.ts',
    node: 'src/node/index.ts',
    cli: 'src/cli/main.ts',
  };
  return Object.fromEntries(Object.entries(all).filter(([, source]) => existsSync(join(root, source))));
}

/** Builds `dist/*.js`. @returns true when something had changed. */
export async function buildLibrary() {
  const names = Object.keys(entries());
  return unlessFresh(
    'library',
    ['src', 'shaders'],
    names.map((name) => `dist/${name}.js`),
    async () => {
      const { build } = await import('vite');
      // Types live below dist/ too and have a stamp of their own: only the code is cleared.
      if (existsSync(join(root, 'dist'))) {
        for (const name of readdirSync(join(root, 'dist'))) {
          if (name !== 'types') rmSync(join(root, 'dist', name), { recursive: true });
        }
      }
      await build({
        root,
        configFile: false,
        publicDir: false,
        base: './',
        logLevel: 'error',
        worker: { format: 'es' },
        build: {
          outDir: join(root, 'dist'),
          emptyOutDir: false,
          target: 'es2023',
          minify: false,
          lib: { entry: entries(), formats: ['es'] },
          rolldownOptions: {
            external: isExternal,
            output: {
              entryFileNames: '[name].js',
              chunkFileNames: 'chunks/[name]-[hash].js',
              banner: (chunk) => (chunk.isEntry && chunk.name === 'cli' ? '#!/usr/bin/env node' : ''),
            },
          },
        },
      });
      const cli = join(root, 'dist', 'cli.js');
      if (existsSync(cli)) chmodSync(cli, 0o755);
    },
  );
}

/** Builds `dist/types/`. @returns true when something had changed. */
export async function buildTypes() {
  const { cli: _program, ...doors } = entries();
  const sources = Object.values(doors);
  const outputs = sources.map((source) => source.replace('src/', 'dist/types/').replace(/\.ts$/, '.d.ts'));
  return unlessFresh('types', ['src'], outputs, () => {
    rmSync(join(root, 'dist', 'types'), { recursive: true, force: true });
    mkdirSync(cache, { recursive: true });
    const config = join(cache, 'tsconfig.types.json');
    writeFileSync(
      config,
      JSON.stringify({
        extends: '../tsconfig.json',
        // Checking is `npm run check`'s work; here types are only written out.
        compilerOptions: {
          noEmit: false,
          declaration: true,
          emitDeclarationOnly: true,
          noCheck: true,
          stripInternal: true,
          rootDir: '../src',
          outDir: '../dist/types',
        },
        include: [],
        files: sources.map((source) => `../${source}`),
      }),
    );
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const { status } = spawnSync(process.execPath, [tsc, '-p', config], { stdio: ['ignore', 2, 2], cwd: root });
    if (status !== 0) fail('The type declarations could not be written; see above (npm run check tells more).');
    for (const { path } of filesBelow(['dist/types'])) {
      const text = readFileSync(path, 'utf8');
      // Sources import each other as .ts; a package's declarations are looked up as .js by every consumer.
      writeFileSync(path, text.replace(/((?:from|import)\s*\(?\s*['"]\.{1,2}\/[^'"]+?)\.ts(['"])/g, '$1.js$2'));
    }
  });
}

/** True for what a Node program imports at run time rather than carrying it along. */
export function isExternal(id) {
  if (id.startsWith('node:') || builtinModules.includes(id)) return true;
  const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  return Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).some(
    (name) => id === name || id.startsWith(`${name}/`),
  );
}

/** Bundles one TypeScript program for Node, unless it is fresh. @returns the path of the program. */
export async function bundleProgram(name, source, inputs) {
  if (!existsSync(join(root, source))) fail(`There is no ${source} in this checkout.`);
  const output = join('.cache', 'programs', `${name}.js`);
  await unlessFresh(name, [dirname(source), 'src', 'shaders', ...inputs], [output], async () => {
    const { build } = await import('vite');
    await build({
      root,
      configFile: false,
      logLevel: 'error',
      build: {
        outDir: join(root, dirname(output)),
        emptyOutDir: false,
        target: 'node20',
        minify: false,
        lib: { entry: join(root, source), formats: ['es'], fileName: () => `${name}.js` },
        rolldownOptions: { external: isExternal, output: { codeSplitting: false } },
      },
    });
  });
  return join(root, output);
}

/** Runs a Node program with this terminal's streams and ends with its exit code. */
export function runProgram(path, args) {
  const { status, signal, error } = spawnSync(process.execPath, [path, ...args], { stdio: 'inherit' });
  if (error) fail(`${relative(root, path)} did not start: ${error.message}.`);
  if (signal) say(`Ended by ${signal}.`);
  process.exit(status ?? 1);
}
