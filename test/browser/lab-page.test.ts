/** The lab's page in Chromium, on a software GPU: an experiment runs, pauses, outlives a reload and is finished. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenBrowser, openBrowser } from '../support/browser.ts';
import { type Served, servePage } from '../support/server.ts';
import * as driver from './page-driver.ts';

const PATIENCE = { timeout: 120_000 };

let served: Served;
let open: OpenBrowser;
let downloads: string;

beforeAll(async () => {
  downloads = await mkdtemp(join(tmpdir(), 'reckon-downloads-'));
  served = await servePage();
  open = await openBrowser('chromium');
  const session = await open.browser.target().createCDPSession();
  await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads });
});

afterAll(async () => {
  await open?.close();
  await served?.close();
  if (downloads) await rm(downloads, { recursive: true, force: true });
});

const words = (selector: string) => driver.text(open.page, selector);
const whenPhase = (phase: string) => open.page.waitForSelector(`.lab-progress[data-phase=${phase}]`, PATIENCE);

const RUNS = /(\d+) of \d+ runs/;

/** "3 of 8 runs" → 3, as soon as it is said. */
async function runsDone(): Promise<number> {
  await open.page.waitForFunction(
    (shape: string) => new RegExp(shape).test(document.querySelector('.lab-progress p')?.textContent ?? ''),
    PATIENCE,
    RUNS.source,
  );
  return Number(RUNS.exec(await words('.lab-progress p'))?.[1]);
}

/** Presses a button of the files and returns what the browser then saved. */
async function download(file: string, saved: string): Promise<string> {
  await open.page.click(`[data-file="${file}"]`);
  for (let i = 0; i < 100 && !readdirSync(downloads).includes(saved); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return readFileSync(join(downloads, saved), 'utf8');
}

describe("the lab's page", () => {
  it('is reached from the puzzles, and says what is wrong with an experiment', async () => {
    const { page } = open;
    await page.setViewport({ width: 1280, height: 900 });
    await page.goto(served.url);
    await page.waitForSelector('a[href="lab/"]');
    await page.click('a[href="lab/"]');
    await page.waitForSelector('rk-lab [data-action=run]');
    await page.goto(driver.withProto(page.url()));
    await page.waitForSelector('rk-lab [data-action=run]');
    expect(await words('[data-part=work]')).toMatch(/^432 chains in 18 runs, up to 42.480 tokens\.$/u);
    expect(await words('select[name=task]')).toMatch(/^Countdown\s*Knights & Knaves$/);
    await driver.fill(page, 'input[name=n]', '1, two');
    expect(await words('#about-n')).toContain('whole numbers from 1 to 32');
    await page.click('[data-action=run]');
    expect(await page.$('.lab-progress')).toBeNull();
    expect(await page.evaluate(() => document.activeElement?.getAttribute('name'))).toBe('n');
  });

  it('pauses, keeps what is done over a reload, and goes on to the end', async () => {
    const { page, screenshot } = open;
    await driver.fill(page, 'input[name=n]', '1, 2, 4');
    await driver.fill(page, 'input[name=samples]', '4');
    await driver.fill(page, 'input[name=problems]', '30');
    await driver.fill(page, 'input[name=thinking]', '3, 9');
    await page.click('[data-action=run]');
    await whenPhase('running');
    await page.waitForSelector('.lab-plot svg', PATIENCE);
    await screenshot('lab-running', { fullPage: true });
    await page.click('[data-action=pause]');
    await whenPhase('paused');
    const done = await runsDone();
    expect(done).toBeGreaterThan(1);
    expect(done).toBeLessThan(60);
    expect(await words('[data-part=so-far]')).toMatch(/^So far: \d+ of 30 problems$/);

    await page.reload();
    await page.waitForSelector('.lab-plot svg', PATIENCE);
    expect(await words('.lab-kept li')).toContain(`${done} of 60 runs done`);
    expect(await words('[data-action=run]')).toBe('Resume');
    expect(await page.$eval('input[name=thinking]', (input) => (input as HTMLInputElement).value)).toBe('3, 9');
    await page.click('[data-action=resume]');
    await whenPhase('running');
    expect(await runsDone()).toBeGreaterThanOrEqual(done);
    await whenPhase('finished');
    expect(await words('.lab-progress p')).toContain('60 of 60 runs');
    expect(await words('.lab-kept li')).toContain('finished');
    expect(await words('[role=status]')).toBe('The experiment is finished.');
  });

  it('shows the points against what they cost, and gives them as files', async () => {
    const { page, screenshot } = open;
    expect(await page.$$('.lab-table tbody tr')).toHaveLength(6);
    expect(await page.$$('.lab-plot .frontier')).toHaveLength(1);
    expect(await words('.lab-plot')).toContain('eFLOPs as counted, I = 562.5');
    const paper = await words('.lab-table tbody');
    await page.click('input[value=device]');
    expect(await words('.lab-plot')).toContain('(this device)');
    expect(await words('.lab-table tbody')).not.toBe(paper);
    await page.click('input[value=selection]');
    expect(await words('.lab-plot')).toContain('who chooses');
    await page.click('input[value=measured]');
    await screenshot('lab-light', { fullPage: true });

    const csv = await download('results.csv', 'reckon-countdown-3-results.csv');
    const rows = csv.trimEnd().split('\r\n');
    expect(rows[0]).toMatch(/^group,thinking,kv,n,selection,problems,samples,accuracy,/);
    expect(rows).toHaveLength(1 + 2 * 3 * 3);
    const json = JSON.parse(await download('results.json', 'reckon-countdown-3-results.json'));
    expect(json.experiment).toMatchObject({ problems: 30, n: [1, 2, 4], thinking: [3, 9], samples: 4 });
    const svg = await download('countdown-3-measured-device.svg', 'reckon-countdown-3-measured-device.svg');
    expect(svg).toMatch(/^<svg xmlns=/);
  });

  it('looks at the same samples with other N at once, and deletes them when told', async () => {
    const { page } = open;
    await driver.fill(page, 'input[name=n]', '1, 3');
    expect(await words('[data-action=run]')).toBe('Show');
    await page.click('[data-action=run]');
    await page.waitForFunction(() => document.querySelectorAll('.lab-table tbody tr').length === 4, PATIENCE);
    await page.click('[data-action=forget]');
    await page.waitForFunction(() => !document.querySelector('.lab-kept, .lab-plot'), PATIENCE);
    expect(await words('[data-action=run]')).toBe('Run');
    await page.reload();
    await page.waitForSelector('[data-action=run]');
    expect(await page.$('.lab-kept')).toBeNull();
  });

  it('names every control, and fits a phone in both themes', async () => {
    const { page, screenshot } = open;
    await driver.fill(page, 'input[name=problems]', '1');
    await driver.fill(page, 'input[name=samples]', '2');
    await driver.fill(page, 'input[name=n]', '1, 2');
    await driver.fill(page, 'input[name=thinking]', '4');
    await page.focus('input[name=thinking]');
    await page.keyboard.press('Enter');
    await whenPhase('finished');
    const nameless = await page.$$eval('button, input, select', (controls) =>
      controls
        .filter((control) => {
          const label = (control as HTMLInputElement).labels?.[0]?.textContent;
          return (control.getAttribute('aria-label') ?? label ?? control.textContent ?? '').trim() === '';
        })
        .map((control) => control.outerHTML),
    );
    expect(nameless).toEqual([]);
    await page.click('.theme');
    for (const width of [1280, 390, 320]) {
      await page.setViewport({ width, height: 844 });
      await driver.settle(page);
      expect(await driver.overflow(page), `at ${width} px`).toBeLessThanOrEqual(0);
      await screenshot(`lab-dark-${width}`, { fullPage: true });
    }
  });

  it('said nothing on the console', () => {
    // A reader that has the bytes it wants of a file, or a page that is left, ends transfers: reported as aborted.
    const trouble = open.errors.filter((error) => !/^request: .*\/models\/.* net::ERR_ABORTED$/.test(error));
    expect(trouble).toEqual([]);
  });
});
