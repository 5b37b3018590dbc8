import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Consumer, installConsumer } from './consumer.ts';

let consumer: Consumer;
beforeAll(() => {
  consumer = installConsumer();
}, 300_000);
afterAll(() => consumer?.remove());

const installed = (path: string) => join(consumer.folder, 'node_modules/reckon', path);

describe('the packed package', () => {
  it('holds what runs, the models and the licence, and nothing of the workshop', () => {
    expect(consumer.packed).toEqual(
      expect.arrayContaining(['dist/index.js', 'dist/types/index.d.ts', 'models/proto/model.safetensors', 'LICENSE']),
    );
    const folders = new Set(consumer.packed.map((path) => path.split('/')[0]));
    expect([...folders].sort()).toEqual(expect.not.arrayContaining(['src', 'test', 'scripts', 'demo', 'bench']));
  });

  it('has a file behind every door', () => {
    const targets = Object.values(consumer.manifest.exports).flatMap((door) =>
      typeof door === 'string' ? [door] : [door.types, door.default],
    );
    const missing = [...targets, ...Object.values(consumer.manifest.bin)].filter(
      (path) => !existsSync(installed(path)),
    );
    expect(missing).toEqual([]);
  });

  it('carries a command that is a program', () => {
    expect(readFileSync(installed(consumer.manifest.bin.reckon!), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it('runs in a script', () => {
    consumer.write({
      'sample.js': `
        import { ReckonError } from 'reckon';
        const error = new ReckonError('bad-option', 'n is 0.', { hint: 'Use 1.' });
        console.log(JSON.stringify({ code: error.code, message: error.message }));`,
    });
    const { status, stdout, stderr } = consumer.node('sample.js');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ code: 'bad-option', message: 'n is 0. Use 1.' });
  });

  it.each(['bundler', 'nodenext'] as const)('type-checks in a consumer that resolves like %s', (moduleResolution) => {
    consumer.write({
      'sample.ts': `
        import { ReckonError } from 'reckon';
        export const code: string = new ReckonError('bad-option', 'n is 0.').code;
        // @ts-expect-error: no such code; if this is no error, the types did not arrive.
        new ReckonError('no-such-code', '');`,
    });
    const { status, stdout } = consumer.typeCheck('sample.ts', moduleResolution);
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });
});
