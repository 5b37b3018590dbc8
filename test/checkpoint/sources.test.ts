import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CheckpointSource, filesSource, isMissingFile, urlSource } from '../../src/checkpoint/index.ts';
import { directorySource } from '../../src/checkpoint/node.ts';
import { checkPath } from '../../src/checkpoint/source.ts';
import { isReckonError } from '../../src/errors.ts';
import { drain, errorOf } from '../support/checkpoint.ts';

const DATA = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) ^ (i >> 8));
let folder: string;
let server: Server;
let base: string;
const seen: { method: string | undefined; url: string | undefined; token: string | undefined }[] = [];

/** A server of many manners: the first part of the path says which. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const [, manner, file] = (request.url ?? '').split('/');
  seen.push({ method: request.method, url: request.url, token: request.headers.authorization });
  const reply = (status: number, headers: Record<string, string | number>, body?: Uint8Array | string) => {
    response.writeHead(status, headers);
    response.end(request.method === 'HEAD' ? undefined : body);
  };
  if (manner === 'page') {
    reply(200, { 'content-type': 'text/html' }, '<!doctype html>');
    return;
  }
  if (manner === 'busy') {
    reply(503, {}, 'later');
    return;
  }
  if (manner === 'gated') {
    reply(401, {}, 'no');
    return;
  }
  if (file === 'config.json') {
    reply(200, { 'content-type': 'application/json' }, '{"a":"é"}');
    return;
  }
  if (file !== 'data.bin') {
    reply(404, {}, 'no such file');
    return;
  }
  if (manner === 'headless' && request.method === 'HEAD') {
    reply(405, {});
    return;
  }
  if (manner === 'broken') {
    response.writeHead(200, { 'content-length': DATA.length });
    response.write(DATA.subarray(0, 5000));
    setTimeout(() => response.destroy(), 20);
    return;
  }
  if (manner === 'stalled' && request.method === 'GET') {
    response.writeHead(200, { 'content-length': DATA.length });
    response.write(DATA.subarray(0, 5000));
    return;
  }
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  if (!range || manner === 'rangeless') {
    reply(200, { 'content-length': DATA.length }, DATA);
    return;
  }
  const start = Number(range[1]) + (manner === 'shifted' ? 1 : 0);
  const end = Math.min(range[2] === '' ? DATA.length : Number(range[2]) + 1, DATA.length);
  if (start >= DATA.length) {
    reply(416, { 'content-range': `bytes */${DATA.length}` });
    return;
  }
  const part = DATA.subarray(start, end);
  reply(206, { 'content-length': part.length, 'content-range': `bytes ${start}-${end - 1}/${DATA.length}` }, part);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reckon-source-'));
  await writeFile(join(folder, 'data.bin'), DATA);
  await writeFile(join(folder, 'config.json'), '{"a":"é"}');
  server = createServer(answer);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await rm(folder, { recursive: true, force: true });
});

function pickedFiles(): CheckpointSource {
  const inFolder = (name: string, path: string, data: BlobPart) => {
    const file = new File([data], name);
    Object.defineProperty(file, 'webkitRelativePath', { value: path });
    return file;
  };
  return filesSource([
    inFolder('config.json', 'my model/old/config.json', '{}'),
    inFolder('config.json', 'my model/config.json', '{"a":"é"}'),
    inFolder('data.bin', 'my model/data.bin', DATA),
  ]);
}

/** Two tries, quickly. */
const RETRY = { attempts: 2, baseSeconds: 0.001 };

const sources: [string, () => CheckpointSource][] = [
  ['a URL', () => urlSource(`${base}/plain`)],
  ['a server without ranges', () => urlSource(`${base}/rangeless/`)],
  ['a server without HEAD', () => urlSource(`${base}/headless`)],
  ['a folder', () => directorySource(folder)],
  ['picked files', pickedFiles],
];

describe.each(sources)('%s', (_, make) => {
  it('tells what there is', async () => {
    const source = make();
    expect(await source.text('config.json')).toBe('{"a":"é"}');
    expect(await source.size('data.bin')).toBe(DATA.length);
    expect([await source.has('data.bin'), await source.has('other.bin')]).toEqual([true, false]);
    for (const call of [
      () => source.text('other.bin'),
      () => source.open('other.bin'),
      () => source.size('other.bin'),
    ]) {
      const error = await errorOf(call);
      expect(isReckonError(error) && isMissingFile(error)).toBe(true);
    }
  });

  it('gives any part, also beyond the end', async () => {
    const source = make();
    expect(Buffer.compare(await drain(await source.open('data.bin')), DATA)).toBe(0);
    const position = fc.nat(DATA.length + 10);
    await fc.assert(
      fc.asyncProperty(position, fc.option(position, { nil: undefined }), async (a, b) => {
        const start = Math.min(a, b ?? a);
        const end = b === undefined ? undefined : Math.max(a, b);
        const part = await drain(await source.open('data.bin', end === undefined ? { start } : { start, end }));
        expect(Buffer.compare(part, DATA.subarray(start, end))).toBe(0);
      }),
      { numRuns: 15 },
    );
    expect((await errorOf(() => source.open('data.bin', { start: 5, end: 4 }))).message).toMatch(/byte range 5 to 4/);
    expect((await errorOf(() => source.open('data.bin', { start: -1 }))).message).toMatch(/byte range -1/);
  });

  it('refuses paths that leave the checkpoint, and reads whose signal has fired', async () => {
    const source = make();
    for (const path of ['../data.bin', '/etc/hosts', 'a//b', 'http://x/y', 'a\\b', 'x?y']) {
      expect(isReckonError(await errorOf(() => source.open(path)), 'bad-checkpoint')).toBe(true);
    }
    const signal = AbortSignal.abort();
    expect(isReckonError(await errorOf(() => source.open('data.bin', { signal })), 'aborted')).toBe(true);
    expect(isReckonError(await errorOf(() => source.text('config.json', { signal })), 'aborted')).toBe(true);
  });

  it('can be left in the middle', async () => {
    const reader = (await make().open('data.bin', { start: 1 })).getReader();
    expect((await reader.read()).value?.[0]).toBe(DATA[1]);
    await reader.cancel();
  });
});

describe('urlSource', () => {
  it('turns answers into typed errors with status, address and a hint', async () => {
    const cases: [string, number | undefined, RegExp][] = [
      ['page', 200, /web page instead of the file .*\/page\/data.bin/],
      ['busy', 503, /answered 503 Service Unavailable .*try again later/],
      ['gated', 401, /refused access.*access token/s],
      ['shifted', 206, /Asked for bytes from 10, the server sent them from 11/],
    ];
    for (const [manner, status, message] of cases) {
      const error = await errorOf(() =>
        urlSource(`${base}/${manner}`, { retry: RETRY }).open('data.bin', { start: 10 }),
      );
      if (!isReckonError(error, manner === 'gated' ? 'access-denied' : 'network')) throw error;
      expect(error.message).toMatch(message);
      expect(error.details.status).toBe(status);
    }
    const missing = await errorOf(() => urlSource(`${base}/plain`).open('x.bin'));
    expect(isReckonError(missing, 'network') && missing.message).toMatch(/no such file: it answered 404/);
    expect(await urlSource(`${base}/page`).has('data.bin')).toBe(false);
    expect(
      isReckonError(await errorOf(() => urlSource(`${base}/busy`, { retry: RETRY }).has('data.bin')), 'network'),
    ).toBe(true);
  });

  it('reports a connection that cannot be made or breaks', async () => {
    const offline = urlSource('https://example.invalid/model', {
      fetch: () => Promise.reject(new TypeError('fetch failed')),
      retry: RETRY,
    });
    const error = await errorOf(() => offline.text('config.json'));
    expect(isReckonError(error, 'network') && error.message).toMatch(/could not be fetched .*example\.invalid.*CORS/);
    const broken = await errorOf(async () =>
      drain(await urlSource(`${base}/broken`, { retry: RETRY }).open('data.bin')),
    );
    expect(isReckonError(broken, 'network') && broken.message).toMatch(/connection broke after \d+ bytes/);
  });

  it('ends a stalled read when its signal fires', async () => {
    const abort = new AbortController();
    const stream = await urlSource(`${base}/stalled`).open('data.bin', { signal: abort.signal });
    setTimeout(() => abort.abort(), 20);
    expect(isReckonError(await errorOf(() => drain(stream)), 'aborted')).toBe(true);
  });

  it('sends its headers, escapes names, keeps a query', async () => {
    const source = urlSource(`${base}/plain?token=1`, { headers: { authorization: 'Bearer t' } });
    await errorOf(() => source.text('a b%.bin'));
    expect(seen.at(-1)).toEqual({ method: 'GET', url: '/plain/a%20b%25.bin?token=1', token: 'Bearer t' });
    expect(() => urlSource('models/proto')).toThrow(/"models\/proto" is not a URL/);
  });
});

describe('filesSource', () => {
  it('takes loose files, and says when there are none', async () => {
    const source = filesSource([new File(['{}'], 'config.json')]);
    expect(await source.text('config.json')).toBe('{}');
    expect(() => filesSource([])).toThrow(/No files were given/);
  });
});

describe('checkPath', () => {
  it('keeps what it accepts inside', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fc.constantFrom('a', '..', '.', '', 'b.json'), { maxLength: 5 }).map((parts) => parts.join('/')),
        ),
        (path) => {
          try {
            checkPath(path);
          } catch (error) {
            expect(isReckonError(error, 'bad-checkpoint')).toBe(true);
            return;
          }
          expect(join('/root', path).startsWith('/root/')).toBe(true);
          expect(new URL(path.split('/').map(encodeURIComponent).join('/'), 'http://h/root/').href).toMatch(
            /^http:\/\/h\/root\/./,
          );
        },
      ),
    );
  });
});
