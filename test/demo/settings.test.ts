import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { amount } from '../../demo/amount.ts';
import { complaintAbout, DEFAULTS, firstWrong, requestFor, type Settings, selectorFor } from '../../demo/settings.ts';
import { type Language, taskById } from '../../src/tasks/index.ts';

const { signal } = new AbortController();
const ask = (settings: Settings) => requestFor({ prompt: 'Why?' }, settings, 'proto', signal);

describe('an amount a person wrote', () => {
  it.each([
    ['2000', '', 2000],
    ['2 000', '', 2000],
    ['1.5 G', 'eFLOP', 1.5e9],
    ['1.5 GeFLOP', 'eFLOP', 1.5e9],
    ['30 eflop', 'eFLOP', 30],
    ['500MB', 'B', 5e8],
    ['7k', 'B', 7000],
    ['0.5 s', 's', 0.5],
  ])('%s is %s %d', (text, unit, value) => {
    expect(amount(text, unit)).toBeCloseTo(value, 6);
  });

  it.each(['', ' ', '0', '-3', 'many', '3 apples', '1,5', 'NaN', '1e9e'])('%s is none', (text) => {
    expect(amount(text, 'B')).toBeNull();
  });

  it('reads back what it is told', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.constantFrom('', 'k', 'M', 'G', 'T'), (value, prefix) => {
        const power = ['', 'k', 'M', 'G', 'T'].indexOf(prefix);
        expect(amount(`${value} ${prefix}B`, 'B')).toBe(value * 1000 ** power);
      }),
    );
  });
});

describe('settings', () => {
  it('complains about what is out of range', () => {
    expect(complaintAbout('lanes', { ...DEFAULTS, lanes: 8 })).toBeNull();
    expect(complaintAbout('lanes', { ...DEFAULTS, lanes: 0 })).toContain('from 1 to 32');
    expect(complaintAbout('lanes', { ...DEFAULTS, lanes: 2.5 })).toContain('whole');
    expect(complaintAbout('lanes', { ...DEFAULTS, lanes: Number.NaN })).not.toBeNull();
    expect(complaintAbout('temperature', { ...DEFAULTS, temperature: 0.7 })).toBeNull();
    expect(complaintAbout('temperature', { ...DEFAULTS, temperature: -1 })).not.toBeNull();
  });

  it('takes attention in the short forms, and complains in words', () => {
    expect(ask(DEFAULTS)).not.toHaveProperty('attention');
    expect(ask({ ...DEFAULTS, attention: ' block:16x4 ' }).attention).toEqual({
      kind: 'blockTopK',
      budget: 64,
      blockSize: 16,
    });
    expect(complaintAbout('attention', { ...DEFAULTS, attention: 'window:4+64' })).toBeNull();
    expect(complaintAbout('attention', { ...DEFAULTS, attention: 'sharp' })).toContain('Forms: dense');
    expect(firstWrong({ ...DEFAULTS, attention: '' })).toBe('attention');
  });

  it('asks for a run; words of one’s own are not chosen by a verifier that cannot judge them', () => {
    const { signal } = new AbortController();
    const problem = { task: 'countdown', prompt: 'p', difficulty: 3, data: {} };
    expect(requestFor({ problem }, DEFAULTS, 'proto', signal)).toEqual({
      problem,
      strategy: { name: 'best-of-n', n: 8, select: 'verifier', earlyStop: false },
      sampling: { temperature: 1 },
      thinking: { maxTokens: 200 },
      signal,
    });
    expect(requestFor({ prompt: 'p' }, DEFAULTS, 'proto', signal).strategy).toMatchObject({ select: 'majority' });
    expect(selectorFor({ ...DEFAULTS, select: 'logprob' }, false)).toBe('logprob');
  });

  it('tell the model before the question what its language has for it', () => {
    const told = (language: Language, style: Settings['style']) =>
      requestFor({ problem: taskById('kk').generate(1) }, { ...DEFAULTS, style }, language, signal).system;
    expect(told('family', 'auto')).toBeUndefined();
    expect(told('family', 'pruned')).toBe('Think briefly.');
    expect(told('general', 'auto')).toMatch(/^Knights always tell the truth .*"Alice is a knight, Bob is a knave"\.$/);
    expect(told('proto', 'auto')).toBeUndefined();
    expect(requestFor({ prompt: 'Why?' }, DEFAULTS, 'general', signal).system).toBeUndefined();
  });

  it('ask for no budget and no control of the thinking unless told to', () => {
    const request = ask(DEFAULTS);
    expect(request.budget).toBeUndefined();
    expect(request.thinking).toEqual({ maxTokens: 200 });
    expect(firstWrong(DEFAULTS)).toBeNull();
  });

  it('ask for the budget and the control that were filled in', () => {
    const budget = { tokens: '900', seconds: '', eflops: '20 G', bytes: '' };
    const request = ask({ ...DEFAULTS, budget, leastThinking: 50, loop: 'resample' });
    expect(request.budget).toEqual({ tokens: 900, eflops: 2e10 });
    expect(request.thinking).toEqual({ maxTokens: 200, minTokens: 50, loop: { action: 'resample' } });
  });

  it('say what is wrong, and where first', () => {
    const wrong = { ...DEFAULTS, budget: { ...DEFAULTS.budget, seconds: 'soon' }, leastThinking: 300 };
    expect(complaintAbout('seconds', wrong)).toContain('must be a number above 0');
    expect(complaintAbout('leastThinking', wrong)).toContain('from 0 to 200');
    expect(firstWrong(wrong)).toBe('seconds');
    expect(firstWrong({ ...wrong, lanes: Number.NaN })).toBe('lanes');
  });
});
