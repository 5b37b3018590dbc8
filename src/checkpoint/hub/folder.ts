/** The files of a model on a server that lists none: known names are tried, and those files that name others are read. */
import { ReckonError } from '../../errors.ts';
import { type Connection, getText, head } from '../http/connection.ts';
import { requestError } from '../http/status.ts';
import { parseIndex } from '../shards.ts';
import { checkPath, isMissingFile } from '../source.ts';
import type { FileDigest } from '../store/types.ts';
import { fileUrl, type Publication, type PublishedFile } from './publication.ts';
import { withoutSecrets } from './reference.ts';
import { MLC_MANIFESTS, SAFETENSORS, SAFETENSORS_INDEX, TEXT_FILES } from './select.ts';

/** Size and state of a file; null where there is none. */
async function look(connection: Connection, url: string, path: string): Promise<PublishedFile | null> {
  try {
    const reply = await head(connection, url);
    if ('beyondEnd' in reply) return { path, size: reply.total, digest: null, etag: null };
    const linked = /^"?([0-9a-f]{64})"?$/.exec(reply.response.headers.get('x-linked-etag') ?? '')?.[1];
    const digest: FileDigest | null = linked === undefined ? null : { algorithm: 'sha256', hex: linked };
    return { path, size: reply.total, digest, etag: reply.etag };
  } catch (error) {
    if (isMissingFile(error)) return null;
    throw error;
  }
}

interface MlcRecord {
  dataPath?: unknown;
  nbytes?: unknown;
  md5sum?: unknown;
}

/** The shards of an MLC manifest, with their sizes and MD5 sums. */
export function mlcShards(text: string, url: string): PublishedFile[] {
  let records: unknown;
  try {
    records = (JSON.parse(text) as { records?: unknown }).records;
  } catch (cause) {
    throw requestError(url, 'The manifest is not JSON', 'Fetch it again.', { code: 'bad-checkpoint', cause });
  }
  if (!Array.isArray(records) || records.length > 100_000) {
    throw requestError(url, 'The manifest names no shards', 'Fetch it again.', { code: 'bad-checkpoint' });
  }
  const files = new Map<string, PublishedFile>();
  for (const { dataPath, nbytes, md5sum } of records as MlcRecord[]) {
    const path = checkPath(String(dataPath));
    const size = Number.isSafeInteger(nbytes) && (nbytes as number) >= 0 ? (nbytes as number) : null;
    const hex = typeof md5sum === 'string' && /^[0-9a-f]{32}$/i.test(md5sum) ? md5sum.toLowerCase() : null;
    files.set(path, { path, size, digest: hex === null ? null : { algorithm: 'md5', hex }, etag: null });
  }
  return [...files.values()];
}

/**
 * Looks for the files of a checkpoint below `base`.
 * @param file The one GGUF file that is wanted; null: whatever is there.
 * @throws ReckonError `bad-checkpoint` when there is none; `network`, `access-denied`, `aborted`.
 */
export async function listFolder(connection: Connection, base: string, file: string | null): Promise<Publication> {
  const all = async (paths: readonly string[]) => {
    const found = await Promise.all(paths.map((path) => look(connection, fileUrl(base, path), path)));
    return found.filter((item) => item !== null);
  };
  const texts = all(TEXT_FILES);
  texts.catch(() => {});
  const weights = file === null ? await weightsOf(connection, base, all) : await all([file]);
  if (weights.length === 0) {
    throw new ReckonError('bad-checkpoint', `There is no model at ${withoutSecrets(base)}${file ?? ''}.`, {
      hint: `A server that lists no files must have ${[SAFETENSORS, SAFETENSORS_INDEX, ...MLC_MANIFESTS].join(' or ')} there.`,
      details: { missing: true },
    });
  }
  return { revision: null, files: [...(await texts), ...weights] };
}

async function weightsOf(
  connection: Connection,
  base: string,
  all: (paths: readonly string[]) => Promise<PublishedFile[]>,
): Promise<PublishedFile[]> {
  const [manifest] = await all(MLC_MANIFESTS);
  if (manifest) {
    const url = fileUrl(base, manifest.path);
    return [manifest, ...mlcShards((await getText(connection, url)).text, url)];
  }
  const single = await all([SAFETENSORS]);
  if (single.length > 0) return single;
  const [index] = await all([SAFETENSORS_INDEX]);
  if (!index) return [];
  const { text } = await getText(connection, fileUrl(base, index.path));
  const shards = [...new Set(parseIndex(text).values())].sort();
  const found = await all(shards);
  const missing = shards.filter((path) => !found.some((item) => item.path === path));
  if (missing.length === 0) return [index, ...found];
  throw new ReckonError('bad-checkpoint', `${withoutSecrets(base)} lacks ${missing.slice(0, 5).join(', ')}.`, {
    hint: `${SAFETENSORS_INDEX} names ${shards.length} files; all of them must be there.`,
    details: { missing: true, files: missing },
  });
}
