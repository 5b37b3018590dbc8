/** The catalogue room's door. */
export { storedBytes } from './bytes.ts';
export { findModel, MODELS, modelNamed } from './entries.ts';
export { type FitModel, type FitPlan, type FitReport, willItRun } from './fit.ts';
export type { Speed } from './speed.ts';
export { suggestions } from './suggest.ts';
export { type FitDevice, type StorageRoom, TYPICAL_LIMITS } from './surroundings.ts';
export type { CatalogueModel, Licence, StoredAs } from './types.ts';
export { loadedAs } from './weights.ts';
export { bytesText } from './words.ts';
