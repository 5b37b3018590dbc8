/** The text room's door. */
export { extractAnswer, normaliseAnswer } from './answer.ts';
export {
  CHAT_ROLES,
  type ChatMessage,
  type ChatRole,
  type ChatTemplate,
  loadChatTemplate,
  type RenderOptions,
  renderChat,
} from './chat.ts';
export { Detokenizer } from './detokenizer.ts';
export type { TextFiles } from './files.ts';
export { StopMatcher, type StopResult } from './stop-strings.ts';
export {
  detectDialect,
  type ParsedReply,
  parseThinking,
  promptOpensThinking,
  type ReplyPart,
  type ReplyPiece,
  type ThinkingDialect,
  ThinkingParser,
} from './thinking.ts';
export { loadTokenizer, type Tokenizer } from './tokenizer.ts';
