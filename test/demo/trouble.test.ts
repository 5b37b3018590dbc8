import { describe, expect, it } from 'vitest';
import { explain, missingWebGpu } from '../../demo/trouble.ts';
import { ReckonError } from '../../src/errors.ts';

const HERE = { isSecureContext: true, hasGpu: true, platform: 'X11; Linux x86_64' };

describe('without WebGPU', () => {
  it('says nothing where there is one', () => expect(missingWebGpu(HERE)).toBeNull());

  it('tells an insecure page from a browser without it', () => {
    const insecure = missingWebGpu({ ...HERE, hasGpu: false, isSecureContext: false })!;
    expect(insecure.why).toContain('http://');
    expect(insecure.todo).toContain('localhost');
    const missing = missingWebGpu({ ...HERE, hasGpu: false })!;
    expect(missing.what).toContain('no WebGPU');
    expect(missing.todo).toContain('Chrome');
    expect(missing.todo).toContain('chrome://flags');
    expect(missingWebGpu({ ...HERE, hasGpu: false, platform: 'Macintosh' })!.todo).not.toContain('chrome://flags');
  });
});

describe('errors in words', () => {
  it('says what, why and what to do, each once', () => {
    const error = new ReckonError('over-capacity', '32 lanes of 4,096 tokens need 512 MB; 256 MB are there.', {
      hint: 'Use 16 lanes.',
    });
    const trouble = explain(error, 'run');
    expect(trouble).toEqual({
      what: 'The run does not fit.',
      why: '32 lanes of 4,096 tokens need 512 MB; 256 MB are there.',
      todo: 'Use fewer lanes or a shorter thinking limit.',
      reload: false,
    });
  });

  it('offers KV in a smaller precision where more would fit in it', () => {
    const error = new ReckonError('over-capacity', 'Too long.', { details: { smallerKv: 'int8' } });
    expect(explain(error, 'run')).toMatchObject({ reload: false, smallerKv: 'int8' });
    expect(explain(new ReckonError('over-capacity', 'Too long.'), 'run')).not.toHaveProperty('smallerKv');
  });

  it('offers to load again when the engine is gone', () => {
    expect(explain(new ReckonError('device-lost', 'The device was lost.'), 'run').reload).toBe(true);
    expect(explain(new ReckonError('network', 'config.json answered 404.'), 'load').reload).toBe(true);
    expect(explain(new TypeError('x is undefined'), 'run')).toMatchObject({ why: 'x is undefined', reload: true });
    expect(explain(new ReckonError('bad-option', 'n is 0.', { hint: 'Take 1.' }), 'run')).toMatchObject({
      why: 'n is 0.',
      todo: 'Take 1.',
      reload: false,
    });
  });

  it('does not offer what cannot help', () => {
    expect(explain(new ReckonError('no-webgpu', 'No WebGPU in the worker.'), 'load').reload).toBe(false);
  });

  it('has words for what is not even an error', () => {
    expect(explain('gone', 'load')).toMatchObject({ what: 'The model could not be loaded.', why: 'gone' });
  });
});
