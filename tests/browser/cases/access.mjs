// Accessibility by axe-core: no serious violation on any page, in both themes.

import { eventually } from '../lib/browser.mjs';
import { violations } from '../lib/axe.mjs';

export const name = 'access';
export const variants = [{ language: 'en', theme: 'light' }, { language: 'zh', theme: 'dark' }];

export async function run({ page }) {
  const found = [];
  const check = async (where) => found.push(...(await violations(page, where)));
  await eventually(page, '/traces', 'tbody tr');
  await check('traces');
  await page.locator('tbody tr a').first().click();
  await page.waitForSelector('[role=treegrid] [role=row]');
  await page.locator('[role=treegrid] [role=row]').first().click();
  await page.waitForSelector('aside article table');
  await check('trace');
  await page.locator('[role=tab]').nth(1).click();
  await page.waitForSelector('tbody tr');
  await check('trace table');
  await eventually(page, '/logs', '[role=feed] article');
  await page.locator('[role=feed] article button').first().click();
  await check('logs');
  await eventually(page, '/map', 'svg [data-hit]');
  await check('map');
  await eventually(page, '/map?view=table', 'tbody tr');
  await check('map table');
  await eventually(page, '/services', 'tbody tr');
  await check('services');
  await page.goto('/sql');
  await check('sql');
  if (found.length > 0) throw new Error(found.join('\n'));
}
