/** The program behind `npm run report`. */
import { report } from './report.ts';

process.stdout.write(`${report()}\n`);
