/**
 * Predicted against measured step times: a calibrated model runs Best-of-N with changing numbers of lanes for a while, as a
 * person would, and tells how far the predictions were off.
 */
import { loadFrom } from '../src/api/load-model.ts';
import { openNodeGpu } from '../src/node/gpu.ts';
import type { StepTimes } from '../src/strategies/types.ts';
import { taskById } from '../src/tasks/index.ts';
import { MODEL_HELP, MODEL_OPTIONS, modelOptions, sourceOf } from './model.ts';
import { type Bench, count, counts } from './options.ts';
import { table } from './statistics.ts';

interface PredictRow extends StepTimes {
  /** Since the first step. */
  seconds: number;
  lanes: number;
}

export const predict: Bench = {
  summary: 'predicted against measured step times, after a minute of runs',
  help: `${MODEL_HELP}  --lanes A,B,…     numbers of lanes, in turn (default 1,4,8,2,16)
  --seconds N       how long (default 60)
`,
  options: { ...MODEL_OPTIONS, lanes: { type: 'string' }, seconds: { type: 'string' } },
  async run(options) {
    const lanes = counts(options, 'lanes', [1, 4, 8, 2, 16]);
    const seconds = count(options, 'seconds', 60);
    const { driver, unsafeFast, precision, ...named } = modelOptions(options);
    const { gpu } = await openNodeGpu({ driver, unsafeFast });
    const model = await loadFrom(sourceOf(named), {
      gpu,
      calibrate: true,
      precision: { weights: precision, kv: precision },
      maxLanes: Math.max(...lanes),
    });
    try {
      const rows: PredictRow[] = [];
      const started = performance.now();
      const elapsed = () => (performance.now() - started) / 1000;
      for (let turn = 0; elapsed() < seconds; turn++) {
        const n = lanes[turn % lanes.length]!;
        const run = model.reason({
          problem: taskById('countdown').generate(turn),
          strategy: { name: 'best-of-n', n, select: 'logprob', earlyStop: false },
          sampling: { seed: turn, temperature: 1 },
          thinking: { maxTokens: 128 },
        });
        let times: StepTimes | null = null;
        for await (const event of run) if (event.type === 'cost' && event.timing) times = event.timing;
        if (times) rows.push({ seconds: elapsed(), lanes: n, ...times });
      }
      const device = model.info.device.name;
      return {
        data: { device, model: model.info.name, calibration: model.info.calibration, rows },
        text: describe(rows, device),
      };
    } finally {
      model.dispose();
    }
  },
};

function describe(rows: readonly PredictRow[], device: string): string {
  const shown = rows.filter((_, i) => i === rows.length - 1 || i % Math.ceil(rows.length / 10) === 0);
  const lines = shown.map(({ seconds, lanes, measuredMs, predictedMs, medianError }) => [
    seconds.toFixed(0),
    String(lanes),
    measuredMs.toFixed(2),
    predictedMs.toFixed(2),
    `${(100 * medianError).toFixed(1)} %`,
  ]);
  return [
    `step times on ${device}`,
    '',
    table(['second', 'lanes', 'measured ms', 'predicted ms', 'median error'], lines),
    '',
    'Medians of the last 64 groups of 8 steps; each prediction was made before its steps ran.',
  ].join('\n');
}
