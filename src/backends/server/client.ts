/**
 * The completions of an OpenAI-compatible server, with prompts as token ids. vLLM and llama.cpp's server both take them; they
 * tell tokens in ways of their own, and all of those are read here.
 */
import { abortedError, isReckonError, ReckonError } from '../../errors.ts';

/** One token that a server generated or was given. */
export interface ServedToken {
  readonly token: number;
  readonly logprob: number;
}

export interface Completion {
  readonly tokens: readonly ServedToken[];
  /** Null while it goes on. */
  readonly finish: 'stop' | 'length' | null;
}

export interface ServedModel {
  readonly id: string;
  /** Longest sequence, tokens; null where the server does not tell. */
  readonly maxContext: number | null;
}

const TRIES = 4;
const FIRST_WAIT_MS = 250;
/** The server is busy, and says so. */
const BUSY = new Set([429, 502, 503, 504]);

type Json = Record<string, unknown>;

export class CompletionsClient {
  readonly #base: string;
  readonly #token: string | undefined;
  readonly #wait: number;

  /**
   * @param base where `v1/…` is, e.g. "http://localhost:8000/".
   * @param options.waitMs before the first new try where the server is busy; doubled each time.
   */
  constructor(base: string, options: { token?: string | undefined; waitMs?: number | undefined } = {}) {
    let url: URL;
    try {
      url = new URL(base);
    } catch (cause) {
      throw new ReckonError('bad-option', `${JSON.stringify(base)} is not the address of a server.`, { cause });
    }
    this.#base = url.href.replace(/\/?(v1\/?)?$/, '/');
    this.#token = options.token;
    this.#wait = options.waitMs ?? FIRST_WAIT_MS;
  }

  /** For people: without query and password. */
  get name(): string {
    const { host } = new URL(this.#base);
    return host;
  }

  /** The models there are. @throws ReckonError `network`, `access-denied`, `aborted`. */
  async models(signal?: AbortSignal): Promise<ServedModel[]> {
    const response = await this.#send('v1/models', undefined, signal);
    const { data } = (await response.json()) as { data?: unknown };
    if (!Array.isArray(data)) throw this.#strange('its list of models is none');
    return data.map((model: Json) => {
      const meta = (model.meta ?? {}) as Json;
      const context = [model.max_model_len, meta.n_ctx, meta.n_ctx_train].find((value) => typeof value === 'number');
      return { id: String(model.id), maxContext: (context as number | undefined) ?? null };
    });
  }

  /** Generates, piece by piece. Leaving the iteration ends it on the server. */
  async *stream(body: Json, signal?: AbortSignal): AsyncGenerator<Completion, void, undefined> {
    const own = new AbortController();
    const leave = () => own.abort();
    signal?.addEventListener('abort', leave, { once: true });
    try {
      const asked = { ...body, stream: true, logprobs: 1, return_tokens_as_token_ids: true };
      const response = await this.#send('v1/completions', asked, signal ?? own.signal, own.signal);
      for await (const data of serverEvents(response, own.signal)) {
        if (data === '[DONE]') return;
        yield this.#completion(parsed(data));
      }
    } catch (error) {
      if (signal?.aborted) throw abortedError('The generation', signal);
      if (isReckonError(error)) throw error;
      throw this.#broken(error);
    } finally {
      signal?.removeEventListener('abort', leave);
      own.abort();
    }
  }

  /**
   * Log-probability of each token of a prompt, the first aside.
   * @throws ReckonError `unsupported` where the server does not echo prompts with them.
   */
  async echo(body: Json, prompt: readonly number[], signal?: AbortSignal): Promise<number[]> {
    const asked = { ...body, prompt, echo: true, max_tokens: 1, logprobs: 1, stream: false };
    const response = await this.#send('v1/completions', asked, signal);
    const { choices } = (await response.json()) as { choices?: { logprobs?: { token_logprobs?: unknown } }[] };
    const logprobs = choices?.[0]?.logprobs?.token_logprobs;
    if (!Array.isArray(logprobs) || logprobs.length < prompt.length) {
      throw new ReckonError('unsupported', `${this.name} does not tell the probabilities of a prompt's tokens.`, {
        hint: 'vLLM does; score() and choose() need it.',
        details: { backend: 'server', feature: 'probabilities' },
      });
    }
    return logprobs.slice(1, prompt.length).map(Number);
  }

  #completion(chunk: Json): Completion {
    const [choice] = (chunk.choices ?? []) as Json[];
    if (!choice) {
      if (chunk.error) throw this.#strange(`it reports ${JSON.stringify(chunk.error).slice(0, 200)}`);
      return { tokens: [], finish: null };
    }
    const finish = choice.finish_reason === 'stop' ? 'stop' : choice.finish_reason === 'length' ? 'length' : null;
    return { tokens: this.#tokens(choice), finish };
  }

  #tokens({ text, logprobs, token_ids: ids }: Json): ServedToken[] {
    const told = (logprobs ?? {}) as { tokens?: unknown; token_logprobs?: unknown; content?: unknown };
    // llama.cpp's server.
    if (Array.isArray(told.content)) {
      return told.content.map(({ id, logprob }: Json) => ({ token: Number(id), logprob: Number(logprob) }));
    }
    // vLLM.
    const chances = Array.isArray(told.token_logprobs) ? told.token_logprobs.map(Number) : [];
    const names = Array.isArray(ids) ? ids.map(Number) : Array.isArray(told.tokens) ? told.tokens.map(idOf) : [];
    if (names.length > 0 && names.every(Number.isInteger)) {
      return names.map((token, i) => ({ token, logprob: chances[i] ?? Number.NaN }));
    }
    if (!text) return [];
    throw new ReckonError('unsupported', `${this.name} tells the text it generates, and not the tokens.`, {
      hint: 'Use a server that does: vLLM, or that of llama.cpp.',
      details: { backend: 'server', feature: 'tokens' },
    });
  }

  async #send(path: string, body: Json | undefined, signal?: AbortSignal, also?: AbortSignal): Promise<Response> {
    const url = `${this.#base}${path}`;
    const headers: Record<string, string> = {};
    if (this.#token !== undefined) headers.authorization = `Bearer ${this.#token}`;
    if (body) headers['content-type'] = 'application/json';
    for (let tries = 1; ; tries++) {
      let response: Response;
      try {
        const ends = also ?? signal;
        response = await fetch(url, {
          method: body ? 'POST' : 'GET',
          headers,
          ...(body ? { body: JSON.stringify(body) } : {}),
          ...(ends ? { signal: ends } : {}),
        });
      } catch (cause) {
        if (signal?.aborted || also?.aborted) throw abortedError('The request', signal ?? also);
        throw this.#broken(cause);
      }
      if (response.ok) return response;
      const said = (await response.text().catch(() => '')).slice(0, 300);
      if (BUSY.has(response.status) && tries < TRIES) {
        await new Promise((done) => setTimeout(done, this.#wait * 2 ** (tries - 1)));
        continue;
      }
      throw this.#refused(response.status, said);
    }
  }

  #refused(status: number, said: string): ReckonError {
    const code = status === 401 || status === 403 ? 'access-denied' : status === 400 ? 'bad-option' : 'network';
    const hint = code === 'access-denied' ? 'Give its key as `token`.' : 'Check its address and the name of the model.';
    return new ReckonError(code, `${this.name} answered ${status}${said ? `: ${said.replace(/\s+/g, ' ')}` : ''}.`, {
      hint,
      details: { server: this.name, status },
    });
  }

  #broken(cause: unknown): ReckonError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new ReckonError('network', `The connection to ${this.name} failed (${why}).`, {
      hint: 'See whether it is running and may be reached from here (pages need its permission: CORS).',
      details: { server: this.name },
      cause,
    });
  }

  #strange(what: string): ReckonError {
    return new ReckonError('network', `${this.name} answered what was not expected: ${what}.`, {
      hint: 'It should speak the completions protocol of OpenAI, as vLLM and llama.cpp do.',
      details: { server: this.name },
    });
  }
}

/** "token_id:42" → 42. */
function idOf(name: unknown): number {
  return Number(/^token_id:(\d+)$/.exec(String(name))?.[1] ?? Number.NaN);
}

function parsed(data: string): Json {
  try {
    return JSON.parse(data) as Json;
  } catch {
    return { error: data };
  }
}

/** Data of server-sent events, one event after the other. */
async function* serverEvents(response: Response, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split(/\r?\n/);
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('data:')) yield line.slice(5).trim();
    }
  } finally {
    if (!signal.aborted) await reader.cancel().catch(() => {});
  }
}
