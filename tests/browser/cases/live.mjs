// The live tail shows what arrives and keeps its filter.

import { assert, eventually } from '../lib/browser.mjs';

export const name = 'live';
export const variants = [{ language: 'en', theme: 'dark' }];

export async function run({ page, shot }) {
  await eventually(page, '/logs?live=1', '[role=feed] article', 30);
  await page.waitForTimeout(1500);
  await shot('live');
  const services = await page.$$eval('[role=feed] article button > span:nth-child(3)', (all) => all.map((cell) => cell.textContent));
  const wanted = services[0];
  await page.locator('[data-query]').fill(`service:${wanted}`);
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.searchParams.get('live') === '1' && url.searchParams.get('q') === `service:${wanted}`);
  await page.waitForSelector('[role=feed] article', { timeout: 30_000 });
  await page.waitForTimeout(1500);
  const shown = await page.$$eval('[role=feed] article button > span:nth-child(3)', (all) => all.map((cell) => cell.textContent));
  assert(shown.length > 0 && shown.every((service) => service === wanted), `only ${wanted}: ${[...new Set(shown)]}`);
}
