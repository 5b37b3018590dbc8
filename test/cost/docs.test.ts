import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cost } from '../../src/cli/cost.ts';
import { plan } from '../../src/cli/plan.ts';
import { stdoutOf } from '../support/stdout.ts';

const root = join(import.meta.dirname, '../..');
const guide = await readFile(join(root, 'docs/cost-model.md'), 'utf8');
const shown = [...guide.matchAll(/```console\n\$ npm run -s reckon -- (cost|plan) (.*)\n([\s\S]*?)```/g)].map(
  ([, command = '', args = '', output = '']) => ({ command, args, output }),
);

describe('docs/cost-model.md', () => {
  it('shows commands', () => {
    expect(shown.length).toBeGreaterThan(5);
  });

  it.each(shown)('shows what it prints: $command $args', async ({ command, args, output }) => {
    expect(await stdoutOf(command === 'plan' ? plan : cost, args)).toBe(output);
  });
});
