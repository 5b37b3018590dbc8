/** Reports of experiments, read back from their files. */
import { readFile } from 'node:fs/promises';
import { ReckonError } from '../errors.ts';
import type { LabReport } from '../lab/index.ts';

/**
 * The `results.json` that `reckon lab run` wrote.
 * @throws ReckonError `bad-option` where there is none at this path.
 */
export async function readReport(path: string): Promise<LabReport> {
  let report: LabReport;
  try {
    report = JSON.parse(await readFile(path, 'utf8')) as LabReport;
  } catch (cause) {
    throw new ReckonError('bad-option', `${path} cannot be read as JSON.`, { cause });
  }
  if (report?.format !== 'reckon-lab-report' || !Array.isArray(report.points)) {
    throw new ReckonError('bad-option', `${path} is no report of an experiment.`, {
      hint: 'Give the results.json that "reckon lab run" wrote.',
    });
  }
  return report;
}
