/** `npm start`: builds the page and serves it. PORT and HOST choose where; without PORT the first free one from 5173. */
import { fail, say } from './bootstrap.mjs';
import { buildPage, servePage } from './lib/page.mjs';

const asked = process.env.PORT;
const port = asked ? Number(asked) : 5173;
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  fail(`PORT is "${asked}"; it must be a whole number up to 65535.`);
}

await buildPage();
const { url, close } = await servePage({ port, strictPort: Boolean(asked), host: process.env.HOST || 'localhost' });
process.stdout.write(`Reckon is running at ${url}\n`);
say('Ctrl+C ends it.');

async function stop() {
  await close();
  process.exit(0);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);

// npm does not pass every signal on: when it is ended, this must not serve on as an orphan.
const parent = process.ppid;
if (process.env.npm_lifecycle_event === 'start') {
  setInterval(() => process.ppid !== parent && stop(), 500).unref();
}
