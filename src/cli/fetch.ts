/** `reckon fetch`: brings a model to this computer; started again, it goes on where it stopped. */
import { openModelStore } from '../api/store.ts';
import { type DownloadProgress, modelOrigin, originName, parseModelName } from '../checkpoint/index.ts';
import { isReckonError, ReckonError } from '../errors.ts';
import { readCommand } from './options.ts';
import { formatBytes, formatSeconds, Progress } from './terminal.ts';

const HELP = `usage: reckon fetch MODEL [options]

  MODEL            owner/name, owner/name@revision, owner/name:part-of-a-GGUF-name, or the URL of a folder
  --from URL       the hub: a mirror, or a server of your own (default https://huggingface.co/)
  --cache DIR      where models are kept (default $RECKON_CACHE, or reckon/models in your cache folder)
  --connections N  connections at a time, 1 to 16 (default 4)
  --update         ask whether the revision has moved, also when the model is here
  --json           one JSON document on stdout

A token for gated models is read from the environment: $RECKON_TOKEN, or else $HF_TOKEN.
Interrupted, it keeps what has come; the same command goes on from there.
`;

function line({ phase, loaded, total, bytesPerSecond, secondsLeft, files, trouble }: DownloadProgress): string {
  const amount = total > 0 ? `${formatBytes(loaded)} of ${formatBytes(total)}` : formatBytes(loaded);
  const rate = bytesPerSecond > 0 ? `, ${formatBytes(bytesPerSecond)}/s` : '';
  const left = secondsLeft === null ? '' : `, ${formatSeconds(secondsLeft)} left`;
  const words = phase === 'waiting' ? 'another program is fetching it' : `${amount}${rate}${left}`;
  return `${phase}: ${words} (${files.done}/${files.total} files)${trouble === null ? '' : ` — ${trouble}`}`;
}

export async function fetchModel(args: string[]): Promise<void> {
  const { options, words } = readCommand(args, {
    from: { type: 'string' },
    cache: { type: 'string' },
    connections: { type: 'string' },
    update: { type: 'boolean' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  });
  if (options.flag('help')) {
    process.stdout.write(HELP);
    return;
  }
  const [name] = words;
  if (name === undefined || words.length > 1) {
    throw new ReckonError('bad-option', `fetch takes one model, and ${words.length} were given.`, {
      hint: '--help tells how to name one.',
    });
  }
  const connections = options.number('connections', { min: 1, max: 16, integer: true });
  const [from, folder] = [options.text('from'), options.text('cache')];
  const token = process.env.RECKON_TOKEN || process.env.HF_TOKEN;
  const origin = modelOrigin(parseModelName(name, from === undefined ? {} : { from }));
  const store = await openModelStore(folder === undefined ? {} : { folder });
  const progress = new Progress(process.stderr);
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  let received = 0;
  try {
    const model = await store.download(origin, {
      signal: stop.signal,
      update: options.flag('update'),
      onProgress(news) {
        received = news.received;
        progress.update(line(news));
      },
      ...(token ? { token } : {}),
      ...(connections === undefined ? {} : { connections }),
    });
    const got = received > 0 ? `${formatBytes(received)} fetched` : 'nothing to fetch';
    progress.line(`${model.name}: ${formatBytes(model.bytes)} in ${model.files.length} files, ${got}.`);
    if (options.flag('json')) process.stdout.write(`${JSON.stringify({ ...model, received }, null, 2)}\n`);
  } catch (error) {
    if (!isReckonError(error, 'aborted')) throw error;
    const here = (await store.find(origin))?.bytes ?? 0;
    progress.line(
      `Stopped: ${formatBytes(here)} of ${originName(origin)} are here. The same command goes on from there.`,
    );
    process.exitCode = 130;
  } finally {
    progress.clear();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}
