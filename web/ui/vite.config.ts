// Build and development server of the web UI.
//
// dist/ is committed, so every file name is fixed and the build is a function of its sources alone.
// dist/source.sha256 holds the hash of those sources: SHA-256 over, for each file in byte order of its
// path relative to this folder (with "/"), `path NUL length-in-decimal NUL content`. The files are
// index.html, package.json, package-lock.json, tsconfig.json, vite.config.ts and everything under src/.
// A test outside of npm recomputes it and so notices a dist that was not rebuilt.

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { mockApi } from './dev/mock.ts';

const root = import.meta.dirname;

function sourceFiles(): string[] {
  const src = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'));
  const fixed = ['index.html', 'package.json', 'package-lock.json', 'tsconfig.json', 'vite.config.ts'];
  return [...fixed, ...src].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function sourceHash(): Plugin {
  return {
    name: 'source-hash',
    apply: 'build',
    writeBundle(options) {
      const hash = createHash('sha256');
      for (const path of sourceFiles()) {
        const content = readFileSync(join(root, path));
        hash.update(`${path}\0${content.length}\0`).update(content);
      }
      writeFileSync(join(options.dir ?? join(root, 'dist'), 'source.sha256'), `${hash.digest('hex')}\n`);
    },
  };
}

export default defineConfig(({ mode }) => ({
  root,
  plugins: [react(), sourceHash(), ...(mode === 'mock' ? [mockApi()] : [])],
  server: {
    port: 5173,
    proxy: mode === 'mock' ? {} : { '/api': process.env['CLEW_URL'] ?? 'http://127.0.0.1:4319' },
  },
  preview: { port: 5180, strictPort: true },
  css: { modules: { generateScopedName: (name: string, file: string) => scopedName(name, file) } },
  build: {
    // light-dark() and oklch() stay as written.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    // The CSP allows no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    cssCodeSplit: false,
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        entryFileNames: 'assets/app.js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: (asset: { names: string[] }) =>
          asset.names.some((name) => name.endsWith('.css')) ? 'assets/app.css' : 'assets/[name][extname]',
        codeSplitting: {
          groups: [
            { name: 'vendor', test: /[\\/]node_modules[\\/]/ },
            { name: 'shared', test: /[\\/]src[\\/](?!features|app|main)/ },
          ],
        },
      },
    },
  },
  worker: { format: 'es' as const, rolldownOptions: { output: { entryFileNames: 'assets/[name].js' } } },
}));

// Names from the file, not from a hash of its absolute path: the same on every machine.
function scopedName(name: string, file: string): string {
  const base = file.split(/[\\/]/).at(-1) ?? '';
  return `${base.replace(/\.module\.css.*$/, '')}-${name}`;
}
