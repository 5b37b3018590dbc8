/** What the tests need of the system: two browsers, a software GPU for the second, and PyTorch for the recipe. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { say } from '../bootstrap.mjs';

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function find(names) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

/** The Chromium or Chrome to use, or undefined. `CHROMIUM` overrules the search. */
export function chromiumPath() {
  return process.env.CHROMIUM || find(CHROMIUM);
}

function hasLavapipe() {
  const folder = '/usr/share/vulkan/icd.d';
  return existsSync(folder) && readdirSync(folder).some((name) => name.startsWith('lvp_icd'));
}

/** A Python with PyTorch; `PYTHON` overrules the search. */
function hasTorch() {
  const candidates = [process.env.PYTHON, 'python3', '/usr/bin/python3'].filter(Boolean);
  return candidates.some((path) => spawnSync(path, ['-c', 'import torch, numpy'], { stdio: 'ignore' }).status === 0);
}

/** Debian packages that are missing here. */
function missingPackages() {
  const missing = [];
  if (!chromiumPath()) missing.push('chromium');
  if (!process.env.FIREFOX && !find(['firefox-esr', 'firefox'])) missing.push('firefox-esr');
  if (!hasLavapipe()) missing.push('mesa-vulkan-drivers');
  if (!hasTorch()) missing.push('python3-torch');
  return missing;
}

/**
 * Installs what the tests need where that can be done (root, apt), and says what to install where not. Never ends
 * the run: tests that lack something fail by themselves and say so.
 */
export function ensureBrowsers() {
  if (process.platform !== 'linux') return;
  const missing = missingPackages();
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !find(['apt-get'])) {
    say(`Missing for tests that will fail or be skipped: ${missing.join(', ')}. On Debian or Ubuntu: sudo ${command}`);
    return;
  }
  say(`Installing for the tests: ${missing.join(', ')}.`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) => spawnSync('apt-get', ['-qq', ...args], { stdio: ['ignore', 'ignore', 2], env }).status === 0;
  // Stale package lists still install at times, so a failing update alone is no reason to give up.
  apt('update');
  if (!apt('install', '-y', '--no-install-recommends', ...missing)) say(`That failed: ${command}`);
}
