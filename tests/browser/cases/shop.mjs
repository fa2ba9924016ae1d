// What a new user sees: traces, a trace, logs and the map, in both languages and themes.

import { assert, eventually } from '../lib/browser.mjs';

export const name = 'shop';
export const variants = [
  { language: 'en', theme: 'light' },
  { language: 'zh', theme: 'dark' },
  { language: 'en', theme: 'dark' },
  { language: 'zh', theme: 'light' },
];

const TITLES = { en: ['Traces', 'Logs', 'Service map', 'Services'], zh: ['链路', '日志', '服务拓扑', '服务'] };

export async function run({ page, shot, language }) {
  const [traces, logs, map, services] = TITLES[language];
  await eventually(page, '/', 'tbody tr a[href^="/traces/"]');
  assert((await page.textContent('h1')) === traces, 'the title of the traces page');
  assert((await page.getAttribute('html', 'lang')) === (language === 'zh' ? 'zh-CN' : 'en'), 'the language of the document');
  await page.waitForTimeout(300);
  await shot('traces');

  // The longest list of services makes the most telling picture.
  const rows = await page.$$eval('tbody tr', (all) => all.map((row) => Number(row.querySelectorAll('td')[4]?.textContent?.replaceAll(',', '') ?? 0)));
  const telling = rows.map((spans, index) => ({ spans, index })).filter((row) => row.spans < 5000).sort((a, b) => b.spans - a.spans)[0];
  await page.locator('tbody tr a').nth(telling.index).click();
  await page.waitForSelector('[role=treegrid] [role=row]');
  const drawn = await page.locator('[role=treegrid] [role=row]').count();
  assert(drawn >= Math.min(5, telling.spans), `the waterfall draws rows, saw ${drawn} of ${telling.spans}`);
  await shot('trace');
  await page.locator('[role=treegrid] [role=row]').nth(1).click();
  await page.waitForSelector('aside article table');
  await page.waitForTimeout(200);
  await shot('trace-span');
  assert(/[?&]s=[0-9a-f]{16}/.test(page.url()), `the selected span is in the link: ${page.url()}`);

  await eventually(page, '/logs', '[role=feed] article');
  assert((await page.textContent('h1')) === logs, 'the title of the logs page');
  await page.locator('[role=feed] article button').first().click();
  await page.waitForSelector('[role=feed] article table');
  await page.waitForTimeout(200);
  await shot('logs');

  await eventually(page, '/map', 'svg [data-hit]');
  assert((await page.textContent('h1')) === map, 'the title of the map page');
  const nodes = await page.locator('svg g[role=button]').count();
  assert(nodes >= 3, `the map shows nodes, saw ${nodes}`);
  await page.waitForTimeout(200);
  await shot('map');
  await page.locator('svg g[role=button]').first().focus();
  await page.keyboard.press('Enter');
  await page.waitForSelector('aside dl');
  await page.waitForTimeout(200);
  await shot('map-node');

  await eventually(page, '/services', 'tbody tr');
  assert((await page.textContent('h1')) === services, 'the title of the services page');
  await shot('services');
}
