/** Where the rows of a checkpoint's tensor go: columns of a packed matrix, or places of a vector, run by run. */
import { ReckonError } from '../errors.ts';

/** Rows `row` … `row + rows − 1` of a tensor become columns `column`, `column + stride`, … */
export interface RowRun {
  readonly row: number;
  readonly rows: number;
  readonly column: number;
  readonly stride: number;
}

/** The parts of `runs` within rows `from` … `to − 1`. */
export function clipRuns(runs: readonly RowRun[], from: number, to: number): RowRun[] {
  return runs.flatMap(({ row, rows, column, stride }) => {
    const first = Math.max(row, from);
    const count = Math.min(row + rows, to) - first;
    return count > 0 ? [{ row: first, rows: count, column: column + (first - row) * stride, stride }] : [];
  });
}

/** The parts of `run` within columns `first` … `first + columns − 1`, with columns counted from `first`. */
export function clipColumns({ row, rows, column, stride }: RowRun, first: number, columns: number): RowRun | null {
  const skip = Math.max(0, Math.ceil((first - column) / stride));
  const stop = Math.min(rows, Math.ceil((first + columns - column) / stride));
  if (stop <= skip) return null;
  return { row: row + skip, rows: stop - skip, column: column + skip * stride - first, stride };
}

/** @throws ReckonError `bad-option` for a run that leaves a matrix of `columns` columns. */
export function checkRuns(runs: readonly RowRun[], columns: number): void {
  for (const { row, rows, column, stride } of runs) {
    const last = column + (rows - 1) * stride;
    if (row < 0 || rows < 1 || column < 0 || stride < 1 || last >= columns) {
      throw new ReckonError(
        'bad-option',
        `Row ${row + rows - 1} of a tensor would become column ${last} of ${columns}.`,
      );
    }
  }
}
