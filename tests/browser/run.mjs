// Browser tests. `node run.mjs [case…]`; CLEW_BIN, CLEW_URL and CHROMIUM say what is tried and with what (see lib/).
// Screenshots go to artifacts/browser/ at the root of the repository.

import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { launch, openPage } from './lib/browser.mjs';
import { start } from './lib/server.mjs';

const OUT = resolve(process.env.CLEW_ARTIFACTS ?? join(import.meta.dirname, '../../artifacts'), 'browser');

const wanted = process.argv.slice(2);
const files = (await readdir(join(import.meta.dirname, 'cases'))).filter((file) => file.endsWith('.mjs')).sort();
const cases = (await Promise.all(files.map((file) => import(`./cases/${file}`)))).filter((item) => wanted.length === 0 || wanted.includes(item.name));
if (cases.length === 0) throw new Error(`no such case: ${wanted}`);
// The first case is what a new user sees; it also gives the demo time to fill the store.
cases.sort((a, b) => Number(b.name === 'shop') - Number(a.name === 'shop'));

await mkdir(OUT, { recursive: true });
const server = await start(process.env);
console.log(`server: ${server.kind} at ${server.url}`);
const browser = await launch(process.env);
let failures = 0;
try {
  for (const item of cases) {
    for (const variant of item.variants) failures += await runCase(item, variant);
  }
} finally {
  await browser.close();
  await server.stop();
}
console.log(failures === 0 ? 'all browser tests passed' : `${failures} browser tests FAILED`);
process.exitCode = failures === 0 ? 0 : 1;

async function runCase(item, variant) {
  const label = `${item.name} ${variant.language} ${variant.theme}`;
  if (item.needs && item.needs !== server.kind) {
    console.log(`skip ${label}: needs ${item.needs}`);
    return 0;
  }
  const began = Date.now();
  const opened = await openPage(browser, server.url, variant);
  const shot = (name) => opened.page.screenshot({ path: join(OUT, `${name}-${variant.language}-${variant.theme}.png`) });
  try {
    await item.run({ ...variant, page: opened.page, base: server.url, shot, say: (text) => console.log(`     ${text}`) });
    if (opened.problems.length > 0) throw new Error(`the page reported:\n  ${[...new Set(opened.problems)].join('\n  ')}`);
    console.log(`ok   ${label} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    return 0;
  } catch (error) {
    await shot(`FAILED-${item.name}`).catch(() => {});
    console.log(`FAIL ${label}\n  ${error.stack ?? error}`);
    if (opened.problems.length > 0) console.log(`  also: ${[...new Set(opened.problems)].join('\n        ')}`);
    return 1;
  } finally {
    await opened.close();
  }
}
