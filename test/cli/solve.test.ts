import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { solve } from '../../src/cli/solve.ts';
import { taskById } from '../../src/tasks/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `npm run -s reckon -- …` as a person would, without npm's own half second. */
function reckon(args: string[], during: (child: ChildProcess, stderr: string) => void = () => {}): Promise<Ran> {
  const child = spawn(process.execPath, ['scripts/reckon.mjs', ...args], { cwd: root });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  child.stderr.on('data', (data) => {
    stderr += data;
    during(child, stderr);
  });
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, stdout, stderr })));
}

interface Report {
  problem: unknown;
  candidates: { answer: string; finish: string; seed: number; verdict: { correct: boolean; reason: string } | null }[];
  answer: string;
  chosen: number;
  ledger: { flops: number; classes: { linear: { flops: number } } };
  device: { driver: string };
}

describe('reckon solve --json', () => {
  let ran: Ran;
  let report: Report;
  beforeAll(async () => {
    ran = await reckon(['solve', '--model', 'proto', '--task', 'countdown', '--seed', '7', '--n', '8', '--json']);
    report = JSON.parse(ran.stdout);
  });

  it('prints one document of the promised shape', () => {
    expect(ran.status).toBe(0);
    expect(Object.keys(report)).toEqual(['problem', 'candidates', 'answer', 'chosen', 'ledger', 'seconds', 'device']);
    const { prompt, difficulty } = taskById('countdown').generate(7);
    expect(report.problem).toEqual({ task: 'countdown', prompt, difficulty });
    expect(report.candidates).toHaveLength(8);
    for (const candidate of report.candidates) {
      expect(Object.keys(candidate)).toEqual(['reasoning', 'answer', 'tokens', 'seed', 'finish', 'verdict']);
      expect(Number.isSafeInteger(candidate.seed)).toBe(true);
    }
    expect(new Set(report.candidates.map(({ seed }) => seed)).size).toBe(8);
    expect(Object.keys(report.ledger)).toEqual(['flops', 'bytes', 'classes']);
    expect(report.ledger.classes.linear.flops).toBeGreaterThan(report.ledger.flops / 2);
    expect(report.device).toMatchObject({ name: expect.any(String), driver: expect.any(String) });
  });

  it('solves it: verdicts are those of the task, the chosen answer is right', () => {
    const task = taskById('countdown');
    const problem = task.generate(7);
    for (const { answer, finish, verdict } of report.candidates) {
      if (finish === 'stop') expect(verdict).toEqual(task.verify(problem, answer));
    }
    expect(report.candidates[report.chosen]!.verdict!.correct).toBe(true);
    expect(report.answer).toBe(report.candidates[report.chosen]!.answer);
  });

  it('tells on stderr which driver it found', () => {
    expect(ran.stderr).toContain(`GPU: ${report.device.driver}`);
  });
});

describe('reckon solve', () => {
  it('takes a typed puzzle and prints for people', async () => {
    const puzzle = 'A says B and A are different. B says B and A are different.';
    const model = ['--model', 'proto', '--n', '2', '--seed', '3'];
    const { status, stdout, stderr } = await reckon(['solve', '--problem', puzzle, ...model]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ {2}[01] {2}(right|wrong)/m);
    expect(stdout).toMatch(/^(Answer: A is a kna|No answer)/m);
    expect(stdout).toMatch(/\d+ tokens in [\d.]+ s: .*FLOP, .*B moved/);
    expect(stderr).toContain(puzzle);
    expect(stderr).not.toContain('was not trained');
  });

  it('keeps what there is at an interrupt', async () => {
    let sent = false;
    const args = ['solve', '--model', 'proto', '--seed', '5', '--n', '24', '--json'];
    const { status, stdout } = await reckon(args, (child, stderr) => {
      if (sent || !stderr.includes('lane ')) return;
      sent = true;
      // The program is a child of the script.
      interruptChildOf(child.pid!);
    });
    expect(status).toBe(0);
    const { candidates } = JSON.parse(stdout) as { candidates: { finish: string }[] };
    expect(candidates).toHaveLength(24);
    const finishes = candidates.map(({ finish }) => finish);
    expect(finishes).toContain('abort');
    expect(finishes.some((finish) => finish !== 'abort')).toBe(true);
  });

  it.each<[string[], RegExp]>([
    [['--n', 'many'], /--n/],
    [['--thinking', '-5'], /thinking/],
    [['--task', 'chess'], /chess.*countdown, knights/s],
    [['--problem', 'Use 3 to make'], /Use/],
    [['--problem', 'Use 3 5 7 to make 22.', '--difficulty', '3'], /--difficulty/],
    [['--driver', 'magic'], /auto, system, software/],
    [['--precision', 'int1'], /f16, f32/],
    [['--colour', 'red'], /--colour/],
  ])('refuses %j before a GPU is opened', async (args, message) => {
    await expect(solve(args)).rejects.toThrow(message);
  });

  it.each<[string[], number, RegExp]>([
    [['solve', '--n', '0'], 2, /--n is 0/],
    [['solve', '--model', '/no/such/model'], 1, /has no config\.json/],
    [['dance'], 2, /no command "dance"/],
  ])('%j says what is wrong and exits with %d', async (args, code, message) => {
    const { status, stdout, stderr } = await reckon(args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stdout).toBe('');
    expect(status).toBe(code);
  });

  it('helps', async () => {
    expect((await reckon(['--help'])).stdout).toMatch(/solve .*\n/);
    expect((await reckon(['solve', '--help'])).stdout).toMatch(/--early-stop/);
  });
});

function interruptChildOf(pid: number): void {
  const ps = spawn('ps', ['-o', 'pid=', '--ppid', String(pid)]);
  ps.stdout.on('data', (data) => {
    for (const child of String(data).trim().split(/\s+/)) process.kill(Number(child), 'SIGINT');
  });
}
