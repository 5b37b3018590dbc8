/** Which rows go to which experts, and back: the kernels around the experts' matmuls. See shaders/moe/. */
import { checkNumber } from '../errors.ts';
import type { Gpu, Kernel } from '../gpu/index.ts';
import { expertTile } from './experts.ts';
import { defaultTuning, type MatmulTuning } from './matmul-tuning.ts';
import type { StepBuffers, StepRecorder, StepShape } from './step.ts';

export interface RouterShape {
  hidden: number;
  experts: number;
  /** Experts a row goes to. */
  perToken: number;
  /** The weights of a row's experts sum to 1. */
  normalised: boolean;
  tuning?: MatmulTuning;
}

export interface RouterBuffers {
  /** f32 [rows][experts] */
  logits: GPUBuffer;
  /** u32 [rows][perToken] × (expert, bits of its weight) */
  choices: GPUBuffer;
  /** u32 [rows][perToken] */
  places: GPUBuffer;
  /** u32 × 4, as many as `mostTiles` of all rows with tiles of one */
  tiles: GPUBuffer;
  /** f32 [rows][hidden]: what the experts read. */
  h: GPUBuffer;
  /** f32 [items][hidden]: in the order of the experts, h and then what they made of it. */
  sorted: GPUBuffer;
  results: GPUBuffer;
  /** f32 [rows][hidden]: the residual stream, added to. */
  x: GPUBuffer;
  step: StepBuffers;
}

/** Workgroup of the kernels that take a thread for an expert. */
const THREADS = 128;
/** Of those that take a thread for four numbers. */
const WIDE = 64;

export class Router {
  readonly shape: RouterShape;
  readonly tuning: MatmulTuning;
  readonly route: Kernel;
  /** By rows of a tile. */
  readonly group: ReadonlyMap<number, Kernel>;
  readonly spread: Kernel;
  readonly combine: Kernel;

  private constructor(
    shape: RouterShape,
    tuning: MatmulTuning,
    kernels: Pick<Router, 'route' | 'group' | 'spread' | 'combine'>,
  ) {
    this.shape = shape;
    this.tuning = tuning;
    this.route = kernels.route;
    this.group = kernels.group;
    this.spread = kernels.spread;
    this.combine = kernels.combine;
  }

  /** @throws ReckonError `bad-option` for counts out of range. */
  static async create(gpu: Gpu, shape: RouterShape): Promise<Router> {
    const { hidden, experts, perToken, normalised } = shape;
    checkNumber('experts', experts, { min: 1, max: 1024, integer: true });
    checkNumber('experts per token', perToken, { min: 1, max: experts, integer: true });
    const tuning = shape.tuning ?? defaultTuning(gpu.profile);
    const sizes = { EXPERTS: experts, TOPK: perToken };
    const rows = { HIDDEN4: hidden / 4, TOPK: perToken };
    const [route, spread, combine, ...groups] = await Promise.all([
      gpu.kernel({
        module: 'moe/route',
        bindings: ['read', 'write'],
        constants: { ...sizes, THREADS },
        conditions: { normalised },
      }),
      gpu.kernel({ module: 'moe/spread', bindings: ['read', 'read', 'write'], constants: rows, conditions: {} }),
      gpu.kernel({
        module: 'moe/combine',
        bindings: ['read', 'read', 'read', 'write'],
        constants: rows,
        conditions: {},
      }),
      ...tuning.rowTiles.map((tile) =>
        gpu.kernel({
          module: 'moe/group',
          bindings: ['uniform', 'read', 'write', 'write'],
          constants: { ...sizes, TILE: tile, THREADS },
          conditions: {},
        }),
      ),
    ]);
    const group = new Map(tuning.rowTiles.map((tile, i) => [tile, groups[i]!]));
    return new Router(shape, tuning, { route, group, spread, combine });
  }

  /** Before the experts (choices, order, rows in that order) and behind them. */
  bind(gpu: Gpu, buffers: RouterBuffers): { before: BoundRouter; behind: BoundCombine } {
    const { logits, choices, places, tiles, h, sorted, results, x, step } = buffers;
    const [anyGroup] = this.group.values();
    const before = new BoundRouter(
      this,
      gpu.bind(this.route, [logits, choices]),
      gpu.bind(anyGroup!, [step.header, choices, places, tiles]),
      gpu.bind(this.spread, [places, h, sorted]),
    );
    return { before, behind: new BoundCombine(this, gpu.bind(this.combine, [choices, places, results, x])) };
  }
}

export class BoundRouter {
  readonly #router: Router;
  readonly #route: GPUBindGroup;
  readonly #group: GPUBindGroup;
  readonly #spread: GPUBindGroup;

  constructor(router: Router, route: GPUBindGroup, group: GPUBindGroup, spread: GPUBindGroup) {
    this.#router = router;
    this.#route = route;
    this.#group = group;
    this.#spread = spread;
  }

  record(step: StepRecorder, { rows }: StepShape): void {
    if (rows === 0) return;
    const { shape, tuning, route, group, spread } = this.#router;
    const { hidden, experts, perToken } = shape;
    const items = rows * perToken;
    const chosen = items * 8;
    step.dispatch(route, this.#route, [rows], 'other', 'rows', 3 * rows * experts, rows * experts * 4 + chosen);
    const tile = expertTile(tuning, rows, experts, perToken);
    step.dispatch(group.get(tile)!, this.#group, [1], 'other', 'rows', 0, chosen + items * 4);
    const grid = [Math.ceil(hidden / 4 / WIDE), items] as const;
    step.dispatch(spread, this.#spread, grid, 'other', 'rows', 0, (rows + items) * hidden * 4 + items * 4);
  }
}

export class BoundCombine {
  readonly #router: Router;
  readonly #combine: GPUBindGroup;

  constructor(router: Router, combine: GPUBindGroup) {
    this.#router = router;
    this.#combine = combine;
  }

  record(step: StepRecorder, { rows }: StepShape): void {
    if (rows === 0) return;
    const { combine, shape } = this.#router;
    const { hidden, perToken } = shape;
    const items = rows * perToken;
    const grid = [Math.ceil(hidden / 4 / WIDE), rows] as const;
    const bytes = (items + 2 * rows) * hidden * 4 + items * 12;
    step.dispatch(combine, this.#combine, grid, 'other', 'rows', 2 * items * hidden, bytes);
  }
}
