/** A model hub on the loopback interface, with the manners of real ones, good and bad; it counts what it sends. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a server may do with a request for a file. */
export type Manner =
  | 'good'
  /** Closes the connection in the middle. */
  | 'drop'
  /** Sends a part and then nothing. */
  | 'stall'
  /** Sends less than it should, and ends as if that were all. */
  | 'truncate'
  /** Changes one byte. */
  | 'corrupt'
  /** Sends the whole file, whatever was asked for. */
  | 'whole'
  | 403
  | 404
  | 416
  | 429
  | 503;

export interface HubOptions {
  files: Record<string, Uint8Array>;
  repository?: string;
  /** Answers the API; without, files can only be asked for by name. Default true. */
  api?: boolean;
  /** Publishes SHA-256 of weights and git's checksum of the rest. Default true. */
  checksums?: boolean;
  /** Sends ETags. Default true. */
  etags?: boolean;
  /** Wanted of every request, as a bearer token. */
  token?: string;
  /** Files lie on another origin, to which requests are sent on. */
  redirect?: string;
  /** Called for each request of a file. */
  manner?: (request: { path: string; method: string; range: string | undefined }) => Manner;
  /** Milliseconds between two pieces of 8 KiB. */
  pace?: number;
}

export interface Hub {
  /** With a slash at the end. */
  readonly url: string;
  /** Address of the files of the current commit. */
  readonly folder: string;
  readonly options: HubOptions;
  /** Bytes of files that were sent. */
  sent: number;
  readonly requests: { method: string; url: string; range: string | undefined; authorization: string | undefined }[];
  close(): Promise<void>;
}

const PIECE = 8 * 1024;

function sha(algorithm: string, ...parts: (string | Uint8Array)[]): string {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

const blobs = new WeakMap<Uint8Array, string>();

/** Git's name for a file with this content, which must not be changed in place. */
export function gitBlob(bytes: Uint8Array): string {
  const name = blobs.get(bytes) ?? sha('sha1', `blob ${bytes.length}\0`, bytes);
  blobs.set(bytes, name);
  return name;
}

/** A commit that changes with the files. */
export function commitOf(files: Record<string, Uint8Array>): string {
  return sha('sha1', ...Object.entries(files).flatMap(([path, bytes]) => [path, gitBlob(bytes)]));
}

function siblings({ files, checksums = true }: HubOptions) {
  return Object.entries(files).map(([rfilename, bytes]) => {
    const large = /\.(safetensors|bin|gguf)$/.test(rfilename);
    const lfs = { sha256: sha('sha256', bytes), size: bytes.length, pointerSize: 134 };
    return {
      rfilename,
      size: bytes.length,
      ...(checksums ? { blobId: gitBlob(bytes), ...(large ? { lfs } : {}) } : {}),
    };
  });
}

export async function startHub(options: HubOptions): Promise<Hub> {
  const repository = options.repository ?? 'maker/model';
  const hub = { options, sent: 0, requests: [] as Hub['requests'] };
  const server: Server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET' } = request;
    const { range, authorization } = request.headers;
    hub.requests.push({ method, url: request.url ?? '', range, authorization });
    const path = decodeURIComponent(new URL(request.url ?? '', url).pathname);
    const reply = (status: number, body: string, headers: Record<string, string> = {}) => {
      response.writeHead(status, { ...CORS, ...headers });
      response.end(method === 'HEAD' ? undefined : body);
    };
    if (method === 'OPTIONS') return reply(204, '');
    const { token, api = true, files } = options;
    if (token !== undefined && authorization !== `Bearer ${token}`) return reply(401, 'Access to it is restricted.');
    if (path === `/api/models/${repository}/revision/main`) {
      if (!api) return reply(404, 'no API');
      return reply(200, JSON.stringify({ id: repository, sha: commitOf(files), siblings: siblings(options) }));
    }
    const found = new RegExp(`^/${repository}/resolve/(main|${commitOf(files)})/(.+)$`).exec(path);
    const file = found?.[2];
    const bytes = file === undefined ? undefined : files[file];
    if (file === undefined || !bytes) return reply(404, 'Entry not found');
    if (options.redirect) return reply(302, '', { location: `${options.redirect.replace(/\/$/, '')}${path}` });
    await send(request, response, file, bytes);
  }

  async function send(request: IncomingMessage, response: ServerResponse, path: string, bytes: Uint8Array) {
    const { method = 'GET' } = request;
    const manner = options.manner?.({ path, method, range: request.headers.range }) ?? 'good';
    const etag: Record<string, string> = (options.etags ?? true) ? { etag: `"${gitBlob(bytes)}"` } : {};
    const refuse = (status: number, headers: Record<string, string> = {}) => {
      response.writeHead(status, { ...CORS, ...headers });
      response.end();
    };
    if (manner === 416) return refuse(416, { 'content-range': `bytes */${bytes.length}` });
    if (typeof manner === 'number') return refuse(manner, manner === 429 ? { 'retry-after': '0' } : {});
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const partial = range !== null && manner !== 'whole';
    const start = partial ? Number(range[1]) : 0;
    const end = Math.min(partial && range[2] !== '' ? Number(range[2]) + 1 : bytes.length, bytes.length);
    if (start >= bytes.length && partial) return refuse(416, { 'content-range': `bytes */${bytes.length}` });
    let body = bytes.subarray(start, end);
    if (manner === 'truncate') body = body.subarray(0, Math.floor(body.length / 2));
    if (manner === 'corrupt' && body.length > 0) {
      body = body.slice();
      body[body.length >> 1]! ^= 0x40;
    }
    response.writeHead(partial ? 206 : 200, {
      ...CORS,
      ...etag,
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      'content-length': body.length,
      ...(partial ? { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` } : {}),
    });
    if (method === 'HEAD') return response.end();
    const stop = manner === 'drop' || manner === 'stall' ? body.length >> 1 : body.length;
    for (let at = 0; at < stop && !response.destroyed; at += PIECE) {
      const piece = body.subarray(at, Math.min(at + PIECE, stop));
      hub.sent += piece.length;
      await new Promise<void>((done) => response.write(piece, () => done()));
      if (options.pace) await new Promise((done) => setTimeout(done, options.pace));
    }
    if (manner === 'drop') response.destroy();
    else if (manner !== 'stall') response.end();
  }

  return Object.assign(hub, {
    url,
    folder: `${url}${repository}/resolve/main/`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  });
}

/** As the hub sends them: pages of other sites may ask, and see these headers. */
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'authorization, range',
  'access-control-expose-headers':
    'ETag, Content-Range, Accept-Ranges, Link, X-Linked-ETag, X-Linked-Size, Retry-After',
};
