/** The models that come with the package. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of an embedded model: `models/` lies beside the `dist/` that this program runs from. */
export function embeddedModel(name = 'proto'): string {
  return join(dirname(fileURLToPath(import.meta.url)), '..', 'models', name);
}
