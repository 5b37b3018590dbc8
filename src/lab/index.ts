/** The lab's door: experiments on test-time scaling, run, resumed, looked at. */
export { type Difference, differencesOf } from './compare.ts';
export { compareModels } from './compare-models.ts';
export { type CurvePoint, type Curves, curvesOf, paretoFrontier } from './curves.ts';
export {
  ACCOUNT_NAMES,
  type AccountName,
  checkExperiment,
  type Experiment,
  parseExperiment,
  type TaskChoice,
} from './experiment.ts';
export { curvesCsv, filesOf, formatCsv, type LabReport, plotsOf, reportOf } from './export.ts';
export { accuracyPoints, fitReport } from './fit.ts';
export { IndexedDbStore } from './indexed-db.ts';
export { type Plot, type PlotPoint, type PlotSeries, renderPlot } from './plot.ts';
export type { LabProgress } from './progress.ts';
export { askQuestions, QUESTIONS, type Question, type QuestionReport } from './questions.ts';
export { type LabModel, type LabRequest, type RunOptions, runExperiment } from './run.ts';
export { SELECTIONS, type Selection, selectionAccuracy } from './selection.ts';
export { Bootstrap, type Estimate, type Interval, mean, quantile, wilson } from './statistics.ts';
export {
  MemoryStore,
  type ResultStore,
  type Sample,
  type Setting,
  type StoredResults,
  type StoreHeader,
  type UnitRecord,
} from './store.ts';
export { problemsOf, type Unit, unitsOf } from './units.ts';
