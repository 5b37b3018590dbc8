/**
 * `npm test`: everything the tests need, then the checks and all tests. `npm test -- path …` runs only tests whose path
 * contains one of these, without the checks. The last line is always `tests: N passed, N failed, N skipped`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root, say } from './bootstrap.mjs';
import { ensureBrowsers } from './lib/browsers.mjs';

const report = join(root, '.cache', 'test-report.json');
const filters = process.argv.slice(2);

/** Runs the program of an installed package with this terminal's streams. */
const program = (path, ...args) => [process.execPath, [join(root, 'node_modules', path), ...args]];

function check(what, command) {
  const { status } = spawnSync(command[0], command[1], { cwd: root, stdio: 'inherit' });
  if (status !== 0) say(`${what} failed; see above. (npm run fix mends what can be mended.)`);
  return status === 0;
}

/** Runs vitest, at most RECKON_TEST_MINUTES long. @returns true when all passed. */
function runTests() {
  const [command, args] = program(
    'vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...filters,
  );
  // A process group of its own, so that a hung test's workers can be ended with it.
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', detached: true });
  const end = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // It has ended in the meantime.
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => end(signal));
  const minutes = Number(process.env.RECKON_TEST_MINUTES);
  const timers = [];
  if (minutes > 0) {
    timers.push(
      setTimeout(() => {
        say(`The tests took longer than ${minutes} minutes and were ended.`);
        end('SIGTERM');
        timers.push(setTimeout(() => end('SIGKILL'), 10_000));
      }, minutes * 60_000),
    );
  }
  return new Promise((resolve) => {
    child.once('error', (error) => {
      say(`vitest did not start: ${error.message}.`);
      resolve(false);
    });
    child.once('exit', (code) => {
      for (const timer of timers) clearTimeout(timer);
      resolve(code === 0);
    });
  });
}

/** Counts from the report; a file that did not even load counts as one failure. */
function counts() {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    const broken = testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length;
    return { passed: numPassedTests, failed: numFailedTests + broken, skipped: numPendingTests + numTodoTests };
  } catch {
    say('vitest left no report behind.');
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

mkdirSync(join(root, '.cache'), { recursive: true });
rmSync(report, { force: true });
ensureBrowsers();
const checked =
  filters.length > 0 ||
  [
    check('Lint and format', program('@biomejs/biome/bin/biome', 'check', '.')),
    check('Type check', program('typescript/bin/tsc', '--noEmit')),
  ].every(Boolean);
const passed = await runTests();
const { passed: good, failed, skipped } = counts();
process.stdout.write(`tests: ${good} passed, ${failed} failed, ${skipped} skipped\n`);
process.exit(checked && passed && failed === 0 ? 0 : 1);
