/**
 * What a thought costs, before it is thought: formulas, model shapes, allocation, prediction, plans. Free of the GPU;
 * measuring one is calibrate.ts, which is imported by its own name.
 */
export {
  type AccuracyModel,
  type AccuracyParameters,
  type AccuracyQuestion,
  expectedAccuracy,
  type PlanSelection,
  throughPassAt1,
} from './accuracy.ts';
export { type AccuracyFit, fitAccuracy, type LabPoint } from './accuracy-fit.ts';
export {
  type Allocation,
  allocate,
  bestOfNGrid,
  type CappedSet,
  coverage,
  frontier,
  type GridPoint,
  logSpaced,
  longCotGrid,
  type SampleSet,
  type TraceSample,
} from './allocation.ts';
export { ATTENTION_FORMS, attentionBudget, attentionText, type CostAttention, parseAttention } from './attention.ts';
export { capacityMessage, checkCapacity, type KvDemand, type KvRoom, kvDemand, longestLanes } from './capacity.ts';
export { CATALOGUE, type CatalogueEntry, catalogueEntry, DEFAULT_MODEL, EMBEDDED_MODELS } from './catalogue.ts';
export type { DeviceCost, DeviceFigures, DeviceModel, DeviceSeconds, DeviceTerms } from './device-cost.ts';
export { deviceCost, deviceModel } from './device-cost.ts';
export { type EstimateOptions, estimate, PRESETS, type Preset } from './estimate.ts';
export { attentionRatio, type PaperModel, paperCost, paperModel } from './paper.ts';
export { type CodeModel, codeModel, paperCodeCost } from './paper-code.ts';
export { B200_TERAFLOPS, type CostPlan, evenPlan, KINETICS_INTENSITY, type PlanCost } from './plan.ts';
export { planRun } from './planner.ts';
export type {
  PlanAdvice,
  PlanBudget,
  PlannedRun,
  PlannerDevice,
  PlannerModel,
  PlannerRequest,
} from './planner-types.ts';
export {
  type PredictionError,
  type PredictorFit,
  type PredictorOptions,
  StepTimePredictor,
  type StepWork,
} from './predict.ts';
export { accuracyPrior, accuracyPriors, priorsOn } from './priors.ts';
export {
  groupSize,
  type KvPrecision,
  kvBytesPerToken,
  kvElements,
  kvOvertakesWeights,
  type ModelShape,
  type ParameterCounts,
  parameterCounts,
  parametersRead,
  shapeOf,
  type WeightPrecision,
  weightBytes,
} from './shapes.ts';
