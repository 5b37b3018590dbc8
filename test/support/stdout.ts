/** What a command of the CLI writes to stdout, run in this process. */
import { vi } from 'vitest';

/** Runs `command` with the words of `line`, and returns what it wrote; what it throws is thrown. */
export async function stdoutOf(command: (args: string[]) => Promise<void>, line: string): Promise<string> {
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    written.push(String(chunk));
    return true;
  });
  try {
    await command(line.split(' ').filter((word) => word !== ''));
  } finally {
    spy.mockRestore();
  }
  return written.join('');
}
