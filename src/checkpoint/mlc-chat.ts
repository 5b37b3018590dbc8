/** MLC's `conv_template` as a chat template in Jinja, for repositories that bring no other. */
import type { JsonObject } from './json.ts';

const text = (value: unknown, fallback = ''): string => (typeof value === 'string' ? value : fallback);
/** A string of Jinja's. */
const literal = (value: string) =>
  `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')}'`;

/** A template of MLC's with one place in it, as an expression. */
function filled(template: string, place: string, value: string): string {
  return template.split(place).map(literal).join(` + ${value} + `);
}

/**
 * @param conversation `conv_template` of `mlc-chat-config.json`.
 * @returns null when it is none.
 */
export function mlcChatTemplate(conversation: unknown): string | null {
  if (typeof conversation !== 'object' || conversation === null) return null;
  const own = conversation as JsonObject;
  const roles = (own.roles ?? {}) as JsonObject;
  const templates = (own.role_templates ?? {}) as JsonObject;
  const separators = Array.isArray(own.seps) && own.seps.length > 0 ? own.seps.map((one) => text(one)) : [''];
  const between = text(own.role_content_sep);
  const turn = (role: 'user' | 'assistant', message: string, separator: string) => {
    const content = filled(text(templates[role], `{${role}_message}`), `{${role}_message}`, message);
    return `{{ ${literal(text(roles[role], role) + between)} + ${content} + ${literal(separator)} }}`;
  };
  const systemOf = (message: string) =>
    filled(text(own.system_template, '{system_message}'), '{system_message}', message);
  const prefix = Array.isArray(own.system_prefix_token_ids) ? '{{ bos_token }}' : '';
  const first = separators[0]!;
  return [
    prefix,
    `{% if messages[0].role == 'system' %}{{ ${systemOf('messages[0].content')} }}`,
    `{% else %}{{ ${systemOf(literal(text(own.system_message)))} }}{% endif %}`,
    `{% for message in messages %}{% if message.role == 'user' %}${turn('user', 'message.content', first)}`,
    `{% elif message.role == 'assistant' %}${turn('assistant', 'message.content', separators.at(-1)!)}`,
    "{% elif message.role != 'system' %}{{ raise_exception('only system, user and assistant take part') }}",
    '{% endif %}{% endfor %}',
    `{% if add_generation_prompt %}{{ ${literal(text(roles.assistant, 'assistant') + text(own.role_empty_sep))} }}{% endif %}`,
  ].join('');
}
