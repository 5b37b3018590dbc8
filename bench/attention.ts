/**
 * Decode time per step against context, dense and sparse. The KV is made up: lanes are told that they hold as many tokens as
 * asked for, and their page summaries are random; what attention costs does not depend on what it finds.
 */
import { type ModelConfig, modelShape } from '../src/checkpoint/index.ts';
import type { Options } from '../src/cli/options.ts';
import { attentionText, parseAttention, parsePolicy } from '../src/cost/attention.ts';
import type { AttentionPolicy } from '../src/engine/types.ts';
import { isReckonError, ReckonError } from '../src/errors.ts';
import type { KvPrecision } from '../src/kernels/precision.ts';
import { PAGE_SIZE } from '../src/kernels/step.ts';
import { type Bench, count, counts, driverOf } from './options.ts';
import { slope, table } from './statistics.ts';
import { type Measured, PROMPTS, type PromptKind, SyntheticLanes } from './synthetic-lanes.ts';

export interface AttentionRow extends Measured {
  context: number;
  lanes: number;
  policy: string;
  precision: KvPrecision;
  prompt: PromptKind;
}

const POLICIES = 'dense,block:16x64,window:4+1024';
const PRECISIONS: readonly KvPrecision[] = ['f32', 'f16', 'int8'];
/** Tokens that lanes have room for behind their context. */
const ROOM = 64;
/** Output heads are no part of what is measured: a small vocabulary keeps them from hiding it. */
const VOCABULARY = 1024;

export const attention: Bench = {
  summary: 'decode time per step against context, dense and sparse',
  help: `  --model NAME      a shape, random weights, small vocabulary (default qwen3-0.6b)
  --layers N        fewer layers than the shape has (default 2)
  --contexts A,B,…  tokens that each lane holds (default 1024,2048,4096,8192)
  --lanes A,B,…     lanes decoded together (default 1,8)
  --policies A,B,…  as --attention of the command line has them (default ${POLICIES})
  --kv A,B,…        precisions of the KV: f32, f16, int8 (default f16)
  --prompts A,B,…   own | together | apart: lanes with a context each; or forks of one prompt, reading it once for all, or each
                    for itself (default own)
  --kernels K       gpu | serial: attention as on GPUs or as on software drivers, which never read together (default:
                    what suits the device)
  --steps N         steps measured, of which the median counts (default 5)
`,
  options: {
    model: { type: 'string' },
    layers: { type: 'string' },
    contexts: { type: 'string' },
    lanes: { type: 'string' },
    policies: { type: 'string' },
    kv: { type: 'string' },
    prompts: { type: 'string' },
    kernels: { type: 'string' },
    steps: { type: 'string' },
  },
  async run(options) {
    const contexts = counts(options, 'contexts', [1024, 2048, 4096, 8192]);
    const lanes = counts(options, 'lanes', [1, 8]);
    const shape = modelShape(options.text('model') ?? 'qwen3-0.6b');
    const config = {
      ...shape,
      layers: count(options, 'layers', 2),
      vocabSize: VOCABULARY,
      maxContext: Math.max(shape.maxContext, Math.max(...contexts) + ROOM),
    };
    const policies = (options.text('policies') ?? POLICIES).split(',').map((text) => {
      // All layers alike: what a dense first layer adds is told apart, since it weighs more among few layers.
      const policy = parsePolicy(text);
      return { name: attentionText(parseAttention(text)), policy: { ...policy, denseLayers: [] } as AttentionPolicy };
    });
    const rows: AttentionRow[] = [];
    const skipped: string[] = [];
    let device = '';
    const prompts = listOf(options, 'prompts', PROMPTS, 'own');
    const kernels = options.oneOf('kernels', ['gpu', 'serial'] as const);
    for (const precision of listOf(options, 'kv', PRECISIONS, 'f16')) {
      for (const n of lanes) {
        const longest = Math.max(...contexts) + ROOM;
        // Forks hold their prompt once, and its open page and what they write each.
        const held = prompts.includes('own') ? n * longest : longest + n * (ROOM + 2 * PAGE_SIZE);
        const sizes = { lanes: n, longest, held };
        const bench = await SyntheticLanes.open(config, precision, sizes, driverOf(options), kernels);
        device = bench.device;
        for (const context of contexts) {
          for (const { name, policy } of policies) {
            for (const prompt of prompts) {
              try {
                const measured = await bench.measure(n, context, policy, prompt, count(options, 'steps', 5));
                rows.push({ context, lanes: n, policy: name, precision, prompt, ...measured });
              } catch (error) {
                if (!isReckonError(error, 'over-capacity')) throw error;
                skipped.push(`${n} × ${context} in ${precision}`);
              }
            }
          }
        }
        bench.dispose();
      }
    }
    return { data: rows, text: describe(rows, [...new Set(skipped)], config, shape.layers, device) };
  },
};

/** "a,b" as members of `known`. @throws ReckonError `bad-option` */
function listOf<T extends string>(options: Options, name: string, known: readonly T[], fallback: T): T[] {
  return (options.text(name) ?? fallback).split(',').map((item) => {
    const found = known.find((one) => one === item);
    if (found) return found;
    throw new ReckonError('bad-option', `--${name} has ${JSON.stringify(item)}; it knows ${known.join(', ')}.`);
  });
}

const SAID: Record<PromptKind, string> = {
  own: '',
  together: ', forks of one prompt, read once for all',
  apart: ', forks of one prompt, each reading it for itself',
};

function describe(
  rows: readonly AttentionRow[],
  skipped: readonly string[],
  config: ModelConfig,
  layers: number,
  device: string,
): string {
  const groups = new Map<string, AttentionRow[]>();
  for (const row of rows) {
    const key = `${row.precision}, ${row.lanes} lane${row.lanes === 1 ? '' : 's'}${SAID[row.prompt]}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const lines = [
    `${config.layers} layers of ${config.heads} heads on ${config.kvHeads} of ${config.headDim}, hidden ${config.hiddenSize}, vocabulary ${config.vocabSize}, f16 weights, on ${device}`,
  ];
  for (const [name, own] of groups) {
    const of = (policy: string) => own.filter((row) => row.policy === policy);
    const dense = of('dense');
    const body = [...new Set(own.map(({ policy }) => policy))].flatMap((policy) => {
      const line = slope(of(policy).map(({ context, msPerStep }) => [context / 1024, msPerStep]));
      const denseLine = slope(dense.map(({ context, msPerStep }) => [context / 1024, msPerStep]));
      return of(policy).map((row, i) => {
        const base = dense.find(({ context }) => context === row.context);
        const ratio = (a: number | undefined, b: number) => (a === undefined ? '—' : `${(a / b).toFixed(2)}×`);
        return [
          row.policy,
          String(row.context),
          row.msPerStep.toFixed(2),
          (row.bytesPerStep / 1e6).toFixed(1),
          row.searchBytesPerStep > 0 ? `${((100 * row.searchBytesPerStep) / row.bytesPerStep).toFixed(1)} %` : '—',
          ratio(base?.msPerStep, row.msPerStep),
          ratio(base?.bytesPerStep, row.bytesPerStep),
          i > 0 || line === null ? '' : line.toFixed(3),
          i > 0 || line === null || !denseLine ? '' : (line / denseLine).toFixed(3),
        ];
      });
    });
    const head = ['policy', 'context', 'ms/step', 'MB/step', 'search', 'speed-up', 'by bytes', 'ms per 1k', 'of dense'];
    lines.push('', `${name}:`, table(head, body));
  }
  lines.push(
    '',
    `Search: what of the bytes goes into choosing blocks. Speed-up: against dense at the same context. ms per 1k: the line fitted through a policy's times against context, and what part`,
    `of the dense line's that is. Every layer follows the policy; a dense first layer of ${layers} adds ${(1 / layers).toFixed(3)} to that part.`,
  );
  for (const row of rows) {
    const apart = rows.find(
      (other) =>
        other.prompt === 'apart' &&
        other.context === row.context &&
        other.lanes === row.lanes &&
        other.policy === row.policy &&
        other.precision === row.precision,
    );
    if (row.prompt !== 'together' || !apart) continue;
    lines.push(
      `One prompt read once, ${row.lanes} × ${row.context} in ${row.precision}, ${row.policy}: ${(apart.msPerStep / row.msPerStep).toFixed(2)}× faster; bytes alone would allow ${(apart.bytesPerStep / row.bytesPerStep).toFixed(2)}×.`,
    );
  }
  if (skipped.length > 0) lines.push(`Did not fit on this device: ${skipped.join('; ')}.`);
  return lines.join('\n');
}
