import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cost } from '../../src/cli/cost.ts';
import { plan } from '../../src/cli/plan.ts';

const root = join(import.meta.dirname, '../..');
const guide = await readFile(join(root, 'docs/cost-model.md'), 'utf8');
const shown = [...guide.matchAll(/```console\n\$ npm run -s reckon -- (cost|plan) (.*)\n([\s\S]*?)```/g)].map(
  ([, command = '', args = '', output = '']) => ({ command, args, output }),
);

afterEach(() => {
  vi.restoreAllMocks();
});

describe('docs/cost-model.md', () => {
  it('shows commands', () => {
    expect(shown.length).toBeGreaterThan(5);
  });

  it.each(shown)('shows what it prints: $command $args', async ({ command, args, output }) => {
    const written: string[] = [];
    vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
      written.push(String(chunk));
      return true;
    });
    await (command === 'plan' ? plan : cost)(args.split(' '));
    vi.restoreAllMocks();
    expect(written.join('')).toBe(output);
  });
});
