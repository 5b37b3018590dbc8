/** From a chat completion's body to a request. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { ChatCompletionRequest } from './chat-types.ts';
import { checkStopStrings } from './request.ts';
import type { ReasonRequest } from './types.ts';

const KNOWN = [
  'messages',
  'model',
  'n',
  'stream',
  'stream_options',
  'temperature',
  'top_p',
  'seed',
  'max_completion_tokens',
  'max_tokens',
  'stop',
  'logit_bias',
  'chat_template_kwargs',
  'attention',
  'signal',
] as const satisfies readonly (keyof ChatCompletionRequest)[];

/** Parameters that are not supported, but ask for nothing at these values. */
const NEUTRAL: Readonly<Record<string, (value: unknown) => boolean>> = {
  frequency_penalty: (value) => value === 0,
  presence_penalty: (value) => value === 0,
  logprobs: (value) => value === false,
  response_format: (value) => (value as { type?: unknown }).type === 'text',
  tools: (value) => Array.isArray(value) && value.length === 0,
  parallel_tool_calls: () => true,
  store: (value) => value === false,
  user: () => true,
  metadata: () => true,
};

const ANSWER_TOKENS = 256;
const MAX_CHOICES = 128;
const MAX_STOPS = 4;
const BIAS_RANGE = { min: -100, max: 100 };

/** @throws ReckonError `bad-option` for parameters that are not supported or out of range. */
export function requestOf(body: ChatCompletionRequest, signal: AbortSignal | undefined): ReasonRequest {
  const given = givenOf(body);
  const n = checkNumber('n', given.n ?? 1, { min: 1, max: MAX_CHOICES, integer: true });
  const stops = stopsOf(given.stop);
  const biases = biasesOf(given.logit_bias);
  const limits = limitsOf(given);
  return {
    messages: given.messages as ReasonRequest['messages'] & {},
    // Nobody chooses here: every choice runs to its end and is returned.
    strategy: { name: 'best-of-n', n, select: 'logprob', earlyStop: false },
    sampling: {
      ...(given.temperature === undefined ? {} : { temperature: given.temperature }),
      ...(given.top_p === undefined ? {} : { topP: given.top_p }),
      ...(given.seed === undefined ? {} : { seed: given.seed }),
      ...(biases ? { biases } : {}),
    },
    ...(given.attention === undefined ? {} : { attention: given.attention }),
    ...(limits ? { thinking: { maxTokens: limits.thinking } } : {}),
    ...templateOf(given.chat_template_kwargs),
    ...(limits || stops.length > 0
      ? {
          answer: {
            ...(limits ? { maxTokens: limits.answer } : {}),
            ...(stops.length > 0 ? { stopStrings: stops } : {}),
          },
        }
      : {}),
    ...(signal ? { signal } : {}),
  };
}

/** The body without what is null, which JSON clients send for "not given". */
type Given = { [Name in keyof ChatCompletionRequest]?: NonNullable<ChatCompletionRequest[Name]> };

function givenOf(body: ChatCompletionRequest): Given {
  if (typeof body !== 'object' || body === null) throw new ReckonError('bad-option', 'The request is not an object.');
  const given = Object.entries(body).filter(([, value]) => value !== undefined && value !== null);
  for (const [name, value] of given) {
    if (KNOWN.some((known) => known === name)) continue;
    if (Object.hasOwn(NEUTRAL, name) && NEUTRAL[name]?.(value)) continue;
    throw new ReckonError(
      'bad-option',
      `chat.completions.create does not support ${name} = ${JSON.stringify(value)?.slice(0, 80)}.`,
      { hint: `Leave it out. It knows: ${KNOWN.join(', ')}.`, details: { name } },
    );
  }
  const known = Object.fromEntries(given) as Given;
  if (known.messages === undefined) {
    throw new ReckonError('bad-option', 'There are no messages.', { hint: 'Give a list of { role, content }.' });
  }
  return known;
}

/** @throws ReckonError `bad-option` for variables other than `enable_thinking`: templates would ignore them silently. */
function templateOf(variables: Given['chat_template_kwargs']): Pick<ReasonRequest, 'enableThinking'> {
  const { enable_thinking: enableThinking, ...others } = Object(variables ?? {});
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw new ReckonError('bad-option', `chat_template_kwargs has no ${JSON.stringify(other.slice(0, 80))}.`, {
      hint: 'It has: enable_thinking.',
      details: { name: other },
    });
  }
  return enableThinking === undefined ? {} : { enableThinking };
}

function limitsOf(given: Given): { thinking: number; answer: number } | null {
  const name = given.max_completion_tokens === undefined ? 'max_tokens' : 'max_completion_tokens';
  const limit = given[name];
  if (limit === undefined) return null;
  checkNumber(name, limit, { min: 2, integer: true });
  const answer = Math.min(ANSWER_TOKENS, Math.ceil(limit / 4));
  return { thinking: limit - answer, answer };
}

function stopsOf(stop: string | readonly string[] | undefined): string[] {
  if (stop === undefined) return [];
  const stops = checkStopStrings(typeof stop === 'string' ? [stop] : stop);
  if (stops.length <= MAX_STOPS) return stops;
  throw new ReckonError('bad-option', `stop has ${stops.length} texts; at most ${MAX_STOPS} are possible.`);
}

function biasesOf(biases: Record<string, number> | undefined): ReadonlyMap<number, number> | null {
  if (biases === undefined) return null;
  return new Map(
    Object.entries(biases).map(([token, bias]) => {
      checkNumber(`logit_bias[${JSON.stringify(token)}]`, bias, BIAS_RANGE);
      // OpenAI: −100 "should result in a ban".
      return [
        checkNumber('A token id of logit_bias', Number(token), { min: 0, integer: true }),
        bias <= BIAS_RANGE.min ? Number.NEGATIVE_INFINITY : bias,
      ];
    }),
  );
}
