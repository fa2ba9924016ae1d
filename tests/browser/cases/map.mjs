// The map: graph, matrix and table of the same calls, focus and depth, the panels of nodes and edges.

import { assert, eventually } from '../lib/browser.mjs';
import { violations } from '../lib/axe.mjs';

export const name = 'map';
export const variants = [
  { language: 'en', theme: 'light' },
  { language: 'zh', theme: 'dark' },
  { language: 'en', theme: 'dark' },
  { language: 'zh', theme: 'light' },
];

export async function run({ page, shot, say }) {
  const found = [];
  await eventually(page, '/map', 'svg [data-hit]');
  await page.waitForTimeout(600);
  await shot('map-graph');
  const nodes = await page.locator('svg g[role=button]').count();
  const edges = await page.locator('svg path[role=button]').count();
  say(`${nodes} nodes, ${edges} edges`);
  found.push(...(await violations(page, 'map')));
  const small = await page.$$eval('svg g[role=button] text:first-of-type', (texts) =>
    texts.map((text) => text.getBoundingClientRect().height).filter((height) => height < 10),
  );
  assert(small.length === 0, `every name can be read, ${small.length} are lower than 10 pixels`);

  await page.locator('svg path[role=button]').first().focus();
  await page.keyboard.press('Enter');
  await page.waitForSelector('aside table');
  await page.waitForTimeout(500);
  await shot('map-edge');
  assert(new URL(page.url()).searchParams.get('sel')?.includes('→'), 'the edge is in the link');
  found.push(...(await violations(page, 'map with an edge')));
  await page.keyboard.press('Escape');
  await page.waitForSelector('aside', { state: 'detached' });

  for (const view of ['matrix', 'table']) {
    await page.goto(`/map?view=${view}`);
    await page.waitForSelector('tbody button');
    await page.waitForTimeout(300);
    await shot(`map-${view}`);
    found.push(...(await violations(page, `map ${view}`)));
  }
  const rows = await page.locator('tbody tr').count();
  assert(rows === edges, `the table has each edge: ${rows} of ${edges}`);

  await page.goto('/map?view=matrix');
  await page.locator('tbody td button').first().focus();
  await page.keyboard.press('Enter');
  await page.waitForSelector('aside h2');
  await page.locator('tbody th button').first().click();
  await page.waitForSelector('aside dl');
  await page.locator('aside p button').first().click();
  await page.waitForURL((url) => url.searchParams.has('focus'));
  await page.locator('select').first().selectOption('2');
  await page.waitForURL((url) => url.searchParams.get('depth') === '2');
  if (found.length > 0) throw new Error(found.join('\n'));
}
