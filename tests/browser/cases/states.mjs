// Pages without data: an unknown trace, an unknown address, an empty range, hostile text.

import { assert } from '../lib/browser.mjs';

export const name = 'states';
export const variants = [{ language: 'en', theme: 'light' }, { language: 'zh', theme: 'dark' }];

export async function run({ page, shot }) {
  page.expected.push(/404/);
  await page.goto(`/traces/${'0123456789abcdef'.repeat(2)}`);
  await page.waitForSelector('main h2');
  await shot('missing-trace');
  await page.goto('/nowhere');
  await page.waitForSelector('main h2');
  const past = '?from=2001-01-01T00:00:00.000Z&to=2001-01-02T00:00:00.000Z';
  for (const path of ['/traces', '/logs', '/map', '/services']) {
    await page.goto(path + past);
    await page.waitForSelector('main pre');
    assert((await page.textContent('main')).includes('clew demo'), `${path} says how to send data`);
  }
  await page.goto(`/traces${past}`);
  await page.waitForSelector('main dl dd code');
  await shot('empty');
  const evil = '"<img src=x onerror=window.__pwned=1>"';
  await page.goto(`/logs?q=${encodeURIComponent(evil)}`);
  await page.waitForSelector('search li code');
  assert((await page.evaluate(() => window.__pwned)) === undefined, 'text stays text');
}
