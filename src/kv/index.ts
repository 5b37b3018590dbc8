/** The KV room's door: who holds which page. The pages' memory is the model's; nothing here calls the GPU. */
export {
  admit,
  type CacheRoom,
  capacityMessage,
  type Fit,
  fits,
  pagesNeeded,
  type RunPlan,
} from './admission.ts';
export { LanePages, type PageCopy } from './pages.ts';
export { type CacheNeeds, type CachePlan, planCache } from './plan.ts';
export { PagePool } from './pool.ts';
export { PrefixCache } from './prefix.ts';
export { bytesText, tokensText } from './words.ts';
