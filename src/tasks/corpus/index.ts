/** The corpus: what the embedded models read, write and are trained on. */
export {
  CHAT_TEMPLATE,
  generationConfig,
  LEVEL_QUESTION,
  renderTurns,
  SYSTEM_PROMPTS,
  type Turn,
  tokenizerConfig,
} from './chat.ts';
export {
  type Example,
  encodeExample,
  gradeQuestion,
  gradeTurns,
  makeExample,
  renderExample,
  SHARES,
  type Shares,
  STYLES,
  type Style,
  turnsOf,
} from './example.ts';
export { type CorpusItem, type CorpusOptions, corpusItem } from './generate.ts';
export { defaultMix, drawCell, type MixCell, parseMix, parseShares } from './mix.ts';
export { drawProblem, drawSeed, isHeldOut, isHeldOutHash, numberedProblem, problemHash } from './split.ts';
export { PUBLISHED_KNIGHTS, type TraceStatistics, traceStatistics } from './statistics.ts';
export { encodeFamily, IM_END, SPECIALS, tokenizerJson, VOCABULARY } from './vocabulary.ts';
