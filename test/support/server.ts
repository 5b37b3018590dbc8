/** Serves pages and modules to the browsers of the tests: a production build, as a person would get it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type InlineConfig, preview } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, '.cache', 'test-pages');

export interface Served {
  /** Where it answers, with a slash at the end. */
  url: string;
  close(): Promise<void>;
}

let page: Promise<string> | undefined;

/** The page (`demo/`) as `npm start` builds and serves it, on a free port; built once a process. */
export async function servePage(): Promise<Served> {
  page ??= buildInto({ root: join(root, 'demo'), configFile: join(root, 'vite.config.ts') }).then((outDir) => {
    process.once('exit', () => forget(outDir));
    return outDir;
  });
  return serve(await page);
}

/**
 * A blank page with `window.call(name, args)`, which calls what a TypeScript module exports.
 * @param module path or `file:` URL of the module.
 */
export async function serveModule(module: string | URL): Promise<Served> {
  const entry = module instanceof URL || module.startsWith('file:') ? fileURLToPath(module) : module;
  const outDir = await buildInto({
    root,
    configFile: false,
    publicDir: false,
    worker: { format: 'es' },
    build: { target: 'esnext', minify: false, lib: { entry, formats: ['es'], fileName: () => 'module.js' } },
  });
  writeFileSync(join(outDir, 'index.html'), BLANK);
  const { url, close } = await serve(outDir);
  return { url, close: () => close().finally(() => forget(outDir)) };
}

const BLANK = `<!doctype html><meta charset="utf-8"><title>Reckon test</title><link rel="icon" href="data:,">
<script type="module">
window.call = async (name, args) => {
  try {
    const module = await import('./module.js');
    if (typeof module[name] !== 'function') throw new Error('The module exports no function ' + name + '.');
    return JSON.stringify({ value: (await module[name](...args)) ?? null });
  } catch (error) {
    return JSON.stringify({ error: { name: error.name, message: error.message, stack: error.stack, code: error.code } });
  }
};
</script>`;

/** Builds into a folder of its own, so that tests at the same time do not meet. @returns the folder. */
async function buildInto(config: InlineConfig): Promise<string> {
  mkdirSync(cache, { recursive: true });
  const outDir = mkdtempSync(join(cache, 'page-'));
  try {
    await asProduction(() =>
      build({ ...config, logLevel: 'error', build: { ...config.build, outDir, emptyOutDir: true } }),
    );
    return outDir;
  } catch (error) {
    forget(outDir);
    throw error;
  }
}

const forget = (folder: string) => rmSync(folder, { recursive: true, force: true });

async function serve(outDir: string): Promise<Served> {
  const server = await preview({
    root,
    configFile: false,
    logLevel: 'error',
    appType: 'mpa',
    build: { outDir },
    preview: { port: 0, host: '127.0.0.1' },
  });
  const address = server.httpServer.address();
  if (typeof address !== 'object' || address === null) throw new Error('The test server listens at no port.');
  return { url: `http://127.0.0.1:${address.port}/`, close: () => server.close() };
}

/** Packages choose their development build by NODE_ENV, which vitest has set to "test". */
async function asProduction<T>(work: () => Promise<T>): Promise<T> {
  const before = process.env.NODE_ENV;
  process.env.NODE_ENV = 'production';
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env.NODE_ENV;
    else process.env.NODE_ENV = before;
  }
}
