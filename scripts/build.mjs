/** `npm run build`: the package in `dist/`, code and types. Does nothing when nothing has changed. */
import { say } from './bootstrap.mjs';
import { buildLibrary, buildTypes } from './lib/compile.mjs';

const changed = [await buildLibrary(), await buildTypes()];
say(changed.includes(true) ? 'Built dist/.' : 'dist/ is up to date.');
