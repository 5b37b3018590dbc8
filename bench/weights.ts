/**
 * Quantised weights against f16 in one run on one device: what a step must move, what it takes, and both as ratios. Where
 * decoding is bound by the traffic of weights, the two ratios are alike.
 */
import { DECODE_OPTIONS, type DecodeBenchOptions, type DecodeReport, decodeHelp, decodeWith } from './decode.ts';
import type { Bench } from './options.ts';
import { table } from './statistics.ts';

const KINDS = [
  { name: 'f16', quantize: null },
  { name: '8bit', quantize: '8bit' },
  { name: '4bit', quantize: '4bit' },
] as const;

const DEFAULTS: DecodeBenchOptions = { lanes: [1, 8], context: 32, tokens: 16, runs: 3 };

export const weights: Bench = {
  summary: 'weights of 4 and 8 bits against f16: bytes and time of a step',
  help: decodeHelp(DEFAULTS),
  options: DECODE_OPTIONS,
  async run(options) {
    const reports: DecodeReport[] = [];
    for (const { quantize } of KINDS) reports.push((await decodeWith(options, DEFAULTS, { quantize })).data);
    return { data: reports, text: describe(reports) };
  },
};

function describe(reports: readonly DecodeReport[]): string {
  const [base] = reports as [DecodeReport, ...DecodeReport[]];
  const rows = reports.flatMap((report, kind) =>
    report.decode.map((row, i) => {
      const first = base.decode[i]!;
      const stepBytes = row.bytesPerToken * row.lanes;
      return [
        KINDS[kind]!.name,
        String(row.lanes),
        (report.model.weightBytes / 1e6).toFixed(1),
        (stepBytes / 1e6).toFixed(2),
        `${(stepBytes / (first.bytesPerToken * first.lanes)).toFixed(2)}×`,
        row.msPerStep.toFixed(2),
        `${(row.msPerStep / first.msPerStep).toFixed(2)}×`,
        row.gpuMsPerStep === null ? '—' : row.gpuMsPerStep.toFixed(2),
      ];
    }),
  );
  const { model, device, driver, software } = base;
  return [
    `${model.name} (${model.layers} layers, ${(model.parameters / 1e6).toFixed(1)} M parameters) on ${device}`,
    `driver: ${driver}`,
    ...(software ? ['A software driver: arithmetic, not traffic, is what a step waits for there.'] : []),
    '',
    table(['weights', 'lanes', 'MB held', 'MB/step', 'of f16', 'ms/step', 'of f16', 'GPU ms'], rows),
    '',
    `Bytes: the ledger's. Medians of ${base.runs} runs of ${base.tokens} tokens a lane after ${base.context} of prompt.`,
  ].join('\n');
}
