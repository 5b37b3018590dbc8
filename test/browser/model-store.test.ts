import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrowserKind, type OpenBrowser, openBrowser } from '../support/browser.ts';
import { type Hub, startHub } from '../support/hub.ts';
import { PROTO } from '../support/model.ts';
import { type Served, serveModule } from '../support/server.ts';
import type * as cases from './cases/model-store.ts';

type Cases = typeof cases;
type Result<Name extends keyof Cases> = Awaited<ReturnType<Cases[Name]>>;

const names = readdirSync(PROTO).filter((name) => /\.(json|safetensors|jinja)$/.test(name));
const files = Object.fromEntries(names.map((name) => [name, new Uint8Array(readFileSync(join(PROTO, name)))]));

let served: Served;
beforeAll(async () => {
  served = await serveModule(new URL('./cases/model-store.ts', import.meta.url));
});
afterAll(() => served?.close());

// Firefox has its own private file system, but the model need not be run on a second slow GPU.
describe.each<[BrowserKind, boolean]>([
  ['chromium', true],
  ['firefox', false],
])('models kept in %s', (kind, run) => {
  let hub: Hub;
  let open: OpenBrowser;
  beforeAll(async () => {
    hub = await startHub({ files, repository: 'maker/proto', pace: 5 });
    open = await openBrowser(kind);
  });
  afterAll(async () => {
    await open?.close();
    await hub?.close();
  });

  /** A call in a page that has just been loaded: nothing of earlier ones is left but what is stored. */
  async function call<Name extends keyof Cases>(name: Name, ...args: Parameters<Cases[Name]>): Promise<Result<Name>> {
    await open.page.goto(served.url);
    const text = await open.page.evaluate(`window.call(${JSON.stringify(name)}, ${JSON.stringify(args)})`);
    const { value, error } = JSON.parse(String(text)) as {
      value: Result<Name>;
      error?: { message: string; stack: string };
    };
    if (error) throw new Error(`${error.message}\n${error.stack}\n${open.errors.join('\n')}`);
    return value;
  }

  it('go on at the byte after an abort, a reload and the death of the worker, and then work offline', async () => {
    const reference = { repository: 'maker/proto', from: hub.url };
    const total = hub.options.files['model.safetensors']!.length;
    const stopped = await call('download', reference, { bytes: total / 4, by: 'abort' });
    expect(stopped.error).toBe('aborted');
    const first = (await call('list')).models[0]!;
    expect(first).toMatchObject({ name: 'maker/proto', complete: false });
    expect(first.bytes).toBeGreaterThanOrEqual(total / 4);

    const killed = await call('download', reference, { bytes: total * 0.6, by: 'death' });
    expect(killed.error).toBe('device-lost');
    const { models, same, writing } = await call('list');
    expect(models[0]!.bytes).toBeGreaterThanOrEqual(first.bytes);
    // The page itself sees the same, and says why it cannot write.
    expect([same, writing]).toEqual([true, 'storage']);

    const rest = await call('download', reference);
    expect(rest).toMatchObject({ error: 'none', model: { complete: true, bytes: rest.model!.total } });
    expect(rest.received).toBe(rest.model!.bytes - models[0]!.bytes);
    await hub.close();
    expect((await call('download', reference)).received).toBe(0);
    if (run) {
      const { parameters, phases, chosen } = await call('reason', reference);
      expect(parameters).toBe(798_336);
      expect(phases).toEqual(['download', 'configuration', 'weights', 'kernels', 'ready']);
      expect(chosen).not.toBeNull();
    }
    expect(await call('remove', reference)).toBe(0);
    expect((await call('list')).space.models).toBe(0);
  });

  it('are fetched once when two pages want them at a time', async () => {
    hub = await startHub({ files, repository: 'maker/proto', pace: 5 });
    const { complete, damaged } = await call('twice', { repository: 'maker/proto', from: hub.url });
    expect([complete, damaged]).toEqual([[true, true], []]);
    expect(hub.sent).toBe(Object.values(files).reduce((sum, bytes) => sum + bytes.length, 0));
  });
});
