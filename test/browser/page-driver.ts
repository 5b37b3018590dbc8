/** Drives the page as a person would: by what is written on it. */
import type { Page } from 'puppeteer-core';

/** Software GPUs compile shaders slowly. */
const PATIENCE = 120_000;

export interface LaneSeen {
  thinking: string;
  answer: string;
  verdict: string;
  numbers: string;
  note: string;
}

/** The page with a model that tests know: what needs just any model waits for no other. */
export const withProto = (url: string): string => `${url}?model=proto`;

/** Opens the page and waits until the model is ready. */
export async function openReady(page: Page, url: string): Promise<void> {
  await page.goto(withProto(url));
  await whenIdle(page);
}

/** Waits until Run can be pressed: the model is loaded, and no run is under way. */
export async function whenIdle(page: Page): Promise<void> {
  await page.waitForSelector('[data-action=run]:not([disabled])', { timeout: PATIENCE });
}

export async function pressRun(page: Page): Promise<void> {
  await page.click('[data-action=run]');
  await page.waitForSelector('[data-action=stop]');
}

/** Waits until every lane has written at least `characters`. */
export async function whenThinking(page: Page, characters: number): Promise<void> {
  await page.waitForFunction(
    (least: number) => {
      const texts = [...document.querySelectorAll('.thinking-text')].map((box) => box.textContent ?? '');
      return texts.length > 0 && texts.every((text) => text.length >= least);
    },
    { timeout: PATIENCE, polling: 50 },
    characters,
  );
}

/** Waits until the lanes together have written `characters` more than now, or the run is over. */
export async function whenMore(page: Page, characters: number): Promise<void> {
  const written = (await lanes(page)).reduce((sum, lane) => sum + lane.thinking.length, 0);
  await page.waitForFunction(
    (least: number) => {
      const texts = [...document.querySelectorAll('.thinking-text')].map((box) => box.textContent ?? '');
      const over = document.querySelector('[data-action=run]') !== null;
      return over || texts.join('').length >= least;
    },
    { timeout: PATIENCE, polling: 50 },
    written + characters,
  );
}

export function lanes(page: Page): Promise<LaneSeen[]> {
  return page.$$eval('.lane', (cards) =>
    cards.map((card) => {
      const text = (selector: string) => card.querySelector(selector)?.textContent?.trim() ?? '';
      return {
        thinking: text('.thinking-text'),
        answer: text('.answer-text'),
        verdict: card.getAttribute('data-verdict') ?? '',
        numbers: text('.lane-numbers'),
        note: text('.note'),
      };
    }),
  );
}

/** The cost panel's figures by name, as they are written. */
export async function figures(page: Page): Promise<Record<string, string>> {
  const pairs = await page.$eval('reckon-budget', (meter) =>
    [...(meter.shadowRoot?.querySelectorAll('[data-figure]') ?? [])].map((cell) => [
      cell.getAttribute('data-figure') ?? '',
      cell.querySelector('dd')?.textContent ?? '',
    ]),
  );
  return Object.fromEntries(pairs) as Record<string, string>;
}

/** What the cost panel says of each limit of the budget. */
export function meters(page: Page): Promise<{ name: string; now: number; max: number }[]> {
  return page.$eval('reckon-budget', (meter) =>
    [...(meter.shadowRoot?.querySelectorAll('[role=meter]') ?? [])].map((gauge) => ({
      name: gauge.getAttribute('aria-label') ?? '',
      now: Number(gauge.getAttribute('aria-valuenow')),
      max: Number(gauge.getAttribute('aria-valuemax')),
    })),
  );
}

export function text(page: Page, selector: string): Promise<string> {
  return page.$eval(selector, (element) => (element.textContent ?? '').replace(/\s+/g, ' ').trim());
}

/** Replaces what a field holds. */
export async function fill(page: Page, selector: string, value: string): Promise<void> {
  await page.click(selector, { count: 3 });
  await page.keyboard.press('Backspace');
  if (value !== '') await page.type(selector, value);
  await page.keyboard.press('Tab');
}

/** Pixels by which the page is wider than its window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
}

/** Waits for the next rendered frame, when a change of size or theme has settled. */
export async function settle(page: Page): Promise<void> {
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(null)))),
  );
}
