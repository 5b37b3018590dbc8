/**
 * Whether the runtime says what PyTorch said: an embedded model continues problems greedily, beside continuations that
 * `training/golden.py` wrote down. Nothing here depends on the device's speed.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type LoadedModel, loadFrom } from '../src/api/load-model.ts';
import { directorySource } from '../src/checkpoint/node.ts';
import { ReckonError } from '../src/errors.ts';
import { openNodeGpu } from '../src/node/gpu.ts';
import { modelPath } from '../src/node/models.ts';
import { type Bench, driverOf } from './options.ts';
import { table } from './statistics.ts';

interface GoldenCase {
  readonly task: string;
  readonly difficulty: number;
  readonly promptIds: readonly number[];
  readonly greedyIds: readonly number[];
}

/** One greedy continuation beside the golden one. */
interface Compared {
  readonly cell: string;
  /** Tokens alike before the first that differs, and tokens there are. */
  readonly alike: number;
  readonly of: number;
}

export const agreement: Bench = {
  summary: 'whether greedy texts of an embedded model are those of PyTorch',
  help: `  --model NAME      an embedded model or a checkpoint's folder (default reckon-1m)
  --golden FILE     what training/golden.py wrote (default test/golden/NAME.json)
  --kv P            f32, f16 or int8 (default f32); weights are as precise as they are stored
`,
  options: { model: { type: 'string' }, golden: { type: 'string' }, kv: { type: 'string' } },
  async run(options) {
    const model = options.text('model') ?? 'reckon-1m';
    const kv = options.oneOf('kv', ['f32', 'f16', 'int8'] as const) ?? 'f32';
    const path = options.text('golden') ?? `test/golden/${basename(model)}.json`;
    if (!existsSync(path)) {
      throw new ReckonError('bad-option', `There is no ${path}.`, {
        hint: 'Write it with training/golden.py, or name another by --golden.',
      });
    }
    const { cases, note } = JSON.parse(readFileSync(path, 'utf8')) as { cases: GoldenCase[]; note: string };
    const { gpu } = await openNodeGpu({ driver: driverOf(options) });
    const loaded = await loadFrom(directorySource(modelPath(model)), {
      gpu,
      precision: { weights: 'f32', kv },
      maxLanes: 16,
    });
    const device = loaded.info.device.name;
    const compared = await Promise.all(cases.map((one) => continued(loaded, one)));
    loaded.dispose();
    const cells = [...new Set(compared.map(({ cell }) => cell))].map((cell) => {
      const those = compared.filter((one) => one.cell === cell);
      const sum = (of: (one: Compared) => number) => those.reduce((total, one) => total + of(one), 0);
      return {
        cell,
        texts: those.length,
        same: those.filter(({ alike, of }) => alike === of).length,
        tokens: sum(({ of }) => of),
        alike: sum(({ alike }) => alike),
      };
    });
    const same = cells.reduce((sum, cell) => sum + cell.same, 0);
    const rows = cells.map(({ cell, texts, same, tokens, alike }) => [
      cell,
      `${same} of ${texts}`,
      `${alike} of ${tokens}`,
    ]);
    return {
      data: { model, kv, device, reference: note, texts: cases.length, same, cells },
      text: [
        `${model}, KV in ${kv}, on ${device}, beside ${note}: ${same} of ${cases.length} greedy texts are the same to their end`,
        '',
        table(['problems', 'same text', 'tokens alike before the first difference'], rows),
      ].join('\n'),
    };
  },
};

async function continued(
  { engine }: LoadedModel,
  { task, difficulty, promptIds, greedyIds }: GoldenCase,
): Promise<Compared> {
  const lane = engine.open();
  await lane.append(promptIds);
  const ids: number[] = [];
  for await (const { token } of lane.generate({ temperature: 0, maxTokens: greedyIds.length })) ids.push(token);
  lane.dispose();
  const differs = ids.findIndex((token, i) => token !== greedyIds[i]);
  const alike = differs >= 0 ? differs : Math.min(ids.length, greedyIds.length);
  return { cell: `${task}/${difficulty}`, alike, of: greedyIds.length };
}
