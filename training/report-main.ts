/**
 * The program behind `npm run report`: puts tables into `models/README.md`, drawings beside it, and what the planner is
 * to know into `src/cost/`; prints the tables.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { report, withTables } from './report.ts';

const MODELS = 'models';
/** What the planner knows of the models. */
const MEASURED = 'src/cost/measured.json';
const README = join(MODELS, 'README.md');

const { text, drawings, known } = report(MODELS);
writeFileSync(README, withTables(readFileSync(README, 'utf8'), text));
for (const [file, svg] of Object.entries(drawings)) writeFileSync(join(MODELS, file), svg);
writeFileSync(MEASURED, known);
process.stderr.write(`${[README, MEASURED, ...Object.keys(drawings)].join('\n')}\n`);
process.stdout.write(`${text}\n`);
