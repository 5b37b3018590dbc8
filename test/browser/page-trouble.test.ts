/** The page where something is missing or breaks: it says what, why, and what to do. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer, { type Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBrowser, withBrowser } from '../support/browser.ts';
import { type Served, servePage } from '../support/server.ts';
import * as driver from './page-driver.ts';

let served: Served;

beforeAll(async () => {
  served = await servePage();
});

afterAll(async () => {
  await served?.close();
});

/** A browser whose WebGPU finds no adapter: on a machine without a GPU, any that is not told to use a software one. */
async function withoutAdapter(work: (page: Page) => Promise<void>): Promise<void> {
  const profile = mkdtempSync(join(tmpdir(), 'reckon-no-adapter-'));
  const browser = await puppeteer.launch({
    executablePath: findBrowser('chromium'),
    userDataDir: profile,
    // With no GPU process there is no adapter on any machine.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  });
  try {
    await work(await browser.newPage());
  } finally {
    await browser.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** Passes requests on to `target`, but answers 404 where `hidden` says so. */
async function proxyOf(target: string, hidden: (path: string) => boolean): Promise<Served> {
  const server = createServer(async (request, response) => {
    const path = request.url ?? '/';
    if (hidden(path)) {
      response.writeHead(404).end();
      return;
    }
    const { range } = request.headers;
    const answer = await fetch(new URL(path, target), { headers: range ? { range } : {} });
    const headers = [...answer.headers].filter(([name]) => /^(content-type|content-range|accept-ranges)$/.test(name));
    response.writeHead(answer.status, Object.fromEntries(headers));
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}/`, close };
}

describe('the page in trouble', () => {
  it('says plainly that the browser has no WebGPU, why, and what to do', async () => {
    await withBrowser('chromium', async ({ page, errors, screenshot }) => {
      await page.evaluateOnNewDocument('delete Navigator.prototype.gpu;');
      await page.goto(served.url);
      await page.waitForSelector('.notice[role=alert]');
      expect(await driver.text(page, '.notice h2')).toContain('the browser offers no WebGPU');
      const notice = await driver.text(page, '.notice');
      expect(notice).toContain('graphics processor');
      expect(notice).toContain('Chrome');
      expect(await page.$('.notice button')).toBeNull();
      expect(await page.$('[data-action=run][disabled]')).not.toBeNull();
      expect(await driver.text(page, '.model')).toContain('No model is loaded');
      await screenshot('page-no-webgpu');
      expect(errors).toEqual([]);
    });
  });

  it('tells a browser without WebGPU from one that finds no graphics processor', async () => {
    await withoutAdapter(async (page) => {
      await page.goto(served.url);
      await page.waitForSelector('.notice[role=alert]', { timeout: 60_000 });
      expect(await driver.text(page, '.notice h2')).toContain('found no graphics processor');
      expect(await driver.text(page, '.notice')).toContain('driver');
    });
  });

  it('says which file of the model is missing, and loads it again when asked', async () => {
    let missing = true;
    const proxy = await proxyOf(served.url, (path) => missing && path.startsWith('/models/'));
    try {
      await withBrowser('chromium', async ({ page, screenshot }) => {
        await page.goto(driver.withProto(proxy.url));
        await page.waitForSelector('.notice[role=alert]', { timeout: 120_000 });
        await screenshot('page-missing-model');
        expect(await driver.text(page, '.notice')).toMatch(/models\/proto\/ has no config\.json/);
        missing = false;
        await page.click('.notice .button');
        await driver.whenIdle(page);
        expect(await page.$('.notice')).toBeNull();
      });
    } finally {
      await proxy.close();
    }
  });

  it('keeps what it shows when the GPU is lost, and can load again', async () => {
    await withBrowser('chromium', async ({ browser, page, screenshot }) => {
      await driver.openReady(page, served.url);
      await driver.pressRun(page);
      await driver.whenThinking(page, 10);
      const before = await driver.lanes(page);
      const session = await browser.target().createCDPSession();
      await session.send('Browser.crashGpuProcess');
      await page.waitForSelector('.notice[role=alert]', { timeout: 60_000 });
      expect(await driver.text(page, '.notice h2')).toContain('graphics processor');
      const after = await driver.lanes(page);
      for (const [i, lane] of after.entries()) expect(lane.thinking.startsWith(before[i]!.thinking)).toBe(true);
      // The chart's canvas lived on that GPU too.
      await page.waitForFunction(() => {
        const canvas = document.querySelector<HTMLCanvasElement>('.plot canvas');
        return canvas?.getContext('2d')?.isContextLost() === false;
      });
      await screenshot('page-lost');
      await page.click('.notice .button');
      await driver.whenIdle(page);
      await driver.pressRun(page);
      await driver.whenThinking(page, 5);
    });
  });
});
