/** `npm run report`: tables and curves of the embedded models' accuracy. */
import { bundleProgram, runProgram } from './lib/compile.mjs';
import './bootstrap.mjs';

runProgram(await bundleProgram('report', 'training/report-main.ts', []), process.argv.slice(2));
