/** `npm run -s reckon -- …`: the command line of this checkout, built first when the sources have changed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root } from './bootstrap.mjs';
import { buildLibrary, runProgram } from './lib/compile.mjs';

if (!existsSync(join(root, 'src/cli/main.ts'))) fail('There is no src/cli/main.ts in this checkout.');
await buildLibrary();
runProgram(join(root, 'dist/cli.js'), process.argv.slice(2));
