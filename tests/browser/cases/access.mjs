// Accessibility by axe-core: no serious violation on any page, in both themes.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { eventually } from '../lib/browser.mjs';

export const name = 'access';
export const variants = [{ language: 'en', theme: 'light' }, { language: 'zh', theme: 'dark' }];

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function run({ page }) {
  const found = [];
  const check = async (where) => {
    await page.waitForTimeout(400);
    // Evaluated through the debugger, so the page's policy stays as it is.
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa'] }));
    for (const violation of violations.filter((item) => ['serious', 'critical'].includes(item.impact))) {
      found.push(`${where}: ${violation.id} × ${violation.nodes.length}: ${violation.nodes.slice(0, 3).map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join(' | ')}`);
    }
  };
  await eventually(page, '/traces', 'tbody tr');
  await check('traces');
  await page.locator('tbody tr a').first().click();
  await page.waitForSelector('[role=treegrid] [role=row]');
  await page.locator('[role=treegrid] [role=row]').first().click();
  await page.waitForSelector('aside article table');
  await check('trace');
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
