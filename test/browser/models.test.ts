/** Choosing a model on the page, in Chromium: fetch with progress, cancel, resume behind a reload, load, delete. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenBrowser, openBrowser } from '../support/browser.ts';
import { type Hub, startHub } from '../support/hub.ts';
import { PROTO } from '../support/model.ts';
import { type Served, servePage } from '../support/server.ts';
import * as driver from './page-driver.ts';

const files = Object.fromEntries(
  readdirSync(PROTO).map((name) => [name, new Uint8Array(readFileSync(join(PROTO, name)))]),
);
const total = Object.values(files).reduce((sum, bytes) => sum + bytes.length, 0);
const ROW = '[data-model="maker/model"]';

let served: Served;
let hub: Hub;
let open: OpenBrowser;

beforeAll(async () => {
  hub = await startHub({ files, token: 'hf_open', pace: 25 });
  served = await servePage();
  open = await openBrowser('chromium');
});

afterAll(async () => {
  await open?.close();
  await served?.close();
  await hub?.close();
});

async function openChooser(): Promise<void> {
  await open.page.click('[data-action=models]');
  await open.page.waitForSelector('dialog.chooser[open] rk-model-row');
}

/** Waits until a text of the page matches. */
async function whenText(selector: string, pattern: RegExp): Promise<void> {
  await open.page.waitForFunction(
    (css: string, source: string) => new RegExp(source).test(document.querySelector(css)?.textContent ?? ''),
    { timeout: 60_000, polling: 50 },
    selector,
    pattern.source,
  );
}

describe('the chooser of models', () => {
  it('comes with its program when it is first asked for, lists what runs here, and fits a phone', async () => {
    const { page, screenshot } = open;
    const fetched: string[] = [];
    page.on('request', (request) => fetched.push(request.url()));
    await page.setViewport({ width: 1280, height: 900 });
    await driver.openReady(page, served.url);
    const before = fetched.length;
    expect(fetched.some((url) => /panel|lib-/.test(url))).toBe(false);
    await openChooser();
    expect(fetched.slice(before).some((url) => /panel/.test(url))).toBe(true);
    expect(await page.$$eval('rk-model-row', (rows) => rows.length)).toBeGreaterThan(60);
    expect(await driver.text(page, '[data-model="Qwen3-0.6B-q4f16_1-MLC"]')).toMatch(/335 MB.*Apache-2\.0.*tokens\/s/);
    expect(await driver.text(page, '[data-model="gemma-2-2b-it-q4f16_1-MLC"]')).toContain('through web-llm');
    await page.type('input[name=find]', 'q4f16 qwen3-8b');
    const shown = await page.$$eval('.model-row', (rows) => rows.map((row) => row.getAttribute('data-model')));
    expect(shown).toEqual(['Qwen3-8B-q4f16_1-MLC']);
    await screenshot('models-1280');
    for (const width of [820, 390, 320]) {
      await page.setViewport({ width, height: 844 });
      await driver.settle(page);
      expect(await page.$eval('.chooser-body', (body) => body.scrollWidth - body.clientWidth), `at ${width} px`).toBe(
        0,
      );
      expect(await driver.overflow(page)).toBeLessThanOrEqual(0);
      await screenshot(`models-${width}`);
    }
    await page.setViewport({ width: 1280, height: 900 });
    await driver.fill(page, 'input[name=find]', '');
    const nameless = await page.$$eval(
      'dialog :is(button, input, select)',
      (controls) =>
        controls.filter((control) => {
          const { labels } = control as HTMLInputElement;
          return (
            (control.getAttribute('aria-label') ?? labels?.[0]?.textContent ?? control.textContent ?? '').trim() === ''
          );
        }).length,
    );
    expect(nameless).toBe(0);
    // Nothing was asked of anybody else.
    expect(fetched.filter((url) => !url.startsWith(served.url) && !/^(data|blob):/.test(url))).toEqual([]);
  });

  it('says what is wrong with a name, and asks for a token where one is wanted', async () => {
    const { page, screenshot } = open;
    await driver.fill(page, 'input[name=source]', 'not a model');
    await page.click('[data-action=fetch]');
    expect(await driver.text(page, '#source-note')).toContain('names no model');
    await driver.fill(page, 'input[name=source]', hub.folder);
    await page.click('[data-action=fetch]');
    await whenText('dialog .notice', /not open to everyone/);
    expect(await driver.text(page, 'dialog .notice')).toContain('token');
    await screenshot('models-token');
  });

  it('fetches with progress, keeps what has come when cancelled, and goes on behind a reload', async () => {
    const { page, screenshot } = open;
    await page.click('.other-source summary');
    await page.type('input[name=token]', 'hf_open');
    await page.click('[data-action=fetch]');
    await whenText('.download-words', /Fetching · [\d.]+ [kM]B of 1\.[67] MB · .*left/);
    await screenshot('models-fetching');
    await page.click('[data-action=cancel-download]');
    await page.waitForSelector('rk-download', { hidden: true });
    await whenText(`${ROW} .kept`, /[\d.]+ [kM]B of 1\.[67] MB here/);
    expect(hub.sent).toBeLessThan(total);

    await page.reload();
    // Another model may be chosen while the page's own still loads.
    await page.waitForSelector('[data-action=models]');
    await openChooser();
    // Tokens are not kept.
    expect(await page.$eval('input[name=token]', (input) => (input as HTMLInputElement).value)).toBe('');
    await page.click('.other-source summary');
    await page.type('input[name=token]', 'hf_open');
    expect(await driver.text(page, `${ROW} [data-action=act]`)).toBe('Resume');
    await page.click(`${ROW} [data-action=act]`);
    // It is loaded when it is here, and the dialog makes way.
    await page.waitForSelector('dialog.chooser', { hidden: true, timeout: 60_000 });
    await driver.whenIdle(page);
    expect(await driver.text(page, '.model')).toMatch(/^model 798 k parameters/);
    // Parts that were under way may come twice; what was here does not.
    expect(hub.sent).toBeLessThan(1.5 * total);
    await driver.fill(page, 'input[name=lanes]', '2');
    await driver.fill(page, 'input[name=thinking]', '12');
    await driver.pressRun(page);
    await driver.whenIdle(page);
    expect(await driver.lanes(page)).toHaveLength(2);
  });

  it('loads what is here without any network, and deletes it on the second press', async () => {
    const { page, screenshot } = open;
    const before = hub.requests.length;
    await openChooser();
    await page.waitForSelector(`${ROW} [data-action=delete]`);
    expect(await driver.text(page, ROW)).toMatch(/loaded.*on this device, 1\.[67] MB/);
    await screenshot('models-kept');
    await page.click(`${ROW} [data-action=act]`);
    await driver.whenIdle(page);
    expect(hub.requests.length).toBe(before);
    await openChooser();
    await page.click(`${ROW} [data-action=delete]`);
    expect(await driver.text(page, `${ROW} [data-action=delete]`)).toBe('Really?');
    await page.click(`${ROW} [data-action=delete]`);
    await page.waitForSelector(ROW, { hidden: true });
    await whenText('.space', /No model is kept here/);
  });

  it('said nothing on the console that was not the server’s refusal', () => {
    const trouble = open.errors.filter((error) => !/401|net::ERR_ABORTED/.test(error));
    expect(trouble).toEqual([]);
  });
});
