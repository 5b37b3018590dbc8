/**
 * The WESL sources, by module name ("matmul/small"), and the linker that makes WGSL of one of them: imports resolved,
 * `@if` conditions decided, constants filled in.
 */
import { link } from 'wesl/core';
import { ReckonError } from '../errors.ts';

const files = import.meta.glob<string>('../../shaders/**/*.wesl', { query: '?raw', import: 'default', eager: true });

const sources: Record<string, string> = {};
for (const [path, text] of Object.entries(files)) sources[path.replace('../../shaders/', '')] = text;

export interface ShaderVariant {
  /** Path below `shaders/`, without the ending. */
  module: string;
  conditions: Readonly<Record<string, boolean>>;
  constants: Readonly<Record<string, number>>;
}

/**
 * WGSL for one variant of a kernel.
 * @throws ReckonError `internal` when the source does not link: a defect of Reckon, never of the input.
 */
export async function linkShader({ module, conditions, constants }: ShaderVariant): Promise<string> {
  if (!(`${module}.wesl` in sources)) throw new ReckonError('internal', `There is no shader named ${module}.`);
  try {
    const linked = await link({
      weslSrc: sources,
      rootModuleName: module,
      conditions: { ...conditions },
      constants: { ...constants },
    });
    return linked.dest;
  } catch (cause) {
    throw new ReckonError('internal', `Shader ${module} does not link: ${String(cause)}`, { cause });
  }
}
