/** Messages to prompt, by the chat template that comes with the model. */
import { Template as Jinja } from '@huggingface/jinja';
import { ReckonError } from '../errors.ts';
import { badTokenizer, type JsonObject, optionalText, parseObject, type ReadOptions, type TextFiles } from './files.ts';

export const CHAT_ROLES = ['system', 'user', 'assistant', 'tool'] as const;
export type ChatRole = (typeof CHAT_ROLES)[number];

export interface ChatMessage {
  readonly role: ChatRole;
  readonly content: string;
}

/** What is needed of a template; the library's own type would have every user of the package resolve its declarations. */
interface Template {
  render(variables: Record<string, unknown>): string;
}

/** A parsed template. `source` is its Jinja text; null where the checkpoint has none. */
export interface ChatTemplate {
  /** The checkpoint's name, for messages. */
  readonly name: string;
  readonly source: string | null;
  readonly template: Template | null;
  /** Variables that templates expect besides the messages: `bos_token`, `eos_token` … */
  readonly variables: Readonly<Record<string, string>>;
}

export interface RenderOptions {
  /** End with the opening of the assistant's turn. Default true. */
  addGenerationPrompt?: boolean;
  /** Passed as `enable_thinking` to templates that know it; absent: the template's own default. */
  enableThinking?: boolean;
  /** Further variables of the template. */
  variables?: Readonly<Record<string, unknown>>;
}

const CONFIG = 'tokenizer_config.json';
const JINJA = 'chat_template.jinja';
const TOKEN_NAMES = ['bos_token', 'eos_token', 'pad_token', 'unk_token'];

/** `chat_template` of a config: text, or a list of named ones of which "default" is meant. */
function templateText(value: unknown): string | null | undefined {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return undefined;
  const named = value.filter((one): one is { name: string; template: string } => typeof one?.template === 'string');
  return (named.find(({ name }) => name === 'default') ?? named[0])?.template;
}

function tokenVariables(config: JsonObject): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const name of TOKEN_NAMES) {
    const value = config[name];
    const content = typeof value === 'string' ? value : (value as JsonObject | null | undefined)?.content;
    if (typeof content === 'string') variables[name] = content;
  }
  return variables;
}

/**
 * Reads the chat template from `tokenizer_config.json`, or from `chat_template.jinja`, where newer checkpoints keep it.
 * A checkpoint without one loads; rendering says so.
 * @throws ReckonError `bad-tokenizer` when the template is malformed.
 */
export async function loadChatTemplate(files: TextFiles, options: ReadOptions = {}): Promise<ChatTemplate> {
  const text = await optionalText(files, CONFIG, options);
  const config = text === undefined ? {} : parseObject(files, CONFIG, text);
  const own = templateText(config.chat_template);
  if (own === undefined)
    throw badTokenizer(files, CONFIG, 'has a chat_template that is neither text nor a list of named texts');
  const separate = own === null ? await optionalText(files, JINJA, options) : undefined;
  const source = own ?? separate ?? null;
  let template: Template | null;
  try {
    template = source === null ? null : new Jinja(source);
  } catch (cause) {
    const path = own === null ? JINJA : `${CONFIG}, chat_template,`;
    throw badTokenizer(files, path, `is not a Jinja template (${(cause as Error).message})`, cause);
  }
  return { name: files.name, source, template, variables: tokenVariables(config) };
}

/** @throws ReckonError `bad-option` naming the message that is none. */
function checkMessages(messages: readonly ChatMessage[]): void {
  const fail = (what: string, details: Record<string, unknown> = {}) =>
    new ReckonError('bad-option', what, {
      hint: `Messages are {role, content} with a role of ${CHAT_ROLES.join(', ')} and text as content.`,
      details,
    });
  if (!Array.isArray(messages) || messages.length === 0) throw fail('There are no messages.');
  for (const [index, message] of (messages as readonly Partial<ChatMessage>[]).entries()) {
    const { role, content } = message ?? {};
    if (!CHAT_ROLES.includes(role as ChatRole))
      throw fail(`Message ${index} has the role ${JSON.stringify(role)}.`, { index, role });
    if (typeof content !== 'string') throw fail(`Message ${index} (${role}) has content that is not text.`, { index });
  }
}

/**
 * The prompt for a conversation: what the model reads, with its special tokens spelled out.
 * @throws ReckonError `bad-option` for messages that are none, or that the template refuses; `bad-tokenizer` when the
 *   checkpoint has no template.
 */
export function renderChat(chat: ChatTemplate, messages: readonly ChatMessage[], options: RenderOptions = {}): string {
  checkMessages(messages);
  if (!chat.template) {
    throw new ReckonError('bad-tokenizer', `${chat.name} has no chat template.`, {
      hint: 'Give a whole `prompt` instead of messages, or a checkpoint tuned for chat.',
      details: { source: chat.name },
    });
  }
  const { addGenerationPrompt = true, enableThinking, variables } = options;
  try {
    return chat.template.render({
      ...chat.variables,
      ...variables,
      messages: messages.map(({ role, content }) => ({ role, content })),
      add_generation_prompt: addGenerationPrompt,
      ...(enableThinking === undefined ? {} : { enable_thinking: enableThinking }),
    });
  } catch (cause) {
    throw new ReckonError(
      'bad-option',
      `The chat template of ${chat.name} refused the messages: ${(cause as Error).message}.`,
      {
        hint: 'Check the order of roles: most templates want user and assistant in turns, system first.',
        details: { source: chat.name },
        cause,
      },
    );
  }
}
