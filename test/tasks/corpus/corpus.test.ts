import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  CHAT_TEMPLATE,
  corpusItem,
  defaultMix,
  drawProblem,
  encodeFamily,
  isHeldOutHash,
  parseMix,
  parseShares,
  problemHash,
  renderExample,
  SPECIALS,
  tokenizerConfig,
  tokenizerJson,
  turnsOf,
  VOCABULARY,
} from '../../../src/tasks/corpus/index.ts';
import { CountdownStates } from '../../../src/tasks/countdown-states.ts';
import { Random, tracedTaskById, tracedTasks } from '../../../src/tasks/index.ts';
import {
  type ChatTemplate,
  loadChatTemplate,
  loadTokenizer,
  renderChat,
  type Tokenizer,
} from '../../../src/text/index.ts';

const recipe = { seed: 7, mix: defaultMix(), context: 2048 };
const COUNT = 150;
const items = Array.from({ length: COUNT }, (_, i) => corpusItem(recipe, i));

let tokenizer: Tokenizer;
let chat: ChatTemplate;
beforeAll(async () => {
  const texts: Record<string, unknown> = {
    'tokenizer.json': tokenizerJson(),
    'tokenizer_config.json': tokenizerConfig(2048),
  };
  const files = { name: 'the family', text: async (path: string) => JSON.stringify(texts[path]) };
  tokenizer = await loadTokenizer(files);
  chat = await loadChatTemplate(files);
});

describe('the vocabulary', () => {
  it('is small, without doubles, and keeps its first ids for ever', () => {
    expect(VOCABULARY).toHaveLength(256);
    expect(new Set(VOCABULARY).size).toBe(256);
    expect(VOCABULARY.slice(0, 5)).toEqual([...SPECIALS]);
    expect(VOCABULARY.indexOf('0')).toMatchInlineSnapshot(`22`);
    expect(VOCABULARY.indexOf(' knight')).toMatchInlineSnapshot(`169`);
  });

  it('encodes as the published library does, and every ASCII text comes back', () => {
    const word = fc.constantFrom(...VOCABULARY, 'unknown', ' knights', '  ', '12', '_', 'é', '\t', '<|im_', '|>');
    fc.assert(
      fc.property(fc.array(word), fc.string({ unit: 'grapheme-ascii' }), (words, text) => {
        for (const one of [words.join(''), text]) {
          expect(encodeFamily(one)).toEqual(tokenizer.encode(one));
          if (/^[\n\x20-\x7e]*$/.test(one)) expect(tokenizer.decode(encodeFamily(one))).toBe(one);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('has a token for every word that is read or learnt', () => {
    for (const { ids } of items) {
      for (const id of ids) expect(VOCABULARY[id]).not.toMatch(/unused|endoftext/);
    }
    const letters = items.flatMap(({ example, ids }) =>
      example.task === 'recall' ? [] : ids.map((id) => VOCABULARY[id]),
    );
    expect(letters.filter((token) => /^[A-Za-z]$/.test(token!))).toEqual([]);
  });
});

describe('the corpus', () => {
  it('reads as the chat template of the runtime renders it', () => {
    expect(chat.source).toBe(CHAT_TEMPLATE);
    for (const { example, ids } of items) {
      const { read, learnt } = renderExample(example);
      const options = example.thinking === null ? { enableThinking: false } : {};
      expect(read).toBe(renderChat(chat, turnsOf(example), options));
      expect(tokenizer.decode(ids)).toBe(read + learnt);
      expect(tokenizer.encode(read + learnt)).toEqual([...ids]);
    }
  });

  it('has the learnt part marked: all that the model says, but for steps that are wrong on purpose', () => {
    for (const { example, ids, learnt } of items) {
      const said = tokenizer.decode(ids.filter((_, i) => learnt[i]));
      const { learnt: whole } = renderExample(example);
      const lines = whole.split('\n').filter((_, i) => !example.unsound.includes(i));
      expect(said).toBe(lines.join('\n'));
      expect(learnt.at(-1)).toBe(true);
    }
    expect(items.some(({ example }) => example.unsound.length > 0)).toBe(true);
  });

  it('holds answers that verify, and grades that the checker gives', () => {
    for (const { example } of items) {
      const task = tracedTaskById(example.task);
      const problem = task.parse(example.prompt);
      if (example.graded) expect(example.answer).toBe(String(task.check(problem, example.graded).at(-1)?.score));
      else if (example.style === 'judge') expect(example.answer).toBe(task.level(problem));
      else expect(task.verify(problem, example.answer).correct).toBe(true);
    }
    for (const style of ['auto', 'full', 'pruned', 'grade', 'judge']) {
      expect(items.some(({ example }) => example.style === style)).toBe(true);
    }
  });

  it('never holds a problem kept for evaluation, by the hash of its own prompt', () => {
    for (const { example } of items) {
      const task = tracedTaskById(example.task);
      const hash = problemHash(task, task.parse(example.prompt));
      expect(hash).toBe(example.hash);
      expect(isHeldOutHash(hash)).toBe(false);
    }
    // The other side exists, is as large as it should be, and is met by drawing.
    for (const task of tracedTasks) {
      const heldOut = Array.from({ length: 400 }, (_, seed) =>
        isHeldOutHash(problemHash(task, task.generate(seed, task.difficulties[1]))),
      ).filter(Boolean).length;
      expect(heldOut).toBeGreaterThan(5);
      expect(heldOut).toBeLessThan(60);
      const drawn = drawProblem(task, task.difficulties[0] as number, Random.fromSeed(1), true);
      expect(isHeldOutHash(problemHash(task, drawn))).toBe(true);
    }
  });

  it('is the same for the same seed, example by example, wherever one starts', () => {
    expect(corpusItem(recipe, 17)).toEqual(items[17]);
    expect(corpusItem({ ...recipe, seed: 8 }, 17)).not.toEqual(items[17]);
  });

  it('asks for several grades along one thought: each the checker gives, and each to be learnt', () => {
    const shares = parseShares('full=0,pruned=0,grade=0,judge=0,grades=100');
    const examples = Array.from({ length: 40 }, (_, i) => corpusItem({ ...recipe, shares }, i));
    let wrong = 0;
    for (const { example, ids, learnt } of examples) {
      const task = tracedTaskById(example.task);
      const problem = task.parse(example.prompt);
      const { read, learnt: last } = renderExample(example);
      expect(read).toBe(renderChat(chat, turnsOf(example), { enableThinking: false }));
      expect(tokenizer.decode(ids)).toBe(read + last);
      const questions = [...(example.before ?? []), { graded: example.graded ?? [], answer: example.answer }];
      // What was graded wrong is no part of the thought: the right step comes behind it.
      const lines: string[] = [];
      for (const { graded, answer } of questions) {
        const check = task.check(problem, [...lines, ...graded]).at(-1);
        expect(answer).toBe(String(check?.score));
        lines.push(...(check?.valid ? graded : graded.slice(0, -1)));
        if (!check?.valid) wrong++;
      }
      expect(task.check(problem, lines).every(({ valid }) => valid)).toBe(true);
      const said = tokenizer.decode(ids.filter((_, i) => learnt[i]));
      expect(said).toBe(`${questions.map(({ answer }) => answer).join('')}<|im_end|>`);
    }
    expect(wrong).toBeGreaterThan(40);
  });

  it('cuts thoughts off where asked to: when they close is not learnt, but the answer behind', () => {
    const shares = parseShares('full=100,pruned=0,grade=0,judge=0,cut=100');
    let shorter = 0;
    for (let i = 0; i < 40; i++) {
      const { example, ids, learnt } = corpusItem({ ...recipe, shares }, i);
      const whole = corpusItem({ ...recipe, shares: parseShares('full=100,pruned=0,grade=0,judge=0') }, i).example;
      expect(whole.thinking?.startsWith(example.thinking as string)).toBe(true);
      if (example.thinking === whole.thinking) continue;
      shorter++;
      expect(example.answer).toBe(whole.answer);
      const said = tokenizer.decode(ids.filter((_, j) => learnt[j]));
      expect(said).not.toContain('</think>');
      expect(said.endsWith(`\n${example.answer}<|im_end|>`)).toBe(true);
    }
    expect(shorter).toBeGreaterThan(20);
  });

  it('tries what the rules forbid where asked to: that is not learnt, but that it does not do', () => {
    const mix = parseMix('countdown:3-5');
    const shares = parseShares('pruned=0,grade=0,judge=0');
    let tries = 0;
    for (let i = 0; i < 60; i++) {
      const { example, ids, learnt } = corpusItem({ ...recipe, mix, shares, manner: { foolish: 50 } }, i);
      const lines = example.thinking?.split('\n') ?? [];
      const foolish = lines.flatMap((line, at) => (/^\d+\/\d+ no$/.test(line) ? [[at, line.indexOf(' ')]] : []));
      expect(example.unlearnt).toEqual(foolish);
      tries += foolish.length;
      const said = tokenizer.decode(ids.filter((_, j) => learnt[j])).split('\n');
      for (const [at] of foolish)
        expect(said.filter((line) => line === ' no').length, lines[at as number]).toBe(foolish.length);
      if (example.reconsidering !== 'late') {
        const task = tracedTaskById('countdown');
        expect(task.check(task.parse(example.prompt), lines).filter(({ valid }) => !valid)).toEqual([]);
      }
    }
    expect(tries).toBeGreaterThan(60);
    const of = (manner?: object) => corpusItem({ ...recipe, mix, shares, ...(manner ? { manner } : {}) }, 3);
    expect(of({ foolish: 0 })).toEqual(of());
  });

  it('searches longer where more endurance is asked for, and as before where none is', () => {
    const plain = { ...recipe, mix: parseMix('countdown:4'), shares: parseShares('pruned=0,grade=0,judge=0') };
    const lengths = (endurance: number) =>
      Array.from({ length: 100 }, (_, i) => corpusItem({ ...plain, manner: { endurance } }, i).ids.length).sort(
        (a, b) => a - b,
      );
    expect(corpusItem({ ...plain, manner: { endurance: 1 } }, 17)).toEqual(corpusItem(plain, 17));
    const [usual, lasting] = [lengths(1), lengths(16)];
    expect(usual.at(-1)).toBeLessThan(500);
    expect(lasting[50]).toBeGreaterThan(1.5 * (usual[50] as number));
    expect(lasting.at(-1)).toBeGreaterThan(1000);
  });

  it('leaves branches soon where asked to be restless, and meets nothing twice that leads nowhere', () => {
    const shares = parseShares('full=100,pruned=0,grade=0,judge=0,late=0,recheck=0');
    const plain = { ...recipe, mix: parseMix('countdown:4'), shares };
    let restlessly = 0;
    for (let i = 0; i < 60; i++) {
      const { example } = corpusItem({ ...plain, manner: { endurance: 8, restless: true } }, i);
      const task = tracedTaskById('countdown');
      const lines = (example.thinking as string).split('\n');
      expect(task.check(task.parse(example.prompt), lines).every(({ valid }) => valid)).toBe(true);
      expect(task.verify(task.parse(example.prompt), example.answer).correct).toBe(true);
      // Between two returns to the four numbers no more than two of three are tried.
      const visits = (example.thinking as string).split(/^back \d+ \d+ \d+ \d+$/mu);
      for (const visit of visits) expect(visit.match(/ left \d+ \d+$/gmu)?.length ?? 0).toBeLessThanOrEqual(2);
      const pairs = lines.flatMap((line) => / left (\d+ \d+)$/u.exec(line)?.[1]?.split(' ').sort().join(' ') ?? []);
      expect(new Set(pairs).size).toBe(pairs.length);
      restlessly += visits.length;
    }
    expect(restlessly).toBeGreaterThan(200);
  });

  it('does not teach what a restless search tries in vain, and mostly sees the end when it is near', () => {
    const shares = parseShares('full=100,pruned=0,grade=0,judge=0,late=0,recheck=0');
    const asked = { ...recipe, mix: parseMix('countdown:4'), shares, manner: { endurance: 8, restless: true } };
    const near = { seen: 0, missed: 0 };
    let first = 0;
    for (let i = 0; i < 60; i++) {
      const { example } = corpusItem(asked, i);
      const [, given, target] = /^Use ([\d ]+) to make (\d+)/u.exec(example.prompt) as unknown as [
        string,
        string,
        string,
      ];
      const states = new CountdownStates(given.split(' ').map(Number), Number(target));
      for (const [at, line] of (example.thinking as string).split('\n').entries()) {
        const [, tried, left] = /^(\S+)=\d+ left ([\d ]+)$/u.exec(line) ?? [];
        if (tried === undefined || left === undefined) continue;
        const unlearnt = example.unlearnt?.find(([number]) => number === at)?.[1] ?? 0;
        const numbers = left.split(' ').map(Number);
        // With four numbers nothing can be seen; what was tried there is learnt, so that it is not tried again.
        const vain = numbers.length === 2 && !states.solvable(numbers);
        expect(unlearnt, line).toBe(vain ? tried.length : 0);
        first += Number(numbers.length === 3);
      }
      // Of three numbers that can make the target, the first try.
      for (const [, three, two] of (example.thinking as string).matchAll(
        / left (\d+ \d+ \d+)\n(?:.* no\n)?.* left (\d+ \d+)$/gmu,
      )) {
        if (!states.solvable((three as string).split(' ').map(Number))) continue;
        near[states.solvable((two as string).split(' ').map(Number)) ? 'seen' : 'missed']++;
      }
    }
    expect(near.seen).toBeGreaterThan(1.2 * near.missed);
    expect(near.missed).toBeGreaterThan(0);
    expect(first).toBeGreaterThan(200);
  });

  it('is mixed as asked for', () => {
    const mix = parseMix('kk:2-4=3,countdown:3');
    expect(mix.map(({ task, difficulty, weight }) => [task.id, difficulty, weight])).toEqual([
      ['kk', 2, 1],
      ['kk', 3, 1],
      ['kk', 4, 1],
      ['countdown', 3, 1],
    ]);
    expect(() => parseMix('kk:9')).toThrow(/asks for nothing.*2, 3, 4/);
    expect(() => parseMix('kk;3')).toThrow(/no part of a mix/);
    expect(() => parseMix('chess')).toThrow(/no task "chess"/);
    const only = { ...recipe, mix: parseMix('countdown:3'), shares: parseShares('full=0,pruned=0,grade=100,judge=0') };
    for (let i = 0; i < 10; i++) expect(corpusItem(only, i).example.style).toBe('grade');
    expect(() => parseShares('grade')).toThrow(/"grade" is no share.*full, pruned/);
    expect(() => parseShares('late=99,recheck=2')).toThrow(/more than 100 %/);
  });
});
