import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { filesOf, formatCsv } from '../../src/lab/export.ts';
import { type Plot, renderPlot } from '../../src/lab/plot.ts';
import { madeResults } from './made.ts';

/** A reader of RFC 4180 by its grammar, sharing nothing with the writer. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let at = 0;
  while (at < text.length) {
    const row: string[] = [];
    for (;;) {
      if (text[at] === '"') {
        let value = '';
        for (at++; ; at++) {
          if (text[at] === '"' && text[at + 1] === '"') at++;
          else if (text[at] === '"') break;
          value += text[at];
        }
        row.push(value);
        at++;
      } else {
        const end = text.slice(at).search(/[,\r]/) + at;
        row.push(text.slice(at, end));
        at = end;
      }
      if (text[at] !== ',') break;
      at++;
    }
    expect(text.slice(at, at + 2)).toBe('\r\n');
    at += 2;
    rows.push(row);
  }
  return rows;
}

/** Elements of an XML text; throws where a tag is not closed, an attribute not quoted or a text not escaped. */
function elementsOf(xml: string): { name: string; attributes: Record<string, string>; text: string }[] {
  const found: { name: string; attributes: Record<string, string>; text: string }[] = [];
  const open: number[] = [];
  const pattern = /<(\/?)([A-Za-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  let end = 0;
  for (const match of xml.matchAll(pattern)) {
    expect(match.index).toBe(end);
    end = match.index + match[0].length;
    const [, closing, name = '', attributes = '', empty, text] = match;
    if (text !== undefined) {
      expect(text.replace(/&(amp|lt|gt|quot|#39);/g, '')).not.toMatch(/&/);
      if (open.length > 0) found[open.at(-1)!]!.text += text;
    } else if (closing) expect(found[open.pop()!]!.name).toBe(name);
    else {
      const pairs = [...attributes.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]);
      found.push({ name, attributes: Object.fromEntries(pairs), text: '' });
      if (!empty) open.push(found.length - 1);
    }
  }
  expect(end).toBe(xml.length);
  expect(open).toEqual([]);
  return found;
}

describe('CSV', () => {
  it('comes back as it was, whatever the fields hold', () => {
    const field = fc.oneof(fc.string(), fc.constantFrom('"', ',', '\r\n', 'a,"b"\n', ''));
    fc.assert(
      fc.property(fc.array(fc.array(field, { minLength: 1, maxLength: 4 }), { maxLength: 4 }), (rows) => {
        expect(parseCsv(formatCsv(rows))).toEqual(rows);
      }),
    );
  });
});

describe('the files of an experiment', () => {
  const files = filesOf(madeResults());

  it('are a report, a table, and plots of every group', () => {
    const plots = ['measured-paper', 'measured-device', 'tokens', 'selection'];
    const names = ['countdown-3', 'knights-2', 'all'].flatMap((group) => plots.map((plot) => `${group}-${plot}.svg`));
    expect([...files.keys()]).toEqual(['results.json', 'results.csv', ...names]);
  });

  it('tell the same in the report and in the table', () => {
    const report = JSON.parse(files.get('results.json')!);
    const [head, ...rows] = parseCsv(files.get('results.csv')!);
    expect(rows).toHaveLength(report.points.length * 3);
    expect(new Set(rows.map((row) => row.length))).toEqual(new Set([head!.length]));
    for (const [i, row] of rows.entries()) {
      const cell = (name: string) => row[head!.indexOf(name)]!;
      const point = report.points[Math.floor(i / 3)];
      expect(cell('group')).toBe(point.group);
      expect(Number(cell('n'))).toBe(point.n);
      const accuracy = point.accuracy[cell('selection')];
      expect([cell('accuracy'), cell('accuracy_low'), cell('accuracy_high')].map(Number)).toEqual([
        accuracy.mean,
        accuracy.low,
        accuracy.high,
      ]);
      expect(Number(cell('eflops_measured_device'))).toBe(point.eflops['measured-device'].mean);
    }
    // The longer limit costs more and is no better here: never on the frontier.
    expect(report.frontiers['countdown/3']['measured-paper']).toEqual([
      [4, 'dense', 1],
      [4, 'dense', 2],
    ]);
  });

  it('are well-formed drawings with their words escaped', () => {
    for (const [name, text] of files) {
      if (!name.endsWith('.svg')) continue;
      const elements = elementsOf(text);
      expect(elements[0]).toMatchObject({ name: 'svg', attributes: { role: 'img', fill: 'currentColor' } });
      expect(elements[1]!.text).toContain('Made &lt;up&gt; &amp; &quot;quoted&quot;');
      expect(text).not.toMatch(/NaN|Infinity|undefined/);
    }
  });
});

describe('the plot of KV budgets', () => {
  it('has a line for each kind of policy, dense as a level one', () => {
    const made = madeResults();
    const kv = ['dense', 'block:16x4', 'block:16x1', 'window:4+64'];
    const units = kv.flatMap((policy) =>
      made.units.map((one) => ({ ...one, kv: policy, unit: one.unit.replace('dense', policy) })),
    );
    const header = { ...made.header, experiment: { ...made.header.experiment, kv } };
    const drawing = filesOf({ header, units }).get('knights-2-budgets.svg')!;
    const elements = elementsOf(drawing);
    const words = elements.filter(({ name }) => name === 'text').map(({ text }) => text);
    expect(words).toEqual(expect.arrayContaining(['dense', 'block top-k', 'window', '16', '64', '68']));
    expect(words.join()).not.toContain('oracle');
    // Two ends of the dense line, two budgets of blocks, one window.
    expect(elements.filter(({ attributes }) => attributes.class === 'interval')).toHaveLength(5);
    expect(filesOf(made).has('knights-2-budgets.svg')).toBe(false);
  });
});

describe('a plot', () => {
  const plot: Plot = {
    title: 'Title',
    x: { label: 'eFLOPs' },
    y: { label: 'accuracy' },
    series: [
      {
        name: 'one',
        points: [
          { x: 1e9, y: 0.25, low: 0, high: 0.5, label: '1' },
          { x: 1e10, y: 0.5, low: 0.25, high: 0.75, label: '2' },
          { x: 1e11, y: 1, low: 0.5, high: 1, label: '4' },
        ],
      },
      { name: 'two', points: [{ x: 1e10, y: 0.75, low: 0.5, high: 1 }] },
    ],
    frontier: [
      { x: 1e9, y: 0.25 },
      { x: 1e10, y: 0.75 },
    ],
  };

  it('puts equal factors at equal distances, and values where the axis says', () => {
    const elements = elementsOf(renderPlot(plot));
    const places = elements
      .map(({ attributes }) => /^translate\(([\d.]+),([\d.]+)\)$/.exec(attributes.transform ?? ''))
      .flatMap((match) => (match ? [[Number(match[1]), Number(match[2])] as const] : []));
    // The first translate is the plot's area; then a mark per point.
    const [a, b, c, d] = places.slice(1, 5) as [readonly [number, number], ...(readonly [number, number])[]];
    expect(b![0] - a[0]).toBeCloseTo(c![0] - b![0], 0);
    expect(d![0]).toBe(b![0]);
    const height = (a[1] - c![1]) / 0.75;
    expect(a[1] - b![1]).toBeCloseTo(height * 0.25, 0);
    const whisker = elements.find(({ attributes }) => attributes.class === 'interval')!.attributes;
    expect(Number(whisker.y1)).toBeCloseTo(height * 0.5, 0);
    expect(Number(whisker.y2)).toBeCloseTo(height, 0);
  });

  it('names its axes, lines and frontier, and draws that as steps', () => {
    const elements = elementsOf(renderPlot(plot));
    const words = elements.filter(({ name }) => name === 'text').map(({ text }) => text);
    expect(words).toEqual(
      expect.arrayContaining(['eFLOPs', 'accuracy', 'one', 'two', 'Pareto frontier', '1 G', '10 G', '100 G', '40 %']),
    );
    const steps = elements.find(({ attributes }) => attributes.class === 'frontier')!.attributes.d!;
    const corners = steps
      .slice(1)
      .split('L')
      .map((pair) => pair.split(',').map(Number) as [number, number]);
    for (let i = 1; i < corners.length; i++) {
      const [before, after] = [corners[i - 1]!, corners[i]!];
      expect(before[0] === after[0] || before[1] === after[1]).toBe(true);
    }
  });

  it('stands without points, with one, and with some that a log axis cannot hold', () => {
    for (const points of [[], [{ x: 5, y: 0.5, low: 0.5, high: 0.5 }], [{ x: 0, y: 1, low: 1, high: 1 }]]) {
      const text = renderPlot({ ...plot, series: [{ name: 'few', points }], frontier: [] });
      elementsOf(text);
      expect(text).not.toMatch(/NaN|Infinity/);
    }
  });
});
