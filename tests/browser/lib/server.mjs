// What the browser is pointed at: a running server, the binary started here, or the development mock.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = resolve(import.meta.dirname, '../../..');

/**
 * @returns {Promise<{url: string, kind: 'running'|'clew'|'mock', stop: () => Promise<void>}>}
 * CLEW_URL: use that server. CLEW_BIN: start it with a fresh data folder, and `demo` against it. Neither: the mock.
 * CLEW_TENANT with CLEW_BIN: declares that tenant, and the demo is its.
 */
export async function start(env) {
  if (env.CLEW_URL) return { url: env.CLEW_URL.replace(/\/$/, ''), kind: 'running', stop: async () => {} };
  if (env.CLEW_BIN) return startClew(resolve(env.CLEW_BIN), env);
  return startMock();
}

async function startClew(bin, env) {
  const data = await mkdtemp(join(tmpdir(), 'clew-browser-'));
  const any = '127.0.0.1:0';
  const config = join(data, 'clew.toml');
  await writeFile(config, env.CLEW_TENANT ? `[tenants.${env.CLEW_TENANT}]\n` : '');
  const ports = ['--http', any, '--otlp-grpc', any, '--otlp-http', any];
  const { CLEW_TENANT: _, ...own } = env;
  const server = spawn(bin, ['serve', '--data-dir', data, '--config', config, ...ports], { stdio: ['ignore', 'pipe', 'inherit'], env: own });
  const children = [server];
  const stop = async () => {
    for (const child of children.reverse()) await end(child);
    await rm(data, { recursive: true, force: true });
  };
  try {
    const { http, otlp_http: otlp } = await listening(server);
    const rate = env.CLEW_DEMO_RATE ? ['--rate', env.CLEW_DEMO_RATE] : [];
    children.push(spawn(bin, ['demo', '--endpoint', withScheme(otlp), ...rate], { stdio: ['ignore', 'ignore', 'inherit'], env }));
    return { url: withScheme(http), kind: 'clew', stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The line that names the bound addresses. */
function listening(server) {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error('the server did not say within 30 s where it listens')), 30_000);
    server.once('exit', (code) => fail(new Error(`the server ended with code ${code}`)));
    createInterface({ input: server.stdout }).on('line', (line) => {
      let event;
      try {
        event = JSON.parse(line);
      } catch {
        return;
      }
      if (event.event !== 'listening') return;
      clearTimeout(timer);
      done(event);
    });
  });
}

const withScheme = (address) => (/^https?:/.test(address) ? address : `http://${address}`);

async function startMock() {
  const port = 5191;
  const ui = join(ROOT, 'web/ui');
  const server = spawn(process.execPath, [join(ui, 'node_modules/vite/bin/vite.js'), 'preview', '--mode', 'mock', '--port', String(port)], { cwd: ui, stdio: ['ignore', 'ignore', 'inherit'] });
  const url = `http://localhost:${port}`;
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (server.exitCode !== null) throw new Error('the mock server ended: was `npm ci && npm run build` done in web/ui?');
    if (await fetch(url).then((answer) => answer.ok, () => false)) return { url, kind: 'mock', stop: () => end(server) };
    await new Promise((done) => setTimeout(done, 100));
  }
  await end(server);
  throw new Error('the mock server does not answer');
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}
