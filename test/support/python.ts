/** A Python that has PyTorch, for what tests the recipe of the embedded models. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const TRAINING = fileURLToPath(new URL('../../training', import.meta.url));

/** `PYTHON` overrules the search; Debian's own Python has Debian's python3-torch, whatever else is on the path. */
function findPython(): string | undefined {
  const candidates = [process.env.PYTHON, 'python3', '/usr/bin/python3'].filter((path) => path !== undefined);
  return candidates.find((path) => spawnSync(path, ['-c', 'import torch, numpy'], { stdio: 'ignore' }).status === 0);
}

/** Undefined where there is none: `npm test` installs Debian's python3-torch where it can, and says so where not. */
export const python = findPython();

/**
 * Runs a Python program on one thread, so that sums have one order.
 * @throws Error with all it said, where it fails.
 */
export function runPython(args: readonly string[], cwd: string = TRAINING): string {
  const env = { ...process.env, OMP_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' };
  const result = spawnSync(python ?? 'python3', args, { cwd, env, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`python3 ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`);
  return `${result.stdout}${result.stderr}`;
}
