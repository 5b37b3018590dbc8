/** The models that come with the package. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isRepositoryName, ModelStore } from '../checkpoint/index.ts';
import { FILES } from '../checkpoint/store/entry.ts';
import { defaultModelFolder, folderDisk } from '../checkpoint/store/node.ts';
import { DEFAULT_MODEL } from '../cost/catalogue.ts';
import { ReckonError } from '../errors.ts';

/** The package's `models/`: in the nearest folder above this program that has one, wherever a bundler has put it. */
function modelsFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const models = join(folder, 'models');
    if (existsSync(join(models, 'README.md'))) return models;
    if (dirname(folder) === folder) {
      throw new ReckonError('internal', 'The folder "models" is not there beside the program.', {
        hint: 'Install the package "reckon" again, or name the folder of a checkpoint.',
      });
    }
  }
}

function namesIn(folder: string): string[] {
  return readdirSync(folder).filter((entry) => existsSync(join(folder, entry, 'config.json')));
}

/** What a person names on a command line: an embedded model, or else a folder or URL as it is. */
export function modelPath(name: string): string {
  const folder = modelsFolder();
  return namesIn(folder).includes(name) ? join(folder, name) : name;
}

/**
 * As `modelPath`, and the folder of a repository that was fetched before.
 * @throws ReckonError `storage` for a repository that is not here, or not all of it.
 */
export async function keptModelPath(name: string): Promise<string> {
  const path = modelPath(name);
  if (path !== name || existsSync(name) || !isRepositoryName(name)) return path;
  const kept = defaultModelFolder();
  const stored = await new ModelStore(folderDisk(kept)).find(name);
  if (stored?.complete) return join(kept, stored.key, FILES);
  throw new ReckonError(
    'storage',
    stored ? `Only a part of ${name} is on this computer.` : `${name} is not on this computer.`,
    {
      hint: `Bring it here: reckon fetch ${name}`,
      details: { name, bytes: stored?.bytes ?? 0 },
    },
  );
}

/**
 * Folder of an embedded model, for `loadModel`.
 * @throws ReckonError `bad-option` for a name that is none, listing those there are.
 */
export function embeddedModel(name = DEFAULT_MODEL): string {
  const folder = modelsFolder();
  const names = namesIn(folder);
  if (names.includes(name)) return join(folder, name);
  throw new ReckonError('bad-option', `There is no embedded model ${JSON.stringify(name)}.`, {
    hint: `There are: ${names.join(', ')}.`,
    details: { name, names },
  });
}
