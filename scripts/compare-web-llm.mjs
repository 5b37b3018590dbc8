/**
 * `node scripts/compare-web-llm.mjs --library FILE.wasm [options]`: greedy tokens of web-llm and of Reckon from the same q4f32_1
 * bytes in the same browser. Models are not fetched: a checkpoint in the shape of Qwen2-0.5B with random weights is written here,
 * as MLC lays it out, for a compiled library of that shape (github.com/mlc-ai/binary-mlc-llm-libs, `web-llm-models/<version>/
 * Qwen2-0.5B-Instruct-q4f32_1-ctx4k_cs1k-webgpu.wasm`; each version of the package goes with a folder of libraries).
 *
 *   --library FILE   the compiled model library
 *   --package DIR    folder of an installed @mlc-ai/web-llm that goes with it (default: the one installed here)
 *   --model DIR      a checkpoint instead of the random one: any MLC folder of that library's shape
 *   --browser B      chromium | firefox (default chromium)
 *   --prompt IDS     token ids, separated by commas (default 9707,11,1879,0)
 *   --tokens N       greedy tokens (default 6)
 *
 * Prints one JSON document: tokens and log-probabilities of both, how many agree, and seconds. Software GPUs take minutes.
 */
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { fail, root, say } from './bootstrap.mjs';
import { chromiumPath } from './lib/browsers.mjs';
import { writeRandomQwen2 } from './lib/random-mlc.mjs';

const { values } = parseArgs({
  options: {
    library: { type: 'string' },
    package: { type: 'string', default: join(root, 'node_modules/@mlc-ai/web-llm') },
    model: { type: 'string' },
    browser: { type: 'string', default: 'chromium' },
    prompt: { type: 'string', default: '9707,11,1879,0' },
    tokens: { type: 'string', default: '6' },
  },
});
if (!values.library || !existsSync(values.library)) fail('--library names no file; see the top of this script.', 2);
const prompt = values.prompt.split(',').map(Number);
const count = Number(values.tokens);
if (!prompt.every(Number.isInteger) || !(count >= 1)) fail('--prompt and --tokens are whole numbers.', 2);

const cache = join(root, '.cache', 'compare-web-llm');
const model = values.model ? resolve(values.model) : join(cache, 'qwen2-0.5b-random');
if (!values.model && !existsSync(join(model, 'mlc-chat-config.json'))) {
  say('Writing a random checkpoint in the shape of Qwen2-0.5B, 278 MB.');
  writeRandomQwen2(model);
}

const { build } = await import('vite');
const pages = join(cache, 'page');
mkdirSync(pages, { recursive: true });
await build({
  root: join(root, 'bench/compare-web-llm'),
  configFile: false,
  logLevel: 'error',
  publicDir: false,
  resolve: { alias: { '@mlc-ai/web-llm': resolve(values.package) } },
  build: {
    outDir: pages,
    emptyOutDir: true,
    target: 'es2023',
    lib: { entry: join(root, 'bench/compare-web-llm/page.ts'), formats: ['es'], fileName: () => 'page.js' },
  },
});

const TYPES = { '.js': 'text/javascript', '.json': 'application/json', '.wasm': 'application/wasm' };
const FOLDERS = { '/model/resolve/main/': model, '/page/': pages };
const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
  if (path === '/') {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<!doctype html><script type="module" src="/page/page.js"></script>');
    return;
  }
  const folder = Object.keys(FOLDERS).find((prefix) => path.startsWith(prefix));
  const file = path === '/library.wasm' ? values.library : folder && join(FOLDERS[folder], path.slice(folder.length));
  if (!file || path.includes('..') || !existsSync(file)) {
    response.writeHead(404);
    response.end();
    return;
  }
  const { size } = statSync(file);
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const start = from === undefined ? 0 : Number(from);
  const end = Math.min(size, to ? Number(to) + 1 : size);
  response.writeHead(from === undefined ? 200 : 206, {
    'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
    'content-length': end - start,
    ...(from === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
  });
  if (request.method === 'HEAD' || end === start) response.end();
  else createReadStream(file, { start, end: end - 1 }).pipe(response);
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const origin = `http://127.0.0.1:${server.address().port}`;

const { default: puppeteer } = await import('puppeteer-core');
const profile = mkdtempSync(join(tmpdir(), 'reckon-compare-'));
const firefox = values.browser === 'firefox';
const browser = await puppeteer.launch({
  browser: firefox ? 'firefox' : 'chrome',
  executablePath: firefox
    ? (process.env.FIREFOX ?? '/usr/bin/firefox-esr')
    : (chromiumPath() ?? fail('No Chromium was found.')),
  headless: true,
  userDataDir: profile,
  protocolTimeout: 0,
  args: firefox
    ? []
    : [
        '--no-sandbox',
        '--enable-unsafe-webgpu',
        '--use-webgpu-adapter=swiftshader',
        '--disable-dev-shm-usage',
        '--disable-background-networking',
      ],
  extraPrefsFirefox: { 'dom.webgpu.enabled': true, 'gfx.webgpu.ignore-blocklist': true, 'dom.max_script_run_time': 0 },
});
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => say(`In the page: ${error.message ?? error}`));
  page.on('requestfailed', (request) => say(`Not fetched: ${request.url()}`));
  await page.goto(`${origin}/`);
  await page.waitForFunction('typeof compare === "function"');
  const task = { model: `${origin}/model/resolve/main/`, library: `${origin}/library.wasm`, prompt, count };
  const sides = [];
  for (const engine of ['reckon', 'web-llm']) {
    say(`${engine}: loading, reading ${prompt.length} tokens, generating ${count}.`);
    sides.push(await page.evaluate(`compare(${JSON.stringify(engine)}, ${JSON.stringify(task)})`));
  }
  const [ours, theirs] = sides;
  const agree = ours.tokens.findIndex((token, i) => token !== theirs.tokens[i]);
  const report = {
    browser: await browser.version(),
    webLlm: JSON.parse(readFileSync(join(values.package, 'package.json'), 'utf8')).version,
    prompt,
    agreeing: agree < 0 ? count : agree,
    of: count,
    sides,
  };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
process.exit(0);
