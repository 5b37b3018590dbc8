/** The worker and its client in a real browser: every case starts a worker of its own. */
import type { LoadProgress, Model, ReasonRequest } from '../../../src/api/types.ts';
import { ReckonError } from '../../../src/errors.ts';
import { isReckonError, taskById } from '../../../src/index.ts';
import type { ReasoningEvent } from '../../../src/strategies/types.ts';
import { connectWorker, type WorkerConnection } from '../../../src/worker/client.ts';

export type Checkpoint = { name: string; base64: string }[];

let checkpoint: File[] = [];
let connection: WorkerConnection | undefined;
let model: Model | undefined;

const problem = taskById('countdown').generate(7);
const REQUEST: ReasonRequest = { problem, strategy: { name: 'best-of-n', n: 2 }, sampling: { seed: 7 } };

function start(): Worker {
  return new Worker(new URL('../../../src/worker/index.ts', import.meta.url), { type: 'module' });
}

function loaded(): Model {
  if (!model) throw new Error('Load first.');
  return model;
}

/** An error as plain data. */
async function told(work: () => Promise<unknown>) {
  try {
    await work();
  } catch (error) {
    const { code, message, hint } = error as ReckonError;
    return { typed: error instanceof ReckonError && isReckonError(error), code, message, hint: hint ?? null };
  }
  throw new Error('Nothing was thrown.');
}

/** Loads from files, as picked by a person. */
export async function load(files: Checkpoint) {
  checkpoint = files.map(({ name, base64 }) => new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
  connection = connectWorker(start());
  const seen: LoadProgress[] = [];
  model = await connection.loadModel(checkpoint, { maxLanes: 4, onProgress: (progress) => seen.push(progress) });
  return { info: model.info, phases: [...new Set(seen.map(({ phase }) => phase))], last: seen.at(-1) };
}

/** Runs to the end: the events in order, whether they came over time, and the result. */
export async function run() {
  const events: ReasoningEvent[] = [];
  let turns = 0;
  const ticking = setInterval(() => turns++, 10);
  const reasoning = loaded().reason(REQUEST);
  for await (const event of reasoning) events.push(event);
  clearInterval(ticking);
  return { events, answer: await reasoning.result, turns };
}

export async function chat() {
  const body = { messages: [{ role: 'user' as const, content: problem.prompt }], n: 2, seed: 7 };
  const whole = await loaded().chat.completions.create(body);
  const streamed = ['', ''];
  for await (const { choices } of await loaded().chat.completions.create({ ...body, stream: true })) {
    for (const { index, delta } of choices) streamed[index] += delta.content ?? '';
  }
  return { whole: whole.choices.map(({ message }) => message.content), streamed };
}

export async function abort() {
  const controller = new AbortController();
  const reasoning = loaded().reason({ ...REQUEST, signal: controller.signal });
  let tokens = 0;
  for await (const event of reasoning) if (event.type === 'token' && ++tokens === 4) controller.abort();
  const stopped = (await reasoning.result).candidates.map(({ finish }) => finish);
  const left = loaded().reason(REQUEST);
  for await (const event of left) if (event.type === 'token') break;
  const abandoned = (await left.result).candidates.map(({ finish }) => finish);
  const before = await told(() => loaded().reason({ ...REQUEST, signal: AbortSignal.abort() }).result);
  const again = (await loaded().reason(REQUEST).result).chosen;
  return { stopped, abandoned, before, again };
}

export async function errors() {
  return {
    option: await told(() => loaded().reason({ ...REQUEST, strategy: { name: 'best-of-n', n: 0 } }).result),
    capacity: await told(() => loaded().reason({ ...REQUEST, thinking: { maxTokens: 9999 } }).result),
    unsendable: await told(
      () => loaded().reason({ ...REQUEST, problem: { ...problem, data: () => 'not data' } }).result,
    ),
    gpu: await told(() => connection!.loadModel(checkpoint, { gpu: navigator.gpu })),
    chat: await told(() => loaded().chat.completions.create({ messages: [], n: 0 })),
  };
}

export async function badLoads() {
  const without = (name: string) => checkpoint.filter((file) => file.name !== name);
  const controller = new AbortController();
  const aborting = connection!.loadModel(checkpoint, {
    signal: controller.signal,
    onProgress: ({ phase }) => phase === 'weights' && controller.abort(),
  });
  return {
    aborted: await told(() => aborting),
    tokenizer: await told(() => connection!.loadModel(without('tokenizer.json'))),
    nothing: await told(() => connection!.loadModel(new URL('no-such-model/', location.href))),
    url: await told(() => connection!.loadModel('http://[')),
  };
}

/** A second model in the same worker; disposing one leaves the other. */
export async function dispose() {
  const second = await connection!.loadModel(checkpoint, { maxLanes: 1 });
  const running = second.reason(REQUEST);
  let ended = '';
  for await (const event of running) {
    if (event.type !== 'token') continue;
    second.dispose();
    ended = (await told(() => running.result)).code;
    break;
  }
  const after = await told(() => second.reason(REQUEST).result);
  second.dispose();
  return { ended, after, other: (await loaded().reason(REQUEST).result).chosen };
}

export async function terminate() {
  const running = loaded().reason(REQUEST);
  for await (const event of running) if (event.type === 'token') connection!.terminate();
  return running.result;
}

export async function afterwards() {
  const after = await told(() => loaded().reason(REQUEST).result);
  loaded().dispose();
  return { after, load: await told(() => connection!.loadModel(checkpoint)) };
}

export async function neverStarts() {
  const missing = connectWorker(new Worker(new URL('/no-such-worker.js', location.href), { type: 'module' }));
  const script = URL.createObjectURL(new Blob(['throw new Error("broken worker")'], { type: 'text/javascript' }));
  const broken = connectWorker(new Worker(script));
  return {
    missing: await told(() => missing.loadModel(checkpoint)),
    broken: await told(() => broken.loadModel(checkpoint)),
    again: await told(() => broken.loadModel(checkpoint)),
  };
}
