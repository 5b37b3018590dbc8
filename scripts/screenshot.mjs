/**
 * `npm run screenshot`: opens the page in headless Chromium, runs the puzzle that is filled in, and takes the README's
 * pictures once an answer is chosen: `docs/screenshot.png` and `docs/screenshot-dark.png`.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fail, root, say } from './bootstrap.mjs';
import { chromiumPath, ensureBrowsers } from './lib/browsers.mjs';
import { buildPage, servePage } from './lib/page.mjs';

/** A software GPU compiles and computes slowly. */
const PATIENCE = 300_000;
const SIZE = { width: 1280, height: 1160, deviceScaleFactor: 1.5 };

ensureBrowsers();
const executablePath = chromiumPath() ?? fail('No Chromium or Chrome was found; install one, or set CHROMIUM to it.');
await buildPage();
const { default: puppeteer } = await import('puppeteer-core');
const served = await servePage({ port: 0, host: '127.0.0.1' });
const profile = mkdtempSync(join(tmpdir(), 'reckon-screenshot-'));
const browser = await puppeteer.launch({
  executablePath,
  headless: true,
  userDataDir: profile,
  protocolTimeout: 2 * PATIENCE,
  defaultViewport: SIZE,
  args: ['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--disable-dev-shm-usage'],
});
let trouble = null;
try {
  const page = await browser.newPage();
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }]);
  await page.goto(served.url);
  const run = await page.waitForSelector('[data-action=run]:not([disabled])', { timeout: PATIENCE });
  await run.click();
  await page.waitForSelector('rk-answer .banner[data-verdict]', { timeout: PATIENCE });
  await page.waitForSelector('[data-action=run]:not([disabled])', { timeout: PATIENCE });
  mkdirSync(join(root, 'docs'), { recursive: true });
  await page.screenshot({ path: join(root, 'docs/screenshot.png') });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
  await page.waitForSelector('html[data-theme=dark]', { timeout: 10_000 });
  await page.screenshot({ path: join(root, 'docs/screenshot-dark.png') });
} catch (error) {
  trouble = error;
} finally {
  await browser.close();
  await served.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
if (trouble) fail(`No picture was taken: ${trouble.message}`);
say('Wrote docs/screenshot.png and docs/screenshot-dark.png.');
process.exit(0);
