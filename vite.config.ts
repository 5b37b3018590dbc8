/** The page: `demo/` with the models beside it, built into `.cache/page`. (The package: scripts/lib/compile.mjs.) */
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'vite';

const root = import.meta.dirname;

/** Serves `models/` below the page, in development and in the build. */
function models(): Plugin {
  let outDir = '';
  return {
    name: 'reckon:models',
    configResolved(config) {
      outDir = config.build.outDir;
    },
    configureServer(server) {
      server.middlewares.use((request, _response, next) => {
        if (request.url?.startsWith('/models/')) request.url = `/@fs${join(root, request.url)}`;
        next();
      });
    },
    writeBundle() {
      cpSync(join(root, 'models'), join(outDir, 'models'), { recursive: true });
    },
  };
}

/** What all pages have at the top, the theme before the first paint above all, in the place of a comment. */
function head(): Plugin {
  const path = join(root, 'demo/head.html');
  return {
    name: 'reckon:head',
    transformIndexHtml: {
      order: 'pre',
      handler: (html) => html.replace('<!-- head.html -->', () => readFileSync(path, 'utf8').trim()),
    },
  };
}

export default defineConfig({
  root: join(root, 'demo'),
  base: './',
  // A missing file is a 404, not the page: a model that is not there has to be told from one that is.
  appType: 'mpa',
  plugins: [head(), models()],
  worker: { format: 'es' },
  server: { fs: { allow: [root] } },
  build: {
    outDir: join(root, '.cache/page'),
    emptyOutDir: true,
    target: 'es2023',
    rolldownOptions: { input: [join(root, 'demo/index.html'), join(root, 'demo/lab/index.html')] },
  },
});
