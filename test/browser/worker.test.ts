import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectWellFormed, type Told } from '../strategies/stream.ts';
import { type BrowserModule, openModule } from '../support/browser.ts';
import { PROTO } from '../support/model.ts';
import type * as cases from './cases/worker.ts';

type Cases = typeof cases;
type Result<Name extends keyof Cases> = Cases[Name] extends (...args: never[]) => Promise<infer T> ? T : never;

const NAMES = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'];

let module: BrowserModule;
const call = <Name extends keyof Cases>(name: Name, ...args: unknown[]) => module.call<Result<Name>>(name, ...args);

beforeAll(async () => {
  module = await openModule('chromium', new URL('./cases/worker.ts', import.meta.url));
});
afterAll(() => module?.close());

// In this order: later cases use the model of the first.
describe('the engine in a worker', () => {
  it('loads from files and tells how far it is', async () => {
    const files = NAMES.map((name) => ({ name, base64: readFileSync(join(PROTO, name)).toString('base64') }));
    const { info, phases, last } = await call('load', files);
    expect(info.parameters).toBe(798_336);
    expect(info.capacity.totalPages).toBeGreaterThan(0);
    expect(phases).toEqual(['configuration', 'weights', 'kernels', 'ready']);
    expect(last).toEqual({ phase: 'ready', loaded: 798_336 * 2, total: 798_336 * 2 });
  });

  it('runs: every event in order, the page free meanwhile, the result as in-process', async () => {
    const { events, answer, turns } = await call('run');
    expectWellFormed({ events, answer } as Told, 2);
    expect(answer.candidates.some(({ verdict }) => verdict?.correct)).toBe(true);
    expect(turns).toBeGreaterThan(3);
  });

  it('serves chat completions, whole and streamed', async () => {
    const { whole, streamed } = await call('chat');
    expect(whole).toHaveLength(2);
    expect(streamed).toEqual(whole);
  });

  it('stops by signal and by leaving, and runs again', async () => {
    const { stopped, abandoned, before, again } = await call('abort');
    expect(stopped).toContain('abort');
    expect(abandoned).toContain('abort');
    expect(before).toMatchObject({ typed: true, code: 'aborted' });
    expect(again).not.toBeNull();
  });

  it('keeps errors typed, with their codes and hints', async () => {
    const { option, capacity, unsendable, gpu, chat } = await call('errors');
    expect(option).toMatchObject({ typed: true, code: 'bad-option', message: expect.stringContaining('n is 0') });
    expect(capacity).toMatchObject({ typed: true, code: 'over-capacity', hint: expect.stringMatching(/at most \d+/) });
    expect(capacity.message.split(capacity.hint!)).toHaveLength(2);
    expect(unsendable).toMatchObject({ typed: true, code: 'bad-option' });
    expect(gpu).toMatchObject({ typed: true, code: 'bad-option' });
    expect(chat).toMatchObject({ typed: true, code: 'bad-option' });
  });

  it('fails to load with the same errors, and goes on', async () => {
    const { aborted, tokenizer, nothing, url } = await call('badLoads');
    expect(aborted).toMatchObject({ typed: true, code: 'aborted' });
    expect(tokenizer).toMatchObject({ typed: true, code: 'bad-tokenizer' });
    expect(nothing).toMatchObject({
      typed: true,
      code: 'bad-checkpoint',
      message: expect.stringMatching(/no-such-model\/ has no config\.json/),
    });
    expect(url).toMatchObject({ typed: true, code: 'bad-option' });
  });

  it('disposes one model of two, in mid-run', async () => {
    const { ended, after, other } = await call('dispose');
    expect(['lane-disposed', 'device-lost']).toContain(ended);
    expect(after).toMatchObject({ typed: true, code: 'device-lost' });
    expect(other).not.toBeNull();
  });

  it('rejects what is under way when it is ended, and everything after', async () => {
    await expect(call('terminate')).rejects.toMatchObject({ inBrowser: { code: 'device-lost' } });
    const { after, load } = await call('afterwards');
    expect(after).toMatchObject({ typed: true, code: 'device-lost' });
    expect(load).toMatchObject({ typed: true, code: 'device-lost' });
  });

  it('says so when the worker does not start', async () => {
    const { missing, broken, again } = await call('neverStarts');
    expect(missing).toMatchObject({ typed: true, code: 'internal', message: expect.stringContaining('worker') });
    expect(broken).toMatchObject({ code: 'internal', message: expect.stringContaining('broken worker') });
    expect(again).toEqual(broken);
  });
});
