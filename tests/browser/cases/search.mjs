// Searching: completion, chips, drag on the chart, links that keep the state, errors of the query.

import { assert, eventually } from '../lib/browser.mjs';

export const name = 'search';
export const variants = [{ language: 'en', theme: 'light' }];

export async function run({ page }) {
  await eventually(page, '/traces', 'tbody tr');
  const query = page.locator('[data-query]');
  await query.fill('serv');
  await page.waitForSelector('[role=option]');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  assert((await query.inputValue()).startsWith('service'), 'a key is completed');
  await query.fill('service:');
  await page.waitForSelector('[role=option]');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  const wanted = (await query.inputValue()).trim();
  assert(/^service:\S+$/.test(wanted), `a value is completed: ${wanted}`);
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.searchParams.get('q') === wanted);
  await page.reload();
  assert((await page.locator('[data-query]').inputValue()) === wanted, 'the query survives a reload');
  await page.locator('search li button').first().click();
  await page.waitForURL((url) => !url.searchParams.has('q'));

  await page.waitForSelector('canvas');
  await page.waitForTimeout(300);
  const box = await page.locator('canvas').first().boundingBox();
  await page.mouse.move(box.x + box.width * 0.4, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.7, box.y + 120, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL((url) => url.searchParams.has('from') && /duration>=/.test(url.searchParams.get('q') ?? ''));
  await page.goBack();
  await page.waitForURL((url) => !url.searchParams.has('q'));

  page.expected.push(/400/);
  await page.locator('[data-query]').fill('((( {');
  await page.keyboard.press('Enter');
  await page.waitForSelector('search [role=alert]');
}
