/** `reckon models`: what is kept on this computer; deletes it, or checks every byte of it. */
import { openModelStore } from '../api/store.ts';
import type { ModelStore, StoredModel } from '../checkpoint/index.ts';
import { ReckonError } from '../errors.ts';
import { readCommand } from './options.ts';
import { formatBytes, Progress } from './terminal.ts';

const HELP = `usage: reckon models [list | delete NAME | verify NAME] [options]

  NAME         as the list shows it: a name, or where several share one, the key
  --cache DIR  where models are kept (default $RECKON_CACHE, or reckon/models in your cache folder)
  --json       one JSON document on stdout
`;

/** The one model of that key or name. */
function pick(models: readonly StoredModel[], name: string): StoredModel {
  const found = models.filter((model) => model.key === name || model.name === name);
  const [first] = found;
  if (first && found.length === 1) return first;
  throw new ReckonError('bad-option', `${found.length || 'No'} kept models are called ${JSON.stringify(name)}.`, {
    hint: `There are: ${(first ? found.map(({ key }) => key) : models.map((model) => model.name)).join(', ') || 'none'}.`,
  });
}

function state({ complete, bytes, total }: StoredModel): string {
  if (complete) return formatBytes(bytes);
  return `${formatBytes(bytes)} of ${total === null ? 'unknown' : formatBytes(total)}, not complete`;
}

async function list(store: ModelStore, json: boolean): Promise<void> {
  const [models, space] = [await store.list(), await store.space()];
  if (json) {
    process.stdout.write(`${JSON.stringify({ place: store.place, ...space, stored: models }, null, 2)}\n`);
    return;
  }
  const width = Math.max(0, ...models.map(({ name }) => name.length));
  const lines = models.map(
    (model) => `${model.name.padEnd(width)}  ${state(model)}\n${' '.repeat(width)}  ${model.key}`,
  );
  const free = space.free === null ? '' : `, ${formatBytes(space.free)} free`;
  process.stdout.write(`${[...lines, `${formatBytes(space.models)} in ${store.place}${free}`].join('\n')}\n`);
}

async function verify(store: ModelStore, model: StoredModel, json: boolean): Promise<void> {
  const progress = new Progress(process.stderr);
  const damaged = await store.verify(model, {
    onProgress: ({ loaded, total }) => progress.update(`checking: ${formatBytes(loaded)} of ${formatBytes(total)}`),
  });
  progress.clear();
  if (json) process.stdout.write(`${JSON.stringify({ key: model.key, damaged }, null, 2)}\n`);
  else {
    const words =
      damaged.length === 0 ? 'every file is as published' : `damaged: ${damaged.join(', ')}; fetch it again`;
    process.stdout.write(`${model.name}: ${words}.\n`);
  }
  if (damaged.length > 0) process.exitCode = 1;
}

export async function models(args: string[]): Promise<void> {
  const { options, words } = readCommand(args, {
    cache: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  });
  if (options.flag('help')) {
    process.stdout.write(HELP);
    return;
  }
  const folder = options.text('cache');
  const store = await openModelStore(folder === undefined ? {} : { folder });
  const [command = 'list', name, ...rest] = words;
  const json = options.flag('json');
  if (command === 'list' && name === undefined) return list(store, json);
  if (!['delete', 'verify'].includes(command) || name === undefined || rest.length > 0) {
    throw new ReckonError('bad-option', `"models ${words.join(' ')}" is no command.`, { hint: '--help tells them.' });
  }
  const model = pick(await store.list(), name);
  if (command === 'verify') return verify(store, model, json);
  await store.delete(model);
  if (json) process.stdout.write(`${JSON.stringify({ deleted: model.key, bytes: model.bytes }, null, 2)}\n`);
  else process.stdout.write(`Deleted ${model.name}: ${formatBytes(model.bytes)} are free again.\n`);
}
