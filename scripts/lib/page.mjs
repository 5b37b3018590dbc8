/** Builds the page and serves the build. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root, say } from '../bootstrap.mjs';
import { unlessFresh } from './compile.mjs';

const demo = join(root, 'demo');
const configFile = join(root, 'vite.config.ts');

/** Builds `demo/` into `.cache/page`, unless nothing has changed. */
export async function buildPage() {
  if (!existsSync(join(demo, 'index.html'))) fail('There is no demo/index.html in this checkout.');
  const { build } = await import('vite');
  await unlessFresh('page', ['demo', 'src', 'shaders', 'models'], ['.cache/page/index.html'], async () => {
    say('Building the page.');
    await build({ root: demo, configFile, logLevel: 'error' });
  });
}

/**
 * Serves the build.
 * @param where `port` (0: any), `strictPort`, `host`, as vite's preview takes them.
 * @returns the URL, which answers by then, and how to stop.
 */
export async function servePage(where) {
  const { preview } = await import('vite');
  const server = await preview({ root: demo, configFile, logLevel: 'error', preview: where }).catch((error) =>
    fail(`The page could not be served: ${error.message}.`),
  );
  const url = server.resolvedUrls?.local[0] ?? server.resolvedUrls?.network[0];
  if (!url) fail('The page is served, but at no address.');
  const answer = await fetch(url);
  if (!answer.ok) fail(`The page at ${url} answers ${answer.status} ${answer.statusText}.`);
  const close = () =>
    new Promise((resolve) => {
      server.httpServer.close(resolve);
      server.httpServer.closeAllConnections?.();
    });
  return { url, close };
}
