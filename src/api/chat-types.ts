/** OpenAI's chat completions, as far as they are supported: names, nesting and values as published. */
import type { AttentionPolicy } from '../engine/types.ts';

export interface ChatCompletionMessageParam {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface ChatCompletionRequest {
  messages: readonly ChatCompletionMessageParam[];
  /** Accepted for compatibility; there is one model. */
  model?: string;
  /** Choices, 1 to 128: lanes of one batch over one prompt. Default 1. */
  n?: number | null;
  stream?: boolean | null;
  /** `include_usage`: a last chunk without choices tells the usage. */
  stream_options?: { include_usage?: boolean } | null;
  temperature?: number | null;
  top_p?: number | null;
  seed?: number | null;
  /** Tokens of thinking and answer together; a quarter, at most 256, is kept for the answer. */
  max_completion_tokens?: number | null;
  /** The older name of the same. */
  max_tokens?: number | null;
  /** One to four texts that end the answer; they are not part of it. The thinking is not searched. */
  stop?: string | readonly string[] | null;
  /** Token ids (as strings, as JSON has them) and what is added to their logits, −100 … 100. −100 bans. */
  logit_bias?: Record<string, number> | null;
  /** Not OpenAI's, but what servers of reasoning models take: switches the thinking on or off, where the template can. */
  chat_template_kwargs?: { enable_thinking?: boolean } | null;
  /** What generated tokens attend to, as in `ReasonRequest`; not in OpenAI's body. */
  attention?: AttentionPolicy | string | null;
  /** Ends the run; not in OpenAI's body: there, and here as well, it may be given in the second argument. */
  signal?: AbortSignal;
}

export interface ChatCompletionMessage {
  role: 'assistant';
  content: string;
  refusal: null;
  /** The thinking, as servers of reasoning models give it. */
  reasoning_content: string;
}

export interface CompletionUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  completion_tokens_details: { reasoning_tokens: number };
}

/** `length`: the limit on tokens, or the context, cut the choice off. */
export type ChatFinishReason = 'stop' | 'length';

export interface ChatCompletion {
  id: string;
  object: 'chat.completion';
  /** Unix time, seconds. */
  created: number;
  model: string;
  choices: { index: number; message: ChatCompletionMessage; finish_reason: ChatFinishReason; logprobs: null }[];
  usage: CompletionUsage;
}

export interface ChatCompletionChunk {
  id: string;
  object: 'chat.completion.chunk';
  created: number;
  model: string;
  choices: {
    index: number;
    delta: { role?: 'assistant'; content?: string; reasoning_content?: string };
    finish_reason: ChatFinishReason | null;
    logprobs: null;
  }[];
  /** Only where `include_usage` was asked for: null but in the last chunk. */
  usage?: CompletionUsage | null;
}

export interface ChatCompletions {
  /**
   * @throws ReckonError (as rejection) `bad-option` for parameters that are unknown, unsupported or out of range;
   *   `over-capacity`; `aborted` when the signal fires (a stream throws it behind what came before); what a run throws.
   */
  create(
    request: ChatCompletionRequest & { stream: true },
    options?: { signal?: AbortSignal },
  ): Promise<AsyncIterable<ChatCompletionChunk>>;
  create(
    request: ChatCompletionRequest & { stream?: false | null },
    options?: { signal?: AbortSignal },
  ): Promise<ChatCompletion>;
  create(
    request: ChatCompletionRequest,
    options?: { signal?: AbortSignal },
  ): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>>;
}
