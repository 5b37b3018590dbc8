/** Kernels compiled once, asynchronously, with explicit layouts so that variants of one kernel share bind groups. */
import { ReckonError } from '../errors.ts';
import { linkShader, type ShaderVariant } from './shaders.ts';

/** How a kernel sees a buffer: a uniform block, a storage buffer it reads, or one it also writes. */
export type BindingKind = 'uniform' | 'read' | 'write';

export interface KernelSpec extends ShaderVariant {
  /** Bindings 0, 1, … of group 0. */
  bindings: readonly BindingKind[];
}

export interface Kernel {
  readonly label: string;
  readonly spec: KernelSpec;
  readonly pipeline: GPUComputePipeline;
  /** Equal for kernels with equal `bindings`: their bind groups are interchangeable. */
  readonly layout: GPUBindGroupLayout;
}

const BUFFER_TYPE: Record<BindingKind, GPUBufferBindingType> = {
  uniform: 'uniform',
  read: 'read-only-storage',
  write: 'storage',
};

export class KernelCache {
  readonly #device: GPUDevice;
  readonly #kernels = new Map<string, Promise<Kernel>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  get(spec: KernelSpec): Promise<Kernel> {
    const key = keyOf(spec);
    let kernel = this.#kernels.get(key);
    if (!kernel) {
      kernel = this.#compile(spec);
      this.#kernels.set(key, kernel);
      // A failed compilation is not remembered: after a lost device a new cache is made, but a transient failure may pass.
      kernel.catch(() => this.#kernels.delete(key));
    }
    return kernel;
  }

  async #compile(spec: KernelSpec): Promise<Kernel> {
    const label = labelOf(spec);
    const code = await linkShader(spec);
    const module = this.#device.createShaderModule({ label, code });
    const layout = this.#layout(spec.bindings);
    try {
      const pipeline = await this.#device.createComputePipelineAsync({
        label,
        layout: this.#device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: 'main' },
      });
      return { label, spec, pipeline, layout };
    } catch (cause) {
      const info = await module.getCompilationInfo().catch(() => null);
      const messages = info?.messages.map((m) => `${m.lineNum}:${m.linePos} ${m.message}`).join('\n') ?? '';
      throw new ReckonError('internal', `Kernel ${label} does not compile: ${String(cause)}\n${messages}`, {
        hint: 'Please report this with the name of your browser and GPU.',
        details: { code },
        cause,
      });
    }
  }

  #layout(bindings: readonly BindingKind[]): GPUBindGroupLayout {
    const key = bindings.join();
    let layout = this.#layouts.get(key);
    if (!layout) {
      layout = this.#device.createBindGroupLayout({
        label: key,
        entries: bindings.map((kind, binding) => ({
          binding,
          visibility: 4, // GPUShaderStage.COMPUTE: the global is absent in some hosts.
          buffer: { type: BUFFER_TYPE[kind] },
        })),
      });
      this.#layouts.set(key, layout);
    }
    return layout;
  }
}

function sorted(record: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

function keyOf(spec: KernelSpec): string {
  return JSON.stringify([spec.module, sorted(spec.conditions), sorted(spec.constants), spec.bindings]);
}

function labelOf({ module, conditions, constants }: ShaderVariant): string {
  const on = sorted(conditions).flatMap(([name, value]) => (value ? [name] : []));
  const numbers = sorted(constants).map(([name, value]) => `${name}=${value}`);
  return `${module}(${[...on, ...numbers].join(' ')})`;
}
