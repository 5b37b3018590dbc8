import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Consumer, installConsumer, root } from './consumer.ts';

let consumer: Consumer;
beforeAll(() => {
  consumer = installConsumer();
}, 300_000);
afterAll(() => consumer?.remove());

const installed = (path: string) => join(consumer.folder, 'node_modules/reckon', path);

describe('the packed package', () => {
  it('holds what runs, the models and the licence, and nothing of the workshop', () => {
    expect(consumer.packed).toEqual(
      expect.arrayContaining([
        'dist/index.js',
        'dist/types/index.d.ts',
        'models/reckon-2m/model.safetensors',
        'LICENSE',
      ]),
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

  it('runs the code of the README: the ten lines, then lanes of the same model', () => {
    const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```js\n([\s\S]*?)```/g)].map(
      ([, js]) => js!,
    );
    const first = blocks.find((js) => js.includes('model.reason('))!;
    const lanes = blocks.find((js) => js.includes('engine.open()'))!;
    expect(first.trim().split('\n').length).toBeLessThanOrEqual(10);
    // "Copy models/ beside your app."
    cpSync(installed('models'), join(consumer.folder, 'models'), { recursive: true });
    const tail =
      'console.log(lanes.map(({ tokens }) => model.engine.decode(tokens)).join("\\n---\\n")); model.dispose();';
    consumer.write({ 'readme.js': `${first}\n${lanes}\n${tail}` });
    const { status, stdout, stderr } = consumer.node('readme.js');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    // The chains are drawn anew every time: answers may be wrong, and have lines.
    for (let lane = 0; lane < 8; lane++) expect(stdout).toMatch(new RegExp(`^${lane} `, 'm'));
    expect(stdout).toMatch(/ \d+(\.\d+)? \d+(\.\d+)?$/m);
    expect(stdout.split('\n---\n')).toHaveLength(4);
  });

  it('solves a puzzle from its command, as installed', () => {
    const cli = installed(consumer.manifest.bin.reckon!);
    const { status, stdout, stderr } = consumer.node(
      cli,
      'solve',
      '--model',
      'proto',
      '--task',
      'knights',
      '--n',
      '2',
      '--seed',
      '4',
      '--json',
    );
    expect(stderr).toContain('Model: proto');
    expect(status).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.problem.task).toBe('knights');
    expect(report.candidates).toHaveLength(2);
  });

  it('finds its models from wherever a program runs', () => {
    consumer.write({
      'deep/down/models.js': `
        import { embeddedModel } from 'reckon/node';
        console.log(embeddedModel());
        try { embeddedModel('huge'); } catch (error) { console.log(error.message); }`,
    });
    const { stdout } = consumer.node('deep/down/models.js');
    const [folder, message] = stdout.trim().split('\n');
    expect(existsSync(join(folder!, 'model.safetensors'))).toBe(true);
    expect(folder).toMatch(/reckon-2m$/);
    expect(message).toMatch(/^There is no embedded model "huge". There are: .*proto.*reckon-2m/);
  });

  it.each(['bundler', 'nodenext'] as const)('type-checks in a consumer that resolves like %s', (moduleResolution) => {
    consumer.write({
      'sample.ts': `
        import { type Answer, type ChatCompletion, connectWorker, loadModel, type Model, ReckonError } from 'reckon';
        import { embeddedModel, openNodeGpu } from 'reckon/node';
        import 'reckon/worker';
        import type { ReckonBudget } from 'reckon/elements';
        export const meter: ReckonBudget | null = document.querySelector('reckon-budget');
        meter?.push({ type: 'lane', lane: 0, seed: 1 });
        export const code: string = new ReckonError('bad-option', 'n is 0.').code;
        export async function solve(): Promise<[Answer, ChatCompletion]> {
          const { gpu } = await openNodeGpu({ driver: 'auto' });
          const model: Model = await loadModel(embeddedModel(), { gpu, precision: { kv: 'f32' } });
          const run = model.reason({ prompt: 'Use 3 5 7 to make 22.', strategy: { name: 'best-of-n', n: 8 }, budget: { tokens: 900 } });
          for await (const event of run) if (event.type === 'token') console.log(event.lane, event.text);
          const stream = await model.chat.completions.create({ messages: [{ role: 'user', content: 'x' }], n: 2, stream: true });
          for await (const { choices } of stream) console.log(choices[0]?.delta.reasoning_content);
          return [await run.result, await model.chat.completions.create({ messages: [] })];
        }
        export const far = (worker: Worker): Promise<Model> => connectWorker(worker).loadModel('/models/proto/');
        // @ts-expect-error: no such strategy.
        export const wrong = (model: Model) => model.reason({ prompt: 'x', strategy: { name: 'guess' } });
        // @ts-expect-error: no such code; if this is no error, the types did not arrive.
        new ReckonError('no-such-code', '');`,
    });
    const { status, stdout } = consumer.typeCheck('sample.ts', moduleResolution);
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });
});
