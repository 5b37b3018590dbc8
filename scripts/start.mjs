/** `npm start`: builds the page and serves it. PORT and HOST choose where; without PORT the first free one from 5173. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root, say } from './bootstrap.mjs';
import { unlessFresh } from './lib/compile.mjs';

const { build, preview } = await import('vite');
const configFile = join(root, 'vite.config.ts');

const asked = process.env.PORT;
const port = asked === undefined || asked === '' ? 5173 : Number(asked);
if (!Number.isInteger(port) || port < 0 || port > 65535)
  fail(`PORT is "${asked}"; it must be a whole number up to 65535.`);
if (!existsSync(join(root, 'demo/index.html'))) fail('There is no demo/index.html in this checkout.');

await unlessFresh('page', ['demo', 'src', 'shaders', 'models'], ['.cache/page/index.html'], async () => {
  say('Building the page.');
  await build({ root: join(root, 'demo'), configFile, logLevel: 'error' });
});

const server = await preview({
  root: join(root, 'demo'),
  configFile,
  logLevel: 'error',
  preview: { port, strictPort: Boolean(asked), host: process.env.HOST || 'localhost' },
}).catch((error) => fail(`The page could not be served: ${error.message}.`));

const url = server.resolvedUrls?.local[0] ?? server.resolvedUrls?.network[0];
if (!url) fail('The page is served, but at no address.');
const answer = await fetch(url);
if (!answer.ok) fail(`The page at ${url} answers ${answer.status} ${answer.statusText}.`);
process.stdout.write(`Reckon is running at ${url}\n`);
say('Ctrl+C ends it.');

function stop() {
  server.httpServer.close(() => process.exit(0));
  server.httpServer.closeAllConnections?.();
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);

// npm does not pass every signal on: when it is ended, this must not serve on as an orphan.
const parent = process.ppid;
if (process.env.npm_lifecycle_event === 'start') {
  setInterval(() => process.ppid !== parent && stop(), 500).unref();
}
