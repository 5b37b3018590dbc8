/** Results of an experiment in a file, for Node: JSON lines, the head first, then a line per unit. */
import { appendFile, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ReckonError } from '../errors.ts';
import type { ResultStore, StoredResults, StoreHeader, UnitRecord } from './store.ts';

/**
 * A file that grows by whole lines. A line that was cut off while it was written is dropped at the next `load`. From `load`
 * to `close` the file belongs to this process; one that died without closing does not hold it.
 */
export class FileStore implements ResultStore {
  readonly #path: string;
  #held = false;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * @throws ReckonError `bad-option` where the file is something else, is damaged before its last line, or belongs to
   *   another process.
   */
  async load(): Promise<StoredResults | null> {
    await this.#hold();
    const bytes = await readFile(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (!bytes) return null;
    // A line counts once its end is there.
    const end = bytes.lastIndexOf(10) + 1;
    if (end === 0) {
      if (HEAD.startsWith(bytes.toString('utf8', 0, HEAD.length))) return null;
      throw this.#damaged(1, 'is not the head of a lab file');
    }
    const lines = bytes.toString('utf8', 0, end - 1).split('\n');
    const [header, ...units] = lines.map((line, i) => this.#parse(line, i + 1));
    if (!isHeader(header)) throw this.#damaged(1, 'is not the head of a lab file');
    // Only now is it known to be a file of ours.
    if (end < bytes.length) await truncate(this.#path, end);
    return { header, units: units as UnitRecord[] };
  }

  async begin(header: StoreHeader): Promise<void> {
    await writeFile(this.#path, `${JSON.stringify(header)}\n`);
  }

  async append(unit: UnitRecord): Promise<void> {
    await appendFile(this.#path, `${JSON.stringify(unit)}\n`);
  }

  /** Gives the file free. */
  async close(): Promise<void> {
    if (this.#held) await rm(this.#lock, { force: true });
    this.#held = false;
  }

  get #lock(): string {
    return `${this.#path}.lock`;
  }

  async #hold(): Promise<void> {
    if (this.#held) return;
    await mkdir(dirname(this.#path), { recursive: true });
    for (;;) {
      try {
        await writeFile(this.#lock, String(process.pid), { flag: 'wx' });
        this.#held = true;
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = Number(await readFile(this.#lock, 'utf8').catch(() => ''));
      if (isRunning(holder)) {
        throw new ReckonError('bad-option', `${this.#path} is being written by process ${holder}.`, {
          hint: 'Wait for it or stop it, or choose another folder.',
          details: { path: this.#path, process: holder },
        });
      }
      await rm(this.#lock, { force: true });
    }
  }

  #parse(line: string, number: number): unknown {
    try {
      return JSON.parse(line);
    } catch {
      throw this.#damaged(number, 'is not JSON');
    }
  }

  #damaged(line: number, what: string): ReckonError {
    return new ReckonError('bad-option', `Line ${line} of ${this.#path} ${what}.`, {
      hint: 'Move that file away, or choose another folder.',
      details: { path: this.#path, line },
    });
  }
}

/** How every such file begins. */
const HEAD = '{"format":"reckon-lab"';

function isRunning(id: number): boolean {
  if (!Number.isInteger(id) || id <= 0) return false;
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    // There, but not ours to signal.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isHeader(value: unknown): value is StoreHeader {
  const header = value as Partial<StoreHeader> | null;
  return header?.format === 'reckon-lab' && header.version === 1;
}
