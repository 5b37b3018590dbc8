/**
 * What the cache's precision costs in accuracy: a model continues problems greedily with KV in f32; the same texts are scored,
 * and the same problems continued, with KV in f16 and int8. Nothing here depends on the device's speed.
 */

import { type LoadedModel, loadFrom } from '../src/api/load-model.ts';
import { directorySource } from '../src/checkpoint/node.ts';
import type { KvPrecision } from '../src/kernels/precision.ts';
import { openNodeGpu } from '../src/node/gpu.ts';
import { modelPath } from '../src/node/models.ts';
import { taskById } from '../src/tasks/index.ts';
import { loadChatTemplate, renderChat } from '../src/text/index.ts';
import { type Bench, count, driverOf } from './options.ts';
import { median, table } from './statistics.ts';

export const kvPrecision: Bench = {
  summary: 'what f16 and int8 KV cost in accuracy, against f32',
  help: `  --model NAME      an embedded model or a checkpoint's folder (default proto)
  --task NAME       whose problems (default countdown)
  --problems N      how many (default 24)
  --tokens N        most tokens continued (default 160)
`,
  options: {
    model: { type: 'string' },
    task: { type: 'string' },
    problems: { type: 'string' },
    tokens: { type: 'string' },
  },
  async run(options) {
    const model = options.text('model') ?? 'proto';
    const task = taskById(options.text('task') ?? 'countdown');
    const problems = count(options, 'problems', 24);
    const tokens = count(options, 'tokens', 160);
    const source = directorySource(modelPath(model));
    const chat = await loadChatTemplate(source);
    const prompts = Array.from({ length: problems }, (_, i) =>
      renderChat(chat, [{ role: 'user', content: task.generate(1000 + i).prompt }]),
    );
    const { gpu } = await openNodeGpu({ driver: driverOf(options) });
    const reports: PrecisionReport[] = [];
    let device = '';
    let exact: Continued[] = [];
    for (const kv of ['f32', 'f16', 'int8'] as const) {
      const loaded = await loadFrom(source, { gpu, precision: { weights: 'f32', kv }, maxLanes: problems });
      device = loaded.info.device.name;
      const continued = await Promise.all(prompts.map((prompt) => continueText(loaded, prompt, tokens)));
      if (kv === 'f32') exact = continued;
      const scores = await Promise.all(prompts.map((prompt, i) => scoreText(loaded, prompt, exact[i]!.tokens)));
      reports.push(compare(kv, exact, continued, scores));
      loaded.dispose();
    }
    return { data: { model, task: task.id, problems, tokens, device, precisions: reports }, text: describe() };

    function describe(): string {
      const rows = reports.map((report) => [
        report.kv,
        report.meanError.toExponential(1),
        report.largestError.toExponential(1),
        `${report.same} of ${problems}`,
        report.firstDifference === null ? '—' : String(report.firstDifference),
      ]);
      return [
        `${model} on ${problems} problems of ${task.id}, ${tokens} tokens each at most, weights in f32, on ${device}`,
        '',
        table(['KV', 'mean |Δ log p|', 'largest', 'same greedy text', 'first difference, median'], rows),
        '',
        'Δ log p: of each token of the f32 texts, in nats. First difference: tokens that agree before it, where there is one.',
      ].join('\n');
    }
  },
};

interface Continued {
  readonly tokens: number[];
  readonly logprobs: number[];
}

interface PrecisionReport {
  readonly kv: KvPrecision;
  readonly meanError: number;
  readonly largestError: number;
  /** Greedy continuations that are the same to their end. */
  readonly same: number;
  readonly firstDifference: number | null;
}

async function continueText({ engine }: LoadedModel, prompt: string, maxTokens: number): Promise<Continued> {
  const lane = engine.open();
  await lane.append(prompt);
  const continued: Continued = { tokens: [], logprobs: [] };
  for await (const { token, logprob } of lane.generate({ temperature: 0, maxTokens })) {
    continued.tokens.push(token);
    continued.logprobs.push(logprob);
  }
  lane.dispose();
  return continued;
}

async function scoreText({ engine }: LoadedModel, prompt: string, tokens: readonly number[]): Promise<Float32Array> {
  const lane = engine.open();
  await lane.append(prompt);
  const scores = await lane.score(tokens);
  lane.dispose();
  return scores;
}

function compare(
  kv: KvPrecision,
  exact: readonly Continued[],
  continued: readonly Continued[],
  scores: readonly Float32Array[],
): PrecisionReport {
  const errors = exact.flatMap(({ logprobs }, i) => logprobs.map((logprob, t) => Math.abs(logprob - scores[i]![t]!)));
  const differences = exact.flatMap(({ tokens }, i) => {
    const own = continued[i]!.tokens;
    const at = tokens.findIndex((token, t) => token !== own[t]);
    return at >= 0 ? [at] : own.length === tokens.length ? [] : [tokens.length];
  });
  return {
    kv,
    meanError: errors.reduce((sum, error) => sum + error, 0) / errors.length,
    largestError: errors.reduce((most, error) => Math.max(most, error), 0),
    same: exact.length - differences.length,
    firstDifference: differences.length > 0 ? median(differences) : null,
  };
}
