// The inventory and one service: filter, sort, charts, their tables, the comparison of releases.

import { assert, eventually } from '../lib/browser.mjs';
import { violations } from '../lib/axe.mjs';

export const name = 'services';
export const variants = [
  { language: 'en', theme: 'light' },
  { language: 'zh', theme: 'dark' },
  { language: 'en', theme: 'dark' },
  { language: 'zh', theme: 'light' },
];

export async function run({ page, shot, say }) {
  const found = [];
  await eventually(page, '/services', 'tbody tr');
  await page.waitForTimeout(500);
  await shot('services-list');
  found.push(...(await violations(page, 'services')));
  const all = await page.$$eval('tbody tr td:first-child', (cells) => cells.map((cell) => cell.textContent));

  // The busiest service by its column's head, then the filter, both kept in the address.
  await page.locator('thead button').nth(3).click();
  await page.waitForURL((url) => url.searchParams.get('sort') === '-rate');
  const busiest = (await page.textContent('tbody tr td:first-child')) ?? '';
  await page.keyboard.press('/');
  await page.keyboard.type(busiest);
  await page.waitForURL((url) => url.searchParams.get('text') === busiest);
  const shown = await page.$$eval('tbody tr td:first-child', (cells) => cells.map((cell) => cell.textContent));
  assert(shown.length <= all.length && shown.every((id) => id !== null) && shown.includes(busiest), `the filter keeps ${busiest}: ${shown}`);
  await page.reload();
  await page.waitForSelector('tbody tr');
  assert((await page.locator('[data-query]').inputValue()) === busiest, 'the filter survives a reload');
  await page.keyboard.press('Escape');
  await page.locator('h1').click();
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/services\/./);

  await page.waitForSelector('figure svg path');
  await page.waitForTimeout(700);
  await shot('service');
  assert((await page.locator('figure').count()) === 6, 'six charts');
  const operations = await page.locator('section table').first().locator('tbody tr').count();
  assert(operations > 0, 'the service has operations');
  say(`${busiest}: ${operations} operations, ${await page.locator('figure a').count()} example dots`);
  found.push(...(await violations(page, 'service')));
  await page.locator('section > button').first().click();
  await page.waitForURL((url) => url.searchParams.get('table') === '1');
  await page.waitForSelector('section thead th');
  found.push(...(await violations(page, 'service as a table')));

  // Two versions may not be there; then the dialog says so.
  const address = new URL(page.url());
  await page.goto(`${address.pathname}?compare=1`);
  await page.waitForSelector('dialog[open]');
  await page.waitForTimeout(700);
  await shot('service-compare');
  found.push(...(await violations(page, 'compare')));
  await page.keyboard.press('Escape');
  await page.waitForURL((url) => !url.searchParams.has('compare'));

  page.expected.push(/404/);
  await page.goto('/services/no%2Fsuch%20service');
  await page.waitForSelector('main h2');
  assert((await page.textContent('h1')).includes('no/such service'), 'the name is read from the address');
  if (found.length > 0) throw new Error(found.join('\n'));
}
