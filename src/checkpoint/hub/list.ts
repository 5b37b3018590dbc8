/** The files of a model, wherever it is. */
import { isReckonError, ReckonError } from '../../errors.ts';
import type { Connection } from '../http/connection.ts';
import { listFolder } from './folder.ts';
import { listRepository } from './hub.ts';
import { folderUrl, type Publication } from './publication.ts';
import { type ModelOrigin, originName } from './reference.ts';
import { selectFiles } from './select.ts';

/**
 * Finds out which files there are, of what size and with which checksums, and which of them make up the model.
 * @throws ReckonError `bad-checkpoint`, `bad-option` (a choice is to be made), `access-denied`, `network`, `aborted`.
 */
export async function publicationOf(connection: Connection, origin: ModelOrigin): Promise<Publication> {
  const name = originName(origin);
  if (origin.kind === 'url') return listFolder(connection, origin.url, origin.file);
  const listed = await listRepository(connection, origin);
  if (listed) return { ...listed, files: selectFiles(listed.files, origin.file, name) };
  try {
    return await listFolder(connection, folderUrl(origin, null), origin.file);
  } catch (error) {
    if (!isReckonError(error, 'bad-checkpoint') || error.details.missing !== true) throw error;
    throw new ReckonError('network', `${new URL(origin.from).host} has no repository ${name}.`, {
      hint: 'Check owner, name and revision; private ones need an access token.',
      details: { missing: true, repository: origin.repository, revision: origin.revision },
      cause: error,
    });
  }
}
