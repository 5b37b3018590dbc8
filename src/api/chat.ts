/**
 * `chat.completions.create` in OpenAI's shape, with `reasoning_content` beside `content` as servers of reasoning models
 * have it. `n` choices are lanes of one batch over one prompt.
 */
import { checkNumber, ReckonError } from '../errors.ts';
import type { Candidate } from '../strategies/types.ts';
import type { ChatMessage, ReasonRequest, ReasonRun } from './types.ts';

export interface ChatCompletionRequest {
  messages: readonly ChatMessage[];
  /** Accepted for compatibility; there is one model. */
  model?: string;
  n?: number;
  stream?: boolean;
  temperature?: number;
  top_p?: number;
  seed?: number;
  /** Tokens of thinking and answer together; a quarter, at most 256, is kept for the answer. */
  max_completion_tokens?: number;
  /** The older name of the same. */
  max_tokens?: number;
  /** Token ids (as strings, as JSON has them) and what is added to their logits, −100 … 100. −100 bans. */
  logit_bias?: Record<string, number>;
  /** Ends the run; not in OpenAI's body, where it is an option beside it. */
  signal?: AbortSignal;
}

export interface ChatCompletionMessage {
  role: 'assistant';
  content: string;
  reasoning_content: string;
}

export interface ChatCompletion {
  id: string;
  object: 'chat.completion';
  created: number;
  model: string;
  choices: { index: number; message: ChatCompletionMessage; finish_reason: 'stop' | 'length'; logprobs: null }[];
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

export interface ChatCompletionChunk {
  id: string;
  object: 'chat.completion.chunk';
  created: number;
  model: string;
  choices: {
    index: number;
    delta: { role?: 'assistant'; content?: string; reasoning_content?: string };
    finish_reason: 'stop' | 'length' | null;
  }[];
}

export interface ChatCompletions {
  create(request: ChatCompletionRequest & { stream: true }): Promise<AsyncIterable<ChatCompletionChunk>>;
  create(request: ChatCompletionRequest & { stream?: false }): Promise<ChatCompletion>;
  create(request: ChatCompletionRequest): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>>;
}

const KNOWN: ReadonlySet<string> = new Set([
  'messages',
  'model',
  'n',
  'stream',
  'temperature',
  'top_p',
  'seed',
  'max_completion_tokens',
  'max_tokens',
  'logit_bias',
  'signal',
]);
const ANSWER_TOKENS = 256;
const MAX_CHOICES = 128;
/** OpenAI's −100 "should result in a ban". */
const BAN_BIAS = -100;

/** The face over anything that runs requests. */
export function chatCompletions(model: string, run: (request: ReasonRequest) => ReasonRun): ChatCompletions {
  const create = async (
    request: ChatCompletionRequest,
  ): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>> => {
    const reasoning = run(requestOf(request));
    const head = { id: `chatcmpl-${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
    if (request.stream) return chunks(reasoning, head);
    const { candidates, usage } = await reasoning.result;
    return {
      ...head,
      object: 'chat.completion',
      choices: candidates.map((candidate) => ({
        index: candidate.lane,
        message: { role: 'assistant', content: candidate.answer, reasoning_content: candidate.reasoning },
        finish_reason: finishOf(candidate),
        logprobs: null,
      })),
      usage: {
        prompt_tokens: usage.promptTokens,
        completion_tokens: usage.completionTokens,
        total_tokens: usage.promptTokens + usage.completionTokens,
      },
    };
  };
  return { create: create as ChatCompletions['create'] };
}

/** @throws ReckonError `bad-option` for parameters that are not supported or out of range. */
function requestOf(request: ChatCompletionRequest): ReasonRequest {
  for (const [name, value] of Object.entries(request)) {
    if (KNOWN.has(name) || value === undefined || value === null) continue;
    throw new ReckonError('bad-option', `chat.completions.create does not support ${JSON.stringify(name)}.`, {
      hint: `It knows: ${[...KNOWN].join(', ')}.`,
      details: { name },
    });
  }
  const n = checkNumber('n', request.n ?? 1, { min: 1, max: MAX_CHOICES, integer: true });
  const limit = request.max_completion_tokens ?? request.max_tokens;
  if (limit !== undefined) checkNumber('max_completion_tokens', limit, { min: 2, integer: true });
  const answer = limit === undefined ? undefined : Math.min(ANSWER_TOKENS, Math.ceil(limit / 4));
  const biases = biasesOf(request.logit_bias);
  return {
    messages: request.messages,
    // Nobody chooses here: every choice runs to its end and is returned.
    strategy: { name: 'best-of-n', n, select: 'logprob', earlyStop: false },
    sampling: {
      ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
      ...(request.top_p === undefined ? {} : { topP: request.top_p }),
      ...(request.seed === undefined ? {} : { seed: request.seed }),
      ...(biases ? { biases } : {}),
    },
    ...(limit === undefined || answer === undefined
      ? {}
      : { thinking: { maxTokens: limit - answer }, answer: { maxTokens: answer } }),
    ...(request.signal ? { signal: request.signal } : {}),
  };
}

function biasesOf(biases: Record<string, number> | undefined): ReadonlyMap<number, number> | null {
  if (!biases) return null;
  return new Map(
    Object.entries(biases).map(([token, bias]) => [Number(token), bias <= BAN_BIAS ? Number.NEGATIVE_INFINITY : bias]),
  );
}

function finishOf({ finish }: Candidate): 'stop' | 'length' {
  return finish === 'stop' ? 'stop' : 'length';
}

async function* chunks(
  run: ReasonRun,
  head: { id: string; created: number; model: string },
): AsyncGenerator<ChatCompletionChunk, void, undefined> {
  const chunk = (
    index: number,
    delta: ChatCompletionChunk['choices'][number]['delta'],
    finish: 'stop' | 'length' | null = null,
  ): ChatCompletionChunk => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index, delta, finish_reason: finish }],
  });
  for await (const event of run) {
    if (event.type === 'lane') yield chunk(event.lane, { role: 'assistant', content: '' });
    else if (event.type === 'token' && event.text !== '') {
      yield chunk(event.lane, event.part === 'thinking' ? { reasoning_content: event.text } : { content: event.text });
    } else if (event.type === 'candidate') yield chunk(event.lane, {}, finishOf(event.candidate));
  }
}
