/** A server that speaks OpenAI's completions over the reference engine, in the dialect of vLLM or of llama.cpp. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Engine } from '../../src/engine/types.ts';

export interface CompletionsServer {
  readonly url: string;
  readonly requests: { path: string; body: Record<string, unknown>; authorization: string | undefined }[];
  /** Requests that are being answered, and the most there were at a time. */
  readonly load: { now: number; most: number };
  /** Status of the next answers, before all goes well again. */
  failures: number[];
  close(): Promise<void>;
}

export async function completionsServer(
  engine: Engine,
  dialect: 'vllm' | 'llama.cpp' | 'text-only',
  key?: string,
): Promise<CompletionsServer> {
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.writeHead(500);
      response.end(String(error));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const handle: CompletionsServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests: [],
    load: { now: 0, most: 0 },
    failures: [],
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request) text += part;
    const path = request.url ?? '';
    const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    handle.requests.push({ path, body, authorization: request.headers.authorization });
    const reply = (status: number, json: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(json));
    };
    const failure = handle.failures.shift();
    if (failure !== undefined) return reply(failure, { error: { message: 'not now' } });
    if (key !== undefined && request.headers.authorization !== `Bearer ${key}`) return reply(401, { error: 'no key' });
    if (path === '/v1/models') {
      const { maxContext } = engine.capacity;
      const told = dialect === 'vllm' ? { max_model_len: maxContext } : { meta: { n_ctx_train: maxContext } };
      return reply(200, { data: [{ id: 'tiny', ...told }] });
    }
    if (path !== '/v1/completions') return reply(404, { error: 'not found' });
    handle.load.most = Math.max(handle.load.most, ++handle.load.now);
    try {
      await complete(body, response, reply);
    } finally {
      handle.load.now--;
    }
  }

  async function complete(
    body: Record<string, unknown>,
    response: ServerResponse,
    reply: (status: number, json: unknown) => void,
  ): Promise<void> {
    const prompt = body.prompt as number[];
    const lane = engine.open();
    if (body.echo === true) {
      await lane.append(prompt.slice(0, 1));
      const chances = [...(await lane.score(prompt.slice(1)))];
      const echoed = { tokens: prompt.map((id) => `token_id:${id}`), token_logprobs: [null, ...chances, -1] };
      return reply(200, {
        choices: [{ text: '', logprobs: dialect === 'vllm' ? echoed : null, finish_reason: 'length' }],
      });
    }
    await lane.append(prompt);
    const stopTokens = body.stop_token_ids as number[];
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const ended = new AbortController();
    response.on('close', () => ended.abort());
    const events = lane
      .generate({
        maxTokens: body.max_tokens as number,
        temperature: body.temperature as number,
        seed: body.seed as number,
        stopTokens,
        signal: ended.signal,
      })
      [Symbol.asyncIterator]();
    const send = (choice: object) => response.write(`data: ${JSON.stringify({ choices: [choice] })}\r\n\r\n`);
    for (;;) {
      const { done, value } = await events.next();
      if (done) {
        send({ text: '', finish_reason: value === 'abort' ? null : value });
        break;
      }
      const { token, logprob, text } = value;
      const logprobs = {
        vllm: { tokens: [`token_id:${token}`], token_logprobs: [logprob] },
        'llama.cpp': { content: [{ id: token, token: text, logprob }] },
        'text-only': null,
      }[dialect];
      // llama.cpp keeps the token that ends a text to itself.
      if (dialect === 'llama.cpp' && stopTokens.includes(token)) continue;
      send({ text: text || ' ', logprobs, finish_reason: null });
    }
    response.end('data: [DONE]\n\n');
    lane.dispose();
  }
  return handle;
}
