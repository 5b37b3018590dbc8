/** In a browser: greedy tokens of web-llm and of Reckon behind the same prompt, from the same bytes. */
import type { ModelRecord } from '@mlc-ai/web-llm';
import { loadModel } from '../../src/api/load-model.ts';
import { openDriver } from '../../src/backends/web-llm/driver.ts';
import { loadPackage } from '../../src/backends/web-llm/package.ts';

export interface Side {
  readonly engine: string;
  readonly tokens: readonly number[];
  /** Log-probability of each, and of the runner-up: how near a tie it was. */
  readonly logprobs: readonly (readonly [chosen: number, second: number])[];
  readonly loadSeconds: number;
  readonly promptSeconds: number;
  readonly tokenSeconds: number;
}

interface Task {
  readonly model: string;
  readonly library: string;
  readonly prompt: readonly number[];
  readonly count: number;
}

const seconds = (since: number) => (performance.now() - since) / 1000;

/** The likeliest token, and the log-probabilities of it and of the second. */
function best(logits: Float32Array): { token: number; logprobs: [number, number] } {
  let [token, second] = [0, 1];
  let sum = 0;
  for (let i = 1; i < logits.length; i++) {
    if (logits[i]! > logits[token]!) [second, token] = [token, i];
    else if (second === token || logits[i]! > logits[second]!) second = i;
  }
  for (const x of logits) sum += Math.exp(x - logits[token]!);
  const norm = logits[token]! + Math.log(sum);
  return { token, logprobs: [logits[token]! - norm, logits[second]! - norm] };
}

async function webLlm({ model, library, prompt, count }: Task): Promise<Side> {
  const started = performance.now();
  const record: ModelRecord = { model, model_id: 'compared', model_lib: library };
  const driver = await openDriver(await loadPackage(), { record, context: 1024, bytesPerToken: 0 });
  const loadSeconds = seconds(started);
  await driver.reset();
  const begun = performance.now();
  let logits = await driver.forward(prompt);
  const promptSeconds = seconds(begun);
  const tokens: number[] = [];
  const logprobs: [number, number][] = [];
  const decoding = performance.now();
  for (;;) {
    const { token, logprobs: both } = best(logits);
    tokens.push(token);
    logprobs.push(both);
    if (tokens.length === count) break;
    logits = await driver.forward([token]);
  }
  driver.dispose();
  return {
    engine: 'web-llm',
    tokens,
    logprobs,
    loadSeconds,
    promptSeconds,
    tokenSeconds: seconds(decoding) / Math.max(1, count - 1),
  };
}

async function reckon({ model, prompt, count }: Task): Promise<Side> {
  const started = performance.now();
  const loaded = await loadModel(model, {
    precision: { weights: 'f32', kv: 'f32' },
    maxContext: 1024,
    maxLanes: 1,
    kvBytes: 2 ** 26,
  });
  const loadSeconds = seconds(started);
  const lane = loaded.engine.open();
  const begun = performance.now();
  await lane.append(prompt);
  const tokens: number[] = [];
  const logprobs: [number, number][] = [];
  let promptSeconds = 0;
  for await (const { token, logprob } of lane.generate({ maxTokens: count, temperature: 0, stopTokens: [] })) {
    if (tokens.length === 0) promptSeconds = seconds(begun);
    tokens.push(token);
    logprobs.push([logprob, Number.NaN]);
  }
  const tokenSeconds = (seconds(begun) - promptSeconds) / Math.max(1, count - 1);
  loaded.dispose();
  return { engine: 'reckon', tokens, logprobs, loadSeconds, promptSeconds, tokenSeconds };
}

const run = { 'web-llm': webLlm, reckon };

/** Called by the script, one engine after the other: both at once may not fit. */
Object.assign(globalThis, { compare: (engine: keyof typeof run, task: Task) => run[engine](task) });
