import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { publicationOf } from '../../../src/checkpoint/hub/list.ts';
import { connect } from '../../../src/checkpoint/hub/publication.ts';
import { isRepositoryName, modelOrigin, originName, parseModelName } from '../../../src/checkpoint/hub/reference.ts';
import { selectFiles } from '../../../src/checkpoint/hub/select.ts';
import { repositorySource } from '../../../src/checkpoint/index.ts';
import { isReckonError } from '../../../src/errors.ts';
import { drain, errorOf } from '../../support/checkpoint.ts';
import { closeHubs, hubWith, MODEL, noise, reference, SHARDS, WANTED } from '../../support/download.ts';

afterEach(closeHubs);

const HUB = 'https://huggingface.co/';

describe('parseModelName', () => {
  it('reads what people write', () => {
    const repository = (name: string, revision = 'main', file: string | null = null, from = HUB) =>
      ({ kind: 'repository', repository: name, revision, file, from }) as const;
    const cases: [string, ReturnType<typeof parseModelName>][] = [
      ['Qwen/Qwen3-0.6B', repository('Qwen/Qwen3-0.6B')],
      [' Qwen/Qwen3-0.6B@refs/pr/3 ', repository('Qwen/Qwen3-0.6B', 'refs/pr/3')],
      ['a/b@v1:Q4_K_M', repository('a/b', 'v1', 'Q4_K_M')],
      ['https://huggingface.co/a/b', repository('a/b')],
      ['https://huggingface.co/a/b/tree/v2', repository('a/b', 'v2')],
      ['https://huggingface.co/a/b/blob/main/x-Q8_0.gguf', repository('a/b', 'main', 'x-Q8_0.gguf')],
      ['http://mirror:8080/a/b/resolve/v2/', repository('a/b', 'v2', null, 'http://mirror:8080/')],
      ['https://host/models/proto', { kind: 'url', url: 'https://host/models/proto/', file: null }],
      ['https://host/m/x.gguf?key=1', { kind: 'url', url: 'https://host/m/?key=1', file: 'x.gguf' }],
    ];
    for (const [text, origin] of cases) {
      expect(parseModelName(text), text).toEqual(origin);
      // It is its own name.
      expect(modelOrigin(origin)).toEqual(origin);
    }
    expect(originName(parseModelName('https://user-data.example/m/?key=secret'))).toBe('https://user-data.example/m/');
    expect(parseModelName('a/b', { from: 'http://127.0.0.1:1/x' })).toMatchObject({ from: 'http://127.0.0.1:1/x/' });
  });

  it('refuses the rest with a sentence', () => {
    for (const text of [
      '',
      'a',
      'a/b/c',
      '../b',
      'a/..',
      'a/b@',
      'a/b@../x',
      'a/b:../c',
      'ftp://x/y',
      'http://u:p@h/',
    ]) {
      const error = (() => {
        try {
          return parseModelName(text);
        } catch (thrown) {
          return thrown;
        }
      })();
      expect(isReckonError(error) && ['bad-option', 'bad-checkpoint'].includes(error.code), text).toBe(true);
    }
    expect([isRepositoryName('a/b'), isRepositoryName('./a'), isRepositoryName('/a/b'), isRepositoryName('a')]).toEqual(
      [true, false, false, false],
    );
  });
});

describe('selectFiles', () => {
  const files = (...paths: string[]) => paths.map((path) => ({ path, size: 1, digest: null, etag: null }));
  const chosen = (wanted: string | null, ...paths: string[]) =>
    selectFiles(files(...paths), wanted, 'a/b').map(({ path }) => path);

  it('takes one format of several, small files first', () => {
    expect(chosen(null, 'model.safetensors', 'config.json', 'onnx/model.onnx', 'x.gguf', 'pytorch_model.bin')).toEqual([
      'config.json',
      'model.safetensors',
    ]);
    expect(
      chosen(null, 'params_shard_10.bin', 'params_shard_2.bin', 'tensor-cache.json', 'mlc-chat-config.json'),
    ).toEqual(['mlc-chat-config.json', 'tensor-cache.json', 'params_shard_2.bin', 'params_shard_10.bin']);
  });

  it('asks which of several GGUF files is meant, and takes all parts of a split one', () => {
    const all = ['m-Q4_K_M.gguf', 'm-Q8_0-00001-of-00002.gguf', 'm-Q8_0-00002-of-00002.gguf'];
    expect(chosen('q4_k', ...all)).toEqual(['m-Q4_K_M.gguf']);
    expect(chosen('Q8_0', ...all)).toEqual(all.slice(1));
    expect(() => chosen(null, ...all)).toThrow(/2 models as GGUF.*"a\/b:m-Q4_K_M\.gguf".*m-Q8_0\.gguf/);
    expect(() => chosen('Q2', ...all)).toThrow(/no GGUF file by "Q2"/);
    expect(() => chosen(null, 'config.json', 'pytorch_model.bin')).toThrow(/no weights.*pytorch_model\.bin/);
  });
});

describe('publicationOf', () => {
  const SHA = 'c'.repeat(40);

  /** A hub that answers from a table. */
  function tableOf(answers: Record<string, { body: unknown; link?: string }>) {
    const asked: string[] = [];
    const table = async (input: RequestInfo | URL) => {
      const { pathname, search } = new URL(String(input));
      asked.push(pathname + search);
      const answer = answers[pathname + search];
      const headers = answer?.link ? { link: answer.link } : {};
      return answer ? new Response(JSON.stringify(answer.body), { headers }) : new Response('', { status: 404 });
    };
    return { asked, fetch: table as typeof fetch };
  }

  it('reads the tree, page by page, where the hub tells no sizes otherwise', async () => {
    const tree = `/api/models/a/b/tree/${SHA}?recursive=true`;
    const lfs = { oid: 'f'.repeat(64), size: 3e9, pointerSize: 135 };
    const { fetch } = tableOf({
      '/api/models/a/b/revision/main?blobs=true': { body: { sha: SHA, siblings: [{ rfilename: 'config.json' }] } },
      [tree]: {
        body: [
          { type: 'directory', path: 'onnx', oid: '0'.repeat(40), size: 0 },
          { type: 'file', path: 'config.json', oid: 'a'.repeat(40), size: 12 },
          { type: 'file', path: '../evil.json', oid: 'a'.repeat(40), size: 12 },
        ],
        link: `<${HUB.slice(0, -1)}${tree}&cursor=2>; rel="next"`,
      },
      [`${tree}&cursor=2`]: {
        body: [{ type: 'file', path: 'model.safetensors', oid: 'b'.repeat(40), size: 3e9, lfs }],
        link: '<https://elsewhere.example/next>; rel="next"',
      },
    });
    const origin = modelOrigin('a/b');
    expect(await publicationOf(connect(origin, { fetch }), origin)).toEqual({
      revision: SHA,
      files: [
        { path: 'config.json', size: 12, digest: { algorithm: 'git-blob', hex: 'a'.repeat(40) }, etag: null },
        { path: 'model.safetensors', size: 3e9, digest: { algorithm: 'sha256', hex: 'f'.repeat(64) }, etag: null },
      ],
    });
  });

  it('finds the MD5 sums of MLC shards on a server that lists nothing', async () => {
    const shard = noise(5000, 3);
    const md5sum = createHash('md5').update(shard).digest('hex');
    const manifest = { records: [{ dataPath: 'params_shard_0.bin', nbytes: 5000, md5sum }] };
    const files = {
      'tensor-cache.json': new TextEncoder().encode(JSON.stringify(manifest)),
      'params_shard_0.bin': shard,
      'mlc-chat-config.json': new TextEncoder().encode('{}'),
    };
    const hub = await hubWith({ api: false, files });
    const origin = modelOrigin(reference(hub));
    const { files: found } = await publicationOf(connect(origin, {}), origin);
    expect(found.find(({ path }) => path === 'params_shard_0.bin')).toMatchObject({
      size: 5000,
      digest: { algorithm: 'md5', hex: md5sum },
    });
    expect(found.map(({ path }) => path).sort()).toEqual(Object.keys(files).sort());
  });
});

describe('repositorySource', () => {
  it('reads from the pinned commit, and goes on where the connection breaks', async () => {
    let count = 0;
    const hub = await hubWith({ manner: () => (++count % 2 === 1 ? 'drop' : 'good') });
    const source = await repositorySource(reference(hub), { retry: { baseSeconds: 0.001 } });
    expect([...(await source.list!())].sort()).toEqual([...WANTED].sort());
    expect(source.revision).toMatch(/^[0-9a-f]{40}$/);
    expect(await source.text('config.json')).toBe('{"model_type":"qwen3"}');
    count = 0;
    const part = await drain(await source.open(SHARDS[0], { start: 1000, end: 50_000 }));
    expect(Buffer.compare(part, MODEL[SHARDS[0]]!.subarray(1000, 50_000))).toBe(0);
    expect(count).toBeGreaterThan(1);
    const error = await errorOf(() => source.open('README.md'));
    expect(isReckonError(error, 'bad-checkpoint') && error.details.missing).toBe(true);
  });
});
