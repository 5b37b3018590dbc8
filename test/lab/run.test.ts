import { describe, expect, it } from 'vitest';
import { isReckonError, ReckonError } from '../../src/errors.ts';
import type { LabProgress } from '../../src/lab/progress.ts';
import { runExperiment } from '../../src/lab/run.ts';
import { MemoryStore, type UnitRecord } from '../../src/lab/store.ts';
import { unitsOf } from '../../src/lab/units.ts';
import { laneSeed } from '../../src/strategies/index.ts';
import { taskById } from '../../src/tasks/index.ts';
import { protoEngine, protoPrompt, tinyEngine } from '../reference/proto.ts';
import { labRig, smallExperiment } from './rig.ts';

const experiment = smallExperiment();

/** What does not depend on which runs were under way beside each other. */
function essence(units: readonly UnitRecord[]) {
  return units.map(({ unit, samples }) => ({ unit, samples: samples.map(({ cost: _, ...rest }) => rest) }));
}

async function straight() {
  return runExperiment(experiment, labRig(tinyEngine(3)), { store: new MemoryStore() });
}

describe('an experiment', () => {
  it('draws every sample once, with its seed, verdict, tokens and cost', async () => {
    const engine = tinyEngine(3);
    const rig = labRig(engine);
    const { units, header } = await runExperiment(experiment, rig, { store: new MemoryStore(), intensity: 40 });
    const planned = unitsOf(experiment);
    expect(units.map((unit) => unit.unit)).toEqual(planned.map((unit) => unit.id));
    expect(header.setting).toEqual({
      model: 'tiny',
      parameters: 1000,
      precision: { weights: 'f32', kv: 'f32' },
      device: 'none',
      software: true,
      intensity: 40,
      shape: null,
    });
    for (const [i, unit] of units.entries()) {
      const { problem, seed, samples, thinking } = planned[i]!;
      expect(unit.samples.map((sample) => sample.seed)).toEqual(
        Array.from({ length: samples }, (_, lane) => laneSeed(seed, lane)),
      );
      expect(unit.prompt).toMatchObject({ text: problem.prompt, tokens: protoPrompt(problem.prompt).length });
      expect(unit.prompt.cost.flops).toBeGreaterThan(0);
      for (const sample of unit.samples) {
        expect(sample.correct).toBe(taskById('countdown').verify(problem, sample.answer).correct);
        expect(sample.tokens).toBeGreaterThan(0);
        expect(sample.tokens).toBeLessThanOrEqual(thinking + 3 + 4);
        expect(sample.cost.flops).toBeGreaterThan(0);
      }
      const flops = Object.values(unit.classes).reduce((sum, cost) => sum + cost.flops, 0);
      expect(flops).toBeCloseTo(
        unit.samples.reduce((sum, sample) => sum + sample.cost.flops, 0),
        0,
      );
    }
    // Everything that ran is in the records, nothing twice.
    const recorded = units.reduce(
      (sum, unit) => sum + unit.prompt.cost.flops + unit.samples.reduce((all, sample) => all + sample.cost.flops, 0),
      0,
    );
    expect(recorded / engine.ledger.snapshot().flops).toBeCloseTo(1, 9);
    expect(engine.lanes.size).toBe(0);
    expect(rig.seen.requests).toHaveLength(12);
  });

  it('is the same however many runs are side by side, within the lanes of the model', async () => {
    const { units } = await straight();
    for (const maxLanes of [1, 4, 40]) {
      const rig = labRig(tinyEngine(3), { maxLanes });
      const other = await runExperiment(experiment, rig, { store: new MemoryStore() });
      expect(essence(other.units)).toEqual(essence(units));
      expect(rig.seen.widest).toBe(Math.max(1, Math.floor(maxLanes / 4)));
    }
  });

  it('goes on where it was interrupted, wherever that was, to the same samples', async () => {
    const { units } = await straight();
    for (const stopAfter of [0, 1, 5, 9]) {
      const store = new MemoryStore();
      const controller = new AbortController();
      const engine = tinyEngine(3);
      const interrupted = runExperiment(experiment, labRig(engine), {
        store,
        signal: controller.signal,
        onProgress: ({ unitsDone }) => {
          if (unitsDone >= stopAfter) controller.abort();
        },
      });
      await expect(interrupted).rejects.toMatchObject({ code: 'aborted' });
      expect(engine.lanes.size).toBe(0);
      const done = (await store.load())!.units.length;
      expect(done).toBeGreaterThanOrEqual(stopAfter);
      expect(done).toBeLessThan(12);

      const rig = labRig(tinyEngine(3));
      const reports: LabProgress[] = [];
      const resumed = await runExperiment(experiment, rig, { store, onProgress: (report) => reports.push(report) });
      expect(essence(resumed.units)).toEqual(essence(units));
      expect(rig.seen.requests).toHaveLength(12 - done);
      expect(reports[0]).toMatchObject({ resumed: done, unitsDone: done });
      expect(reports.at(-1)).toMatchObject({ unitsDone: 12, samplesDone: 36, samplesTotal: 36, secondsLeft: 0 });
    }
  });

  it('asks nothing of the model when all is there, and takes another way to look at it', async () => {
    const store = new MemoryStore();
    await runExperiment(experiment, labRig(tinyEngine(3)), { store });
    const rig = labRig(tinyEngine(3));
    const again = await runExperiment({ ...experiment, n: [3], title: 'Again' }, rig, { store });
    expect(rig.seen.requests).toHaveLength(0);
    expect(again.header.experiment).toMatchObject({ n: [3], title: 'Again' });
  });

  it("refuses another experiment's results, and leaves them as they are", async () => {
    const store = new MemoryStore();
    await runExperiment(smallExperiment({ problems: 1 }), labRig(tinyEngine(3)), { store });
    const before = await store.load();
    const attempts = [
      [smallExperiment({ problems: 1, seed: 2 }), {}, /another experiment's: seed was 1 and is now 2\./],
      [smallExperiment({ problems: 1, thinking: [4] }), {}, /thinking was \[4,8\] and is now \[4\]/],
      [smallExperiment({ problems: 1 }), { name: 'other' }, /the model was "tiny" and is now "other"/],
    ] as const;
    for (const [other, options, message] of attempts) {
      await expect(runExperiment(other, labRig(tinyEngine(3), options), { store })).rejects.toThrow(message);
    }
    expect(await store.load()).toEqual(before);
  });

  it('refuses results of other problems under the same numbers, and draws a system turn before each where one is asked for', async () => {
    const store = new MemoryStore();
    const one = smallExperiment({ problems: 1, system: 'Think briefly.' });
    const rig = labRig(tinyEngine(3));
    const { header, units } = await runExperiment(one, rig, { store });
    expect(rig.seen.requests.map(({ system }) => system)).toEqual(units.map(() => 'Think briefly.'));
    const moved = new MemoryStore();
    await moved.begin(header);
    const [first, ...rest] = units as [UnitRecord, ...UnitRecord[]];
    for (const unit of [{ ...first, prompt: { ...first.prompt, text: 'Use 1 2 3 to make 6.' } }, ...rest]) {
      await moved.append(unit);
    }
    await expect(runExperiment(one, labRig(tinyEngine(3)), { store: moved })).rejects.toThrow(
      /of other problems: .*was "Use 1 2 3 to make 6\."/,
    );
  });

  it('runs fewer side by side where they do not fit, and says so where one alone does not', async () => {
    const { units } = await straight();
    // The prompt has some 45 tokens, the rest at most 15: a run of 4 lanes takes about 14 pages.
    const engine = tinyEngine(3, { totalPages: 24 });
    const rig = labRig(engine, { maxLanes: 16 });
    const results = await runExperiment(experiment, rig, { store: new MemoryStore() });
    expect(essence(results.units)).toEqual(essence(units));
    expect(rig.seen.requests.length).toBeGreaterThan(12);
    const narrow = labRig(tinyEngine(3, { totalPages: 5 }), { maxLanes: 16 });
    await expect(runExperiment(experiment, narrow, { store: new MemoryStore() })).rejects.toMatchObject({
      code: 'over-capacity',
    });
  });

  it('keeps what was done when the model or the store fails, and ends everything else', async () => {
    const store = new MemoryStore();
    const engine = tinyEngine(3);
    let left = 5;
    const rig = labRig(engine, {
      before: () => {
        if (left-- === 0) throw new ReckonError('device-lost', 'The device was lost.');
      },
    });
    await expect(runExperiment(experiment, rig, { store })).rejects.toMatchObject({ code: 'device-lost' });
    expect(engine.lanes.size).toBe(0);
    const { units } = (await store.load())!;
    expect(units.length).toBeGreaterThan(0);

    const full = new MemoryStore();
    full.append = async () => {
      throw new Error('The disk is full.');
    };
    await expect(runExperiment(experiment, labRig(engine), { store: full })).rejects.toThrow(/disk is full/);
    expect(engine.lanes.size).toBe(0);
  });

  it('does not begin when it is aborted before', async () => {
    const store = new MemoryStore();
    const rig = labRig(tinyEngine(3));
    const error = await runExperiment(experiment, rig, { store, signal: AbortSignal.abort() }).catch((e: unknown) => e);
    expect(isReckonError(error, 'aborted')).toBe(true);
    expect(rig.seen.requests).toHaveLength(0);
    expect(await store.load()).toBeNull();
  });

  it('finds right answers with the proto model', async () => {
    const small = smallExperiment({
      tasks: [{ task: 'knights', difficulties: [2] }],
      problems: 1,
      samples: 2,
      n: [1, 2],
      lanes: 2,
      thinking: [80],
      answer: 24,
    });
    const { units } = await runExperiment(small, labRig(protoEngine()), { store: new MemoryStore() });
    expect(units[0]!.samples.some((sample) => sample.correct)).toBe(true);
  });
});
