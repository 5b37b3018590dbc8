import { existsSync, rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type BrowserModule, findBrowser, openModule, withBrowser } from '../support/browser.ts';
import type { AdapterReport } from './cases/adapter.ts';

const CASES = new URL('./cases/adapter.ts', import.meta.url);

describe('Chromium', () => {
  let chromium: BrowserModule;
  beforeAll(async () => {
    chromium = await openModule('chromium', CASES);
  });
  afterAll(() => chromium?.close());

  it('offers a WebGPU adapter', async () => {
    const report = await chromium.call<AdapterReport>('adapterReport');
    expect(report.name).not.toBe('');
    expect(report.features).toContain('subgroups');
    expect(chromium.errors).toEqual([]);
  });

  it('hands a failure in the page on to the test', async () => {
    await expect(chromium.call('failOnPurpose')).rejects.toThrow('failOnPurpose in the browser: on purpose');
    await expect(chromium.call('missing')).rejects.toThrow('exports no function missing');
  });
});

describe('Firefox', () => {
  let firefox: BrowserModule;
  beforeAll(async () => {
    firefox = await openModule('firefox', CASES);
  });
  afterAll(() => firefox?.close());

  it('offers a WebGPU adapter with f16', async () => {
    const report = await firefox.call<AdapterReport>('adapterReport');
    expect(report.features).toContain('shader-f16');
    expect(firefox.errors).toEqual([]);
  });

  it('computes in f16, bit for bit', async () => {
    const input = Array.from({ length: 64 }, (_, i) => (i - 20) * 3);
    const bits = await firefox.call<number[]>('scaleInF16', input.map(toHalf));
    const expected = input.map((x) => {
      const tenth = fromHalf(toHalf(0.1));
      return [roundToHalf(roundToHalf(x * tenth) + 1), roundToHalf(x * tenth + 1)];
    });
    // WGSL leaves it open whether a product and a sum are rounded once or twice.
    for (const [i, value] of bits.map(fromHalf).entries()) expect(expected[i]).toContain(value);
  });
});

describe('a browser', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('is asked for by name where it is missing', () => {
    vi.stubEnv('PATH', '/nowhere');
    vi.stubEnv('CHROMIUM', '');
    vi.stubEnv('FIREFOX', '/nowhere/firefox');
    expect(() => findBrowser('chromium')).toThrow(/needs chromium, .* sudo apt-get install chromium/);
    expect(() => findBrowser('firefox')).toThrow('FIREFOX names /nowhere/firefox, which does not exist.');
  });

  it('collects what goes wrong in the page, and takes pictures', async () => {
    await withBrowser('chromium', async ({ page, errors, screenshot }) => {
      await page.goto('data:text/html,<title>x</title><script>console.error("one"); throw new Error("two")</script>');
      const path = await screenshot('harness');
      expect(existsSync(path)).toBe(true);
      rmSync(path);
      expect(errors.join('\n')).toMatch(/console: one[\s\S]*exception: two/);
    });
  });
});

/** Nearest half-precision number; exact for the magnitudes used here (normal range). */
function roundToHalf(x: number): number {
  if (x === 0) return 0;
  const step = 2 ** (Math.floor(Math.log2(Math.abs(x))) - 10);
  const scaled = x / step;
  const low = Math.floor(scaled);
  const tie = scaled - low === 0.5;
  return (tie ? (low % 2 === 0 ? low : low + 1) : Math.round(scaled)) * step;
}

function toHalf(x: number): number {
  if (x === 0) return 0;
  const value = roundToHalf(x);
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const mantissa = (Math.abs(value) / 2 ** exponent - 1) * 1024;
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | mantissa;
}

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
