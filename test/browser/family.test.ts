/** Models of the embedded family on the pages, in Chromium: one of them thinks, and two are compared. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenBrowser, openBrowser } from '../support/browser.ts';
import { type Served, servePage } from '../support/server.ts';
import * as driver from './page-driver.ts';

const SMALL = 'reckon-125k';
const PATIENCE = { timeout: 120_000 };

let served: Served;
let open: OpenBrowser;

beforeAll(async () => {
  served = await servePage();
  open = await openBrowser('chromium');
});

afterAll(async () => {
  await open?.close();
  await served?.close();
});

describe('a model of the family', () => {
  it('is opened by the address, poses its own puzzles and thinks in the style that is chosen', async () => {
    const { page, screenshot } = open;
    await page.setViewport({ width: 1280, height: 900 });
    await page.goto(`${served.url}?model=${SMALL}`);
    await driver.whenIdle(page);
    expect(await driver.text(page, '.model')).toMatch(/reckon-125k.*127 k parameters/);
    expect(await page.$eval('#question', (area) => (area as HTMLTextAreaElement).value)).not.toBe('');
    await driver.fill(page, 'input[name=lanes]', '3');
    await driver.fill(page, 'input[name=thinking]', '40');
    await driver.pressRun(page);
    await driver.whenIdle(page);
    const seen = await driver.lanes(page);
    expect(seen).toHaveLength(3);
    for (const lane of seen) {
      expect(['right', 'wrong']).toContain(lane.verdict);
      expect(lane.thinking).toMatch(/[a-z]/);
    }
    await screenshot('family');
  });

  it('is compared in the lab with another that was given the same task', async () => {
    const { page, screenshot } = open;
    for (const model of ['proto', SMALL]) {
      await page.goto(`${served.url}lab/?model=${model}`);
      await page.waitForSelector('rk-lab [data-action=run]');
      await page.select('select[name=task]', 'countdown');
      await page.select('select[name=difficulty]', '3');
      await driver.fill(page, 'input[name=problems]', '2');
      await driver.fill(page, 'input[name=samples]', '2');
      await driver.fill(page, 'input[name=n]', '1, 2');
      await driver.fill(page, 'input[name=thinking]', '6');
      expect(await page.$('[data-action=compare]')).toBeNull();
      await page.click('[data-action=run]');
      await page.waitForSelector('.lab-progress[data-phase=finished]', PATIENCE);
    }
    expect(await driver.text(page, '[data-action=compare]')).toBe(`Compare ${SMALL}, proto`);
    await page.click('[data-action=compare]');
    const drawing = await page.waitForSelector('rk-lab-comparison .lab-plot svg', PATIENCE);
    const words = await drawing!.evaluate((svg) => svg.textContent ?? '');
    for (const model of ['proto', SMALL]) expect(words).toContain(model);
    await screenshot('lab-compared', { fullPage: true });
  });

  it('is told from an address that can name none, by a sentence', async () => {
    const { page } = open;
    await page.goto(`${served.url}lab/?model=${encodeURIComponent('../secret')}`);
    await page.waitForSelector('rk-lab [data-action=run]');
    expect(await driver.text(page, '[role=alert]')).toBe(
      'The address asks for the model "../secret". The form begins with reckon-2m instead.',
    );
    expect(open.errors.filter((error) => !/^request: .*\/models\/.* net::ERR_ABORTED$/.test(error))).toEqual([]);
  });
});
