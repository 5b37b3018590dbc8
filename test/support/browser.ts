/**
 * Real browsers, headless, with WebGPU on a software driver. Chromium runs SwiftShader (f32, subgroups); Firefox runs
 * the system's lavapipe (f16). Use them in `test/browser/` only: those files run one at a time.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer, { type Browser, type LaunchOptions, type Page } from 'puppeteer-core';
import { hasGpuNode } from '../../src/node/drivers.ts';
import { serveModule } from './server.ts';

export type BrowserKind = 'chromium' | 'firefox';

export interface OpenBrowser {
  browser: Browser;
  page: Page;
  /** Everything that went wrong in the page: exceptions, console errors, failed requests. */
  errors: string[];
  /** Saves what the page shows below `.cache/screenshots/`. @returns the path of the file. */
  screenshot(name: string, options?: { fullPage?: boolean }): Promise<string>;
  close(): Promise<void>;
}

/** Longest that one call into a page may take, in ms. Above vitest's own limit, so that vitest names the test. */
const PROTOCOL_TIMEOUT = 600_000;
const SHOTS = fileURLToPath(new URL('../../.cache/screenshots', import.meta.url));

const PROGRAMS: Record<BrowserKind, { names: string[]; variable: string; debian: string }> = {
  chromium: {
    names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    variable: 'CHROMIUM',
    debian: 'chromium',
  },
  firefox: { names: ['firefox-esr', 'firefox'], variable: 'FIREFOX', debian: 'firefox-esr mesa-vulkan-drivers' },
};

/** Path of the browser's executable. @throws Error that says what to install where there is none. */
export function findBrowser(kind: BrowserKind): string {
  const { names, variable, debian } = PROGRAMS[kind];
  const given = process.env[variable];
  if (given) {
    if (existsSync(given)) return given;
    throw new Error(`${variable} names ${given}, which does not exist.`);
  }
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      if (existsSync(join(folder, name))) return join(folder, name);
    }
  }
  throw new Error(
    `This test needs ${kind}, and none of ${names.join(', ')} is on the PATH. Debian or Ubuntu: sudo apt-get install ${debian}. ` +
      `Elsewhere: install it and set ${variable} to its executable.`,
  );
}

function launchOptions(kind: BrowserKind, profile: string): LaunchOptions {
  const common: LaunchOptions = {
    executablePath: findBrowser(kind),
    headless: true,
    userDataDir: profile,
    protocolTimeout: PROTOCOL_TIMEOUT,
    defaultViewport: { width: 1280, height: 900 },
  };
  if (kind === 'chromium') {
    return {
      ...common,
      browser: 'chrome',
      args: [
        '--no-sandbox',
        '--enable-unsafe-webgpu',
        '--use-webgpu-adapter=swiftshader',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        // Small /dev/shm in containers otherwise ends renderers.
        '--disable-dev-shm-usage',
      ],
    };
  }
  return {
    ...common,
    browser: 'firefox',
    env: { ...process.env, ...lavapipe() },
    extraPrefsFirefox: {
      'dom.webgpu.enabled': true,
      'dom.webgpu.workers.enabled': true,
      'gfx.webgpu.ignore-blocklist': true,
      'browser.shell.checkDefaultBrowser': false,
      'datareporting.policy.dataSubmissionEnabled': false,
      'app.update.disabledForTesting': true,
      // A software GPU may keep a script waiting for long.
      'dom.max_script_run_time': 0,
    },
  };
}

/** Points Firefox to lavapipe where there is no GPU; other drivers only complain there. */
function lavapipe(): Record<string, string> {
  const folder = '/usr/share/vulkan/icd.d';
  if (process.platform !== 'linux' || hasGpuNode()) return {};
  const name = existsSync(folder) ? readdirSync(folder).find((file) => file.startsWith('lvp_icd')) : undefined;
  if (name === undefined) {
    throw new Error(
      "This test needs a software GPU for Firefox, Mesa's lavapipe. Debian or Ubuntu: sudo apt-get install mesa-vulkan-drivers.",
    );
  }
  return { VK_DRIVER_FILES: join(folder, name), VK_ICD_FILENAMES: join(folder, name), NODEVICE_SELECT: '1' };
}

/** Opens a browser with a fresh profile and one page. Close it in a `finally`, or use `withBrowser`. */
export async function openBrowser(kind: BrowserKind): Promise<OpenBrowser> {
  const profile = mkdtempSync(join(tmpdir(), `reckon-${kind}-`));
  const forget = () => rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  let browser: Browser;
  try {
    browser = await puppeteer.launch(launchOptions(kind, profile));
  } catch (error) {
    forget();
    throw error;
  }
  const close = async () => {
    await browser.close().catch(() => browser.process()?.kill('SIGKILL'));
    forget();
  };
  try {
    const page = (await browser.pages())[0] ?? (await browser.newPage());
    return { browser, page, errors: collectErrors(page), screenshot: screenshotOf(page), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Runs `work` in a browser that is closed whatever happens. */
export async function withBrowser<T>(kind: BrowserKind, work: (open: OpenBrowser) => Promise<T>): Promise<T> {
  const open = await openBrowser(kind);
  try {
    return await work(open);
  } finally {
    await open.close();
  }
}

function collectErrors(page: Page): string[] {
  const errors: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`console: ${message.text()} (${message.location().url ?? ''})`);
  });
  page.on('pageerror', (error) => errors.push(`exception: ${error instanceof Error ? error.message : String(error)}`));
  page.on('requestfailed', (request) => errors.push(`request: ${request.url()} ${request.failure()?.errorText ?? ''}`));
  return errors;
}

function screenshotOf(page: Page): OpenBrowser['screenshot'] {
  return async (name, { fullPage = false } = {}) => {
    mkdirSync(SHOTS, { recursive: true });
    const path = join(SHOTS, `${name}.png`) as `${string}.png`;
    await page.screenshot({ path, fullPage });
    return path;
  };
}

/** A TypeScript module loaded into a browser's page. */
export interface BrowserModule {
  /** Calls an exported function there. Arguments and result cross as JSON (typed arrays: send plain arrays). */
  call<T>(name: string, ...args: unknown[]): Promise<T>;
  errors: readonly string[];
  close(): Promise<void>;
}

/**
 * Builds a module for the browser and loads it into a page.
 * @param module path or URL: `new URL('./cases/x.ts', import.meta.url)`. It may import anything of `src/` but `node/`.
 */
export async function openModule(kind: BrowserKind, module: string | URL): Promise<BrowserModule> {
  const served = await serveModule(module);
  let open: OpenBrowser | undefined;
  const close = async () => {
    await open?.close();
    await served.close();
  };
  try {
    open = await openBrowser(kind);
    const { page, errors } = open;
    await page.goto(served.url);
    return { call: (name, ...args) => callIn(page, errors, name, args), errors, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** One call of `openModule`, from start to end: Firefox over lavapipe, the f16 implementation there is everywhere. */
export async function runInFirefox<T>(module: string | URL, name: string, ...args: unknown[]): Promise<T> {
  const opened = await openModule('firefox', module);
  try {
    return await opened.call<T>(name, ...args);
  } finally {
    await opened.close();
  }
}

async function callIn<T>(page: Page, errors: readonly string[], name: string, args: unknown[]): Promise<T> {
  // As text: vitest rewrites the functions of a test file in ways that a page does not understand.
  const text = await page.evaluate(`window.call(${JSON.stringify(name)}, ${JSON.stringify(args)})`);
  const { value, error } = JSON.parse(String(text)) as { value?: T; error?: { message: string; stack?: string } };
  if (error === undefined) return value as T;
  const seen = errors.length > 0 ? `\nThe page also said:\n${errors.join('\n')}` : '';
  throw Object.assign(new Error(`${name} in the browser: ${error.message}\n${error.stack ?? ''}${seen}`), {
    inBrowser: error,
  });
}
