/** A GPU that goes away or refuses a command: a typed error at once, for all lanes, and never a wrong token. */
import { beforeAll, describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { ownGpu } from '../support/gpu.ts';
import { errorCode, openRig, type Rig, randomTokens, runAlone, TINY } from './rig.ts';

interface Watched {
  tokens: number[];
  held: () => number[];
  error: Promise<unknown>;
}

/** Lanes that generate, their tokens as they come, and how each ends. */
async function start(rig: Rig, count: number): Promise<Watched[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, seed) => {
      const lane = rig.engine.open();
      await lane.append(randomTokens(20 + seed, seed));
      const tokens: number[] = [];
      const error = (async () => {
        for await (const { token } of lane.generate({ seed, maxTokens: 400 })) tokens.push(token);
        return null;
      })().catch((cause: unknown) => cause);
      return { tokens, held: () => Array.from(lane.tokens).slice(20 + seed), error };
    }),
  );
}

async function someSteps(rig: Rig, count: number): Promise<void> {
  await new Promise<void>((resolve) => {
    let left = count;
    const stop = rig.engine.onStep(() => {
      if (--left > 0) return;
      stop();
      resolve();
    });
  });
}

let undisturbed: number[][];
/** What lanes generate when nothing happens. */
beforeAll(async () => {
  const count = 4;
  const rig = await openRig();
  const runs = await Promise.all(
    Array.from({ length: count }, (_, seed) =>
      runAlone(rig.engine, randomTokens(20 + seed, seed), { seed, maxTokens: 400 }),
    ),
  );
  rig.dispose();
  undisturbed = runs.map(({ tokens }) => tokens);
});

describe.each([
  {
    name: 'a device that is lost',
    code: 'device-lost',
    harm: ({ gpu }: Rig) => gpu.device.destroy(),
  },
  {
    name: 'a submission that fails validation',
    code: 'gpu-validation',
    // The steps that follow use a destroyed buffer: each is dropped as a whole.
    harm: ({ decoder }: Rig) => decoder.step.rows.destroy(),
  },
  {
    name: 'a command outside every error scope that fails',
    code: 'gpu-validation',
    harm: ({ gpu }: Rig) => {
      gpu.device.createBuffer({ size: 16, usage: 0x01 | 0x80 });
    },
  },
])('$name', ({ code, harm }) => {
  it('ends every lane with the typed error, its tokens kept, and every later call', async () => {
    const rig = await openRig(TINY, { open: { gpu: await ownGpu() } });
    const idle = rig.engine.open();
    await idle.append([1, 2, 3]);
    const lanes = await start(rig, 4);
    await someSteps(rig, 3);
    const reading = rig.engine.open();
    const failed = errorCode(() => reading.append(randomTokens(400, 1)));
    await someSteps(rig, 1);
    harm(rig);
    const errors = await Promise.all(lanes.map(({ error }) => error));
    for (const [i, error] of errors.entries()) {
      expect(isReckonError(error, code as 'device-lost')).toBe(true);
      const { tokens, held } = lanes[i]!;
      expect(tokens.length).toBeLessThan(400);
      expect(tokens).toEqual(undisturbed[i]!.slice(0, tokens.length));
      expect(held()).toEqual(tokens);
    }
    expect(await errorCode(() => rig.engine.open())).toBe(code);
    expect(rig.gpu.failure?.code).toBe(code);
    expect(await failed).toBe(code);
    for (const call of [
      () => idle.append([1, 2]),
      () => idle.generate(),
      () => idle.score([1]),
      () => idle.choose([1]),
    ]) {
      expect(await errorCode(call)).toBe(code);
    }
    expect(Array.from(idle.tokens)).toEqual([1, 2, 3]);
    rig.dispose();
  });
});

describe('an engine that is disposed', () => {
  it('ends what runs, and later calls say so', async () => {
    const rig = await openRig();
    const lanes = await start(rig, 3);
    const idle = rig.engine.open();
    await idle.append([1, 2]);
    await someSteps(rig, 2);
    rig.engine.dispose();
    rig.engine.dispose();
    for (const { error } of lanes) expect(isReckonError(await error, 'lane-disposed')).toBe(true);
    expect(await errorCode(() => idle.append([1]))).toBe('lane-disposed');
    expect(await errorCode(() => rig.engine.open())).toBe('device-lost');
  });
});
