/** The models that come with the package. */
import { fileURLToPath } from 'node:url';

/** Folder of an embedded model: beside `dist/` in the package. */
export function embeddedModel(name = 'proto'): string {
  return fileURLToPath(new URL(`../models/${name}`, import.meta.url));
}
