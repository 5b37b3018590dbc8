/**
 * What host memory a model takes on its way: downloaded from a server on this machine, checked, kept, and read back in the
 * pieces that go to the GPU. The file is made up as it is sent, so that the server's part does not count.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteReader } from '../src/checkpoint/byte-reader.ts';
import { ModelStore } from '../src/checkpoint/index.ts';
import { folderDisk } from '../src/checkpoint/store/node.ts';
import { formatBytes } from '../src/cli/terminal.ts';
import { type Bench, count } from './options.ts';

const FILE = 'model.safetensors';
const MIB = 2 ** 20;
/** Bytes of a piece on its way to the GPU. */
const PIECE = 4 * MIB;

export const download: Bench = {
  summary: 'host memory that a download and a load take, whatever the size',
  help: '  --mib N           size of the made-up model (default 600)\n',
  options: { mib: { type: 'string' } },
  async run(options) {
    const data = await downloadBench(count(options, 'mib', 600));
    const { bytes, seconds, rate, peak, extra } = data;
    const words = `${formatBytes(bytes)} downloaded, checked and read back in ${seconds.toFixed(1)} s (${formatBytes(rate)}/s down)`;
    return { data, text: `${words}: host memory grew by ${formatBytes(extra)} at most, to ${formatBytes(peak)}.` };
  },
};

interface DownloadReport {
  bytes: number;
  seconds: number;
  /** Bytes a second of the download. */
  rate: number;
  /** Highest resident memory of the program, in bytes, and what of it came after the start. */
  peak: number;
  extra: number;
}

/** The bytes of the file from `start` to `end`: one pattern, over and over. */
function* content(pattern: Uint8Array, start: number, end: number): Generator<Uint8Array> {
  for (let at = start; at < end; ) {
    const from = at % pattern.length;
    const part = pattern.subarray(from, Math.min(pattern.length, from + end - at));
    yield part;
    at += part.length;
  }
}

async function downloadBench(mib: number): Promise<DownloadReport> {
  const bytes = mib * MIB;
  const pattern = Uint8Array.from({ length: 64 * 1024 + 1 }, (_, i) => (i * 2654435761) >>> 13);
  const hash = createHash('sha256');
  for (const part of content(pattern, 0, bytes)) hash.update(part);
  const lfs = { sha256: hash.digest('hex'), size: bytes };
  const server = createServer(async (request, response) => {
    if (request.url?.startsWith('/api/')) {
      response.end(JSON.stringify({ sha: 'a'.repeat(40), siblings: [{ rfilename: FILE, size: bytes, lfs }] }));
      return;
    }
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const [start, end] = range ? [Number(range[1]), Number(range[2]) + 1] : [0, bytes];
    response.writeHead(range ? 206 : 200, {
      'content-length': end - start,
      ...(range ? { 'content-range': `bytes ${start}-${end - 1}/${bytes}` } : {}),
    });
    for (const part of content(pattern, start, end)) {
      if (response.destroyed) return;
      if (!response.write(part)) await new Promise((done) => response.once('drain', done));
    }
    response.end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const folder = await mkdtemp(join(tmpdir(), 'reckon-bench-'));
  try {
    const from = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const store = new ModelStore(folderDisk(folder));
    const before = process.memoryUsage().rss;
    const started = performance.now();
    await store.download({ repository: 'made/up', from });
    const fetched = performance.now();
    const source = await store.source('made/up');
    const reader = new ByteReader(await source.open(FILE), 'Reading');
    // Each piece is the GPU's to keep, as in a load.
    for (let left = bytes; left > 0; left -= PIECE) await reader.fill(new Uint8Array(Math.min(PIECE, left)));
    await reader.close();
    const seconds = (performance.now() - started) / 1000;
    const peak = process.resourceUsage().maxRSS * 1024;
    return { bytes, seconds, rate: bytes / ((fetched - started) / 1000), peak, extra: Math.max(0, peak - before) };
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
}
