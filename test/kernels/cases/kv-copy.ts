/** What must hold of page copies, as a check that any host with a `Gpu` can run. */
import type { Gpu } from '../../../src/gpu/index.ts';
import { KvCopy } from '../../../src/kernels/kv-copy.ts';
import { kvHeadBytes } from '../../../src/kernels/precision.ts';
import { PAGE_SIZE } from '../../../src/kernels/step.ts';
import { submit } from './attention-support.ts';
import type { CacheShape } from './cache-memory.ts';
import { assert, download, seeded, upload } from './linear-support.ts';

export interface KvCopyCase extends Pick<CacheShape, 'kvHeads' | 'headDim' | 'precision'> {
  pages: number;
  copies: number;
  seed: number;
}

/** Copies pages of a random cache into others: targets equal their sources, every other byte is as it was. */
export async function checkKvCopy(gpu: Gpu, test: KvCopyCase): Promise<void> {
  const { kvHeads, headDim, precision, pages, copies } = test;
  const random = seeded(test.seed);
  const pageBytes = kvHeads * PAGE_SIZE * kvHeadBytes(headDim, precision);
  const before = [0, 1].map(() => Uint8Array.from({ length: pages * pageBytes }, () => random() * 256));
  const free = Array.from({ length: pages }, (_, page) => page);
  const targets = Array.from({ length: copies }, () => free.splice(Math.floor(random() * free.length), 1)[0]!);
  const pairs = targets.map((target) => ({ source: free[Math.floor(random() * free.length)]!, target }));

  const copy = await KvCopy.create(gpu, { kvHeads, headDim, maxCopies: copies }, { weights: 'f32', kv: precision });
  const [keys, values] = [upload(gpu, 'keys', before[0]!), upload(gpu, 'values', before[1]!)];
  const bound = copy.bind(gpu, { keys, values });
  try {
    copy.upload(pairs);
    const { kvWrite } = submit(gpu, (step) => bound.record(step, pairs.length)).total();
    assert(kvWrite.bytes === 4 * copies * pageBytes, `declares ${kvWrite.bytes} bytes`);
    for (const [index, buffer] of [keys, values].entries()) {
      const expected = before[index]!.slice();
      for (const { source, target } of pairs) {
        expected.copyWithin(target * pageBytes, source * pageBytes, (source + 1) * pageBytes);
      }
      const actual = new Uint8Array(await download(gpu, buffer, expected.length));
      const wrong = expected.findIndex((byte, i) => byte !== actual[i]);
      assert(
        wrong < 0,
        `byte ${wrong} of ${index === 0 ? 'keys' : 'values'} is ${actual[wrong]}, not ${expected[wrong]}`,
      );
    }
    const none = submit(gpu, (step) => bound.record(step, 0)).sum();
    assert(none.bytes === 0, 'an empty list costs something');
  } finally {
    copy.dispose();
    gpu.free(keys);
    gpu.free(values);
  }
}
