/** The page in Chromium, on a software GPU: what a person sees and does in the first minutes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenBrowser, openBrowser } from '../support/browser.ts';
import { type Served, servePage } from '../support/server.ts';
import * as driver from './page-driver.ts';

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

/** The value of "12.3 MFLOP", in the unit without its prefix. */
function value(shown: string): number {
  const match = /^([\d.]+)\s*([kMGTPE]?)/.exec(shown.replaceAll('\u202f', ''));
  return match ? Number(match[1]) * 1000 ** ['', 'k', 'M', 'G', 'T', 'P', 'E'].indexOf(match[2] ?? '') : Number.NaN;
}

describe('the page', () => {
  it('is ready with a puzzle filled in, and says honestly what it runs on', async () => {
    const { page } = open;
    await page.setViewport({ width: 1360, height: 900 });
    await driver.openReady(page, served.url);
    expect(await page.$eval('#question', (area) => (area as HTMLTextAreaElement).value)).toMatch(
      /^Use \d+ \d+ \d+ to make \d+\.$/,
    );
    const status = await driver.text(page, '.model');
    expect(status).toContain('proto');
    expect(status).toContain('798 k parameters');
    expect(status).toContain('running on the CPU: correct, but slow');
    expect(await page.$('.notice')).toBeNull();
  });

  it('runs eight lanes that stream, are judged and are counted', async () => {
    const { page, screenshot } = open;
    await driver.pressRun(page);
    await driver.whenThinking(page, 10);
    const early = await driver.lanes(page);
    expect(early).toHaveLength(8);
    expect(await page.$('[data-action=stop]')).not.toBeNull();
    await driver.whenMore(page, 80);
    const later = await driver.lanes(page);
    const length = (seen: driver.LaneSeen[]) => seen.map((lane) => lane.thinking).join('').length;
    expect(length(later)).toBeGreaterThan(length(early));
    for (const [i, lane] of later.entries()) expect(lane.thinking.startsWith(early[i]!.thinking)).toBe(true);
    await screenshot('page-running');
    await driver.whenIdle(page);

    const seen = await driver.lanes(page);
    for (const lane of seen) {
      expect(['right', 'wrong']).toContain(lane.verdict);
      expect(lane.note).toMatch(/\.$/);
      expect(lane.numbers).toMatch(/[1-9]\d* tokens/);
      expect(lane.numbers).toMatch(/[\d.]+ MFLOP/);
      expect(lane.numbers).toMatch(/[\d.]+ [kM]B/);
    }
    // Lanes draw with seeds of their own.
    expect(new Set(seen.map((lane) => lane.thinking)).size).toBeGreaterThan(1);
    const right = seen.filter((lane) => lane.verdict === 'right').length;
    expect(await driver.text(page, '.section-head p')).toBe(`${right} of 8 right`);
    expect(await page.$$('.lane.chosen')).toHaveLength(1);
    const chosen = await page.$eval('.lane.chosen :is(.answer.parsed, .answer:not(.more) .answer-text)', (box) =>
      box.textContent?.trim(),
    );
    expect(await driver.text(page, '.banner-answer')).toBe(chosen);
    if (right > 0) expect(await page.$eval('.lane.chosen', (card) => card.getAttribute('data-verdict'))).toBe('right');

    const cost = await driver.figures(page);
    const [flops, bytes] = [value(cost.flops!), value(cost.bytes!)];
    for (const number of [flops, bytes, value(cost.tokens!), value(cost.pace!)]) expect(number).toBeGreaterThan(0);
    // To the three digits that are shown.
    expect(value(cost.eflops!) / (flops + 562.5 * bytes)).toBeCloseTo(1, 1);
    expect(await page.$('.plot canvas')).not.toBeNull();
    const readings = await driver.text(page, '.readings');
    expect(readings).toMatch(/Attention ?\d+ % of the compute/);
    expect(readings).toContain('at the paper’s 562.5 FLOP a byte');
    const spoken = await driver.text(page, '[role=status]');
    expect(spoken).toContain('Finished.');
    await screenshot('page-light', { fullPage: true });
  });

  it('shows the cost by lane and below the roof, by mouse and by keyboard', async () => {
    const { page, screenshot } = open;
    await page.click('#tab-lanes');
    expect(await page.$$('.by-lane tbody tr')).toHaveLength(8);
    await page.keyboard.press('ArrowRight');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('tab-roof');
    expect(await page.$('.roofline .run')).not.toBeNull();
    expect(await driver.text(page, '.roof-words')).toMatch(/FLOP for each byte, .*FLOP\/s\./);
    await screenshot('page-roofline', { fullPage: true });
    await page.keyboard.press('ArrowRight');
    await page.waitForSelector('.plot canvas');
    await page.click('input[value=bytes]');
    await driver.settle(page);
    expect(await driver.text(page, '.chart-legend')).toMatch(/B\/s/);
  });

  it('keeps to a budget of tokens, and shows how much of it is spent', async () => {
    const { page, screenshot } = open;
    await driver.fill(page, 'input[name=lanes]', '3');
    await driver.fill(page, 'input[name=tokens]', 'a few');
    await page.click('[data-action=run]');
    expect(await page.$('[data-action=stop]')).toBeNull();
    expect(await driver.text(page, '#about-tokens')).toContain('must be a number above 0');
    await driver.fill(page, 'input[name=tokens]', '150');
    await driver.pressRun(page);
    await driver.whenIdle(page);
    const [meter] = await driver.meters(page);
    expect(meter!.name).toBe('Tokens spent');
    expect(meter!.max).toBe(150);
    expect(meter!.now).toBeGreaterThan(60);
    expect((await driver.lanes(page)).every((lane) => lane.verdict !== 'none')).toBe(true);
    await screenshot('page-budget', { fullPage: true });
    await driver.fill(page, 'input[name=tokens]', '');
    await driver.fill(page, 'input[name=lanes]', '8');
  });

  it('stops in mid-run, keeps what was written, and runs again with its KV in int8', async () => {
    const { page } = open;
    await driver.pressRun(page);
    await driver.whenThinking(page, 10);
    const before = await driver.lanes(page);
    await page.click('[data-action=stop]');
    await driver.whenIdle(page);
    const after = await driver.lanes(page);
    for (const [i, lane] of after.entries()) expect(lane.thinking.startsWith(before[i]!.thinking)).toBe(true);
    expect(await page.$('.notice')).toBeNull();

    await page.select('select[name=kv]', 'int8');
    await driver.whenIdle(page);
    expect(await page.$eval('select[name=kv]', (select) => (select as HTMLSelectElement).value)).toBe('int8');
    expect(await driver.lanes(page)).toEqual(after);
    await driver.fill(page, 'input[name=lanes]', '3');
    await driver.pressRun(page);
    await driver.whenThinking(page, 10);
    expect(await driver.lanes(page)).toHaveLength(3);
    await page.keyboard.press('Escape');
    await driver.whenIdle(page);
    expect((await driver.lanes(page)).every((lane) => lane.thinking.length >= 10)).toBe(true);
  });

  it('makes a lane answer at its limit, and says so', async () => {
    const { page } = open;
    await driver.fill(page, 'input[name=lanes]', '2');
    await driver.fill(page, 'input[name=thinking]', '12');
    await driver.pressRun(page);
    await driver.whenIdle(page);
    const closed = await page.$$eval('.thinking .tag.forced', (tags) => tags.map((tag) => tag.textContent));
    expect(closed).toEqual(['</think> (limit)', '</think> (limit)']);
    expect((await driver.lanes(page)).every((lane) => lane.verdict !== 'none')).toBe(true);
  });

  it('tells what is wrong with a puzzle or a setting, and does not run it', async () => {
    const { page } = open;
    await driver.fill(page, '#question', 'Use 13 9 ten to make 77.');
    expect(await driver.text(page, '#question-note')).toContain('"ten"');
    await page.click('[data-action=run]');
    expect(await page.$('[data-action=stop]')).toBeNull();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('question');
    await driver.fill(page, '#question', 'Use 13 9 10 to make 77.');
    expect(await page.$eval('#question', (area) => area.getAttribute('aria-invalid'))).toBe('false');
    await driver.fill(page, 'input[name=lanes]', '0');
    expect(await driver.text(page, '#about-lanes')).toContain('from 1 to 32');
    await page.click('[data-action=run]');
    expect(await page.$('[data-action=stop]')).toBeNull();
  });

  it('suggests lanes and lengths within a budget, and says why', async () => {
    const { page } = open;
    await driver.fill(page, 'input[name=lanes]', '8');
    await page.$eval('input[name=tokens]', (input) => {
      (input as HTMLInputElement).value = '300';
      input.dispatchEvent(new Event('change', { bubbles: true }));
    });
    await page.click('[data-action=suggest]');
    await page.waitForFunction(() => document.querySelector('.advice')?.textContent?.includes('expected'));
    const [lanes, thinking] = await page.$$eval('input[name=lanes], input[name=thinking]', (inputs) =>
      inputs.map((input) => Number((input as HTMLInputElement).value)),
    );
    expect(lanes! * thinking!).toBeLessThanOrEqual(300);
    await open.screenshot('page-advice');
  });

  it('has a name for every control', async () => {
    const { page } = open;
    const nameless = await page.$$eval('button, input, select, textarea', (controls) =>
      controls
        .filter((control) => {
          const labels = (control as HTMLInputElement).labels;
          const name = control.getAttribute('aria-label') ?? labels?.[0]?.textContent ?? control.textContent ?? '';
          return name.trim() === '';
        })
        .map((control) => control.outerHTML),
    );
    expect(nameless).toEqual([]);
  });

  it('fits a phone, in both themes, and remembers the theme', async () => {
    const { page, screenshot } = open;
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }]);
    await page.reload();
    await driver.whenIdle(page);
    await driver.fill(page, 'input[name=thinking]', '60');
    await driver.pressRun(page);
    await driver.whenIdle(page);
    await page.click('.theme');
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark');
    await driver.settle(page);
    await screenshot('page-dark', { fullPage: true });
    for (const width of [390, 320, 820]) {
      await page.setViewport({ width, height: 844 });
      await driver.settle(page);
      expect(await driver.overflow(page), `at ${width} px`).toBeLessThanOrEqual(0);
      await screenshot(`page-${width}`, { fullPage: true });
    }
    await page.reload();
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark');
  });

  it('said nothing on the console', () => {
    // A reader that has the bytes it wants of a file ends the transfer, which the browser reports as aborted.
    const trouble = open.errors.filter((error) => !/^request: .*\.safetensors net::ERR_ABORTED$/.test(error));
    expect(trouble).toEqual([]);
  });
});
