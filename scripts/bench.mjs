/** `npm run bench -- …`: the benchmark, bundled as a user's build would be, so that host times are real ones. */
import './bootstrap.mjs';
import { bundleProgram, runProgram } from './lib/compile.mjs';

runProgram(await bundleProgram('bench', 'bench/main.ts', []), process.argv.slice(2));
