/**
 * First thing every script does: the right Node, and dependencies that match the lock file. Uses nothing that has to be
 * installed. Speaks on stderr only: stdout belongs to the script.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const NEEDED = [20, 19];
const LOCK = join(root, '.cache', 'install.lock');
/** A lock without an owner's id is one in the making; after this long its maker is gone. */
const ORPHAN_MS = 5000;

/** Says one line to the person, on stderr. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** Ends the script with a sentence instead of a stack trace. */
export function fail(line, code = 1) {
  say(line);
  process.exit(code);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) return;
  fail(
    `Reckon needs Node ${NEEDED.join('.')} or newer; this is ${process.versions.node}. Install a current one from https://nodejs.org.`,
  );
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/**
 * True when what is installed is what the lock file asks for. By content, not by time stamps: a checkout touches the
 * lock file, and npm writes its own record last, so that an install that broke off does not count.
 */
export function isInstalled(folder = root) {
  const wanted = readJson(join(folder, 'package-lock.json'))?.packages;
  const present = readJson(join(folder, 'node_modules', '.package-lock.json'))?.packages;
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || entry.link) return true;
    const found = present[path];
    // Optional packages are those of other platforms, mostly; npm leaves them out.
    if (!found) return Boolean(entry.optional || entry.devOptional || entry.peer);
    return found.version === entry.version;
  });
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Takes the lock. @returns false when a living process has it. */
function takeLock() {
  mkdirSync(dirname(LOCK), { recursive: true });
  for (;;) {
    try {
      mkdirSync(LOCK);
      writeFileSync(join(LOCK, 'owner.json'), String(process.pid));
      return true;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const owner = Number(readJson(join(LOCK, 'owner.json')));
      const age = Date.now() - (statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs ?? 0);
      if (owner ? isAlive(owner) : age < ORPHAN_MS) return false;
      rmSync(LOCK, { recursive: true, force: true });
    }
  }
}

/** How to run npm: the one that runs this script, else the one on the PATH. */
export function npm(args, options = {}) {
  const script = process.env.npm_execpath;
  if (script && /npm-cli\.c?js$/.test(script) && existsSync(script)) {
    return spawnSync(process.execPath, [script, ...args], { cwd: root, ...options });
  }
  return spawnSync('npm', args, { cwd: root, shell: process.platform === 'win32', ...options });
}

async function install() {
  let told = false;
  while (!isInstalled()) {
    if (!takeLock()) {
      if (!told) say('Waiting for another install of the dependencies to end.');
      told = true;
      await new Promise((resolve) => setTimeout(resolve, 250));
      continue;
    }
    // Another process may have installed between the look and the lock.
    const trouble = isInstalled() ? null : runInstall();
    rmSync(LOCK, { recursive: true, force: true });
    if (trouble) fail(trouble);
  }
}

/** @returns what went wrong, as a sentence, or null. */
function runInstall() {
  say('Installing the dependencies (npm ci); this happens once.');
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, error } = npm(args, { stdio: ['ignore', 2, 2] });
  if (error) return `npm did not start: ${error.message}. It comes with Node; check that it is on the PATH.`;
  if (status !== 0) return `npm ci failed with exit code ${status}; see above. It needs the network.`;
  if (!isInstalled())
    return 'npm ci left packages out that package-lock.json asks for. Delete node_modules and try again.';
  return null;
}

checkNode();
await install();
