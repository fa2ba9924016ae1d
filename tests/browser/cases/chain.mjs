// What follows from one trace: where errors begin, spans that are missing, clocks, links, sums.

import { assert, eventually } from '../lib/browser.mjs';

export const name = 'chain';
export const variants = [
  { language: 'en', theme: 'light' },
  { language: 'zh', theme: 'dark' },
];

/** Traces that are asked for what few of them have. */
const SEARCHED = 60;
const ROWS = '[role=treegrid] [role=row]';
const WORDS = {
  en: { begins: /^Error begins/, missing: /not received$/, clocks: 'Correct clocks', links: 'Linked traces', waterfall: 'Waterfall', table: 'Table', repeats: 'Group repeats', self: 'Self total' },
  zh: { begins: /^错误始于/, missing: /未收到$/, clocks: '校正时钟', links: '关联链路', waterfall: '瀑布图', table: '表格', repeats: '合并重复', self: '自身总计' },
};

export async function run({ page, shot, say, language }) {
  const words = WORDS[language];
  // The far end of a link may be gone; the panel says so.
  page.expected.push(/status of 404.*\/spans\//, /status 404: .*\/spans\//);
  await eventually(page, '/traces?q=error', 'tbody tr a[href^="/traces/"]');
  const traces = await listed(page, '');

  const failed = traces.filter((trace) => trace.error_count > 1 && trace.span_count < 5000).sort((a, b) => b.error_count - a.error_count)[0];
  if (failed) await errors({ page, shot, words }, failed);
  else say('no trace with several errors: origins not tried');
  await sums({ page, shot, words }, failed ?? traces[0]);

  const torn = traces.find((trace) => trace.orphan_count > 0);
  if (torn) await ghosts({ page, shot, words }, torn);
  else say('no trace with missing spans: ghosts not tried');

  const apart = await first(page, traces.slice(0, SEARCHED), 'skew', (skew) => skew.shifts.length > 0);
  if (apart) await clocks({ page, shot, words }, apart);
  else say('no clocks that differ: correction not tried');

  const linked = await first(page, traces.slice(0, SEARCHED), 'links', (links) => links.backward.length > 0);
  if (linked) await links({ page, shot, words }, linked);
  else say('no linked traces: links not tried');

  const long = traces.reduce((most, trace) => (trace.span_count > most.span_count ? trace : most));
  if (long.span_count >= 1000) await repeats({ page, words }, long);
  else say('no long trace: repeats not tried');
}

async function listed(page, query) {
  const answer = await page.request.get(`/api/v1/traces?limit=1000&q=${encodeURIComponent(query)}`);
  return (await answer.json()).traces;
}

/** The first trace whose answer at `part` is telling. */
async function first(page, traces, part, telling) {
  for (const trace of traces) {
    const answer = await page.request.get(`/api/v1/traces/${trace.trace_id}/${part}`);
    if (answer.ok() && telling(await answer.json())) return trace;
  }
  return undefined;
}

async function open(page, trace, query = '') {
  await page.goto(`/traces/${trace.trace_id}${query}`);
  await page.waitForSelector(ROWS);
}

async function errors({ page, shot, words }, trace) {
  await open(page, trace);
  const badge = page.getByRole('button', { name: words.begins });
  await badge.waitFor();
  const origins = await page.locator('[data-origin]').count();
  assert(origins > 0, 'rows where errors begin are marked');
  await page.keyboard.press('e');
  await page.waitForSelector('[data-cursor=true] [data-origin]');
  await badge.click();
  await page.waitForSelector('[aria-selected=true] [data-origin]');
  await page.waitForSelector('aside article table');
  await page.waitForTimeout(200);
  await shot('trace-origin');
}

async function ghosts({ page, shot, words }, trace) {
  await open(page, trace);
  await page.getByRole('button', { name: words.missing }).click();
  await page.waitForSelector('aside article table');
  const ghost = page.locator(`${ROWS}[aria-expanded=true]`, { hasText: /[0-9a-f]{16}/ }).first();
  await ghost.waitFor();
  await page.waitForTimeout(200);
  await shot('trace-ghost');
  const text = await ghost.textContent();
  await ghost.click();
  await page.locator(`${ROWS}[aria-expanded=false]`, { hasText: text }).waitFor();
}

async function clocks({ page, shot, words }, trace) {
  await open(page, trace);
  const toggle = page.getByRole('button', { name: words.clocks });
  await toggle.waitFor();
  assert((await page.locator('[role=note]').count()) === 0, 'times are as sent until somebody asks');
  await toggle.click();
  await page.waitForSelector('[role=note] li');
  assert(/[?&]skew=1/.test(page.url()), `the correction is in the link: ${page.url()}`);
  await shot('trace-clocks');
  await page.reload();
  await page.waitForSelector('[role=note] li');
}

async function repeats({ page, words }, trace) {
  await open(page, trace);
  const rows = Number(await page.getAttribute('[role=treegrid]', 'aria-rowcount'));
  await page.getByRole('button', { name: words.repeats }).click();
  await page.locator(ROWS, { hasText: /×\d+/ }).first().waitFor();
  const grouped = Number(await page.getAttribute('[role=treegrid]', 'aria-rowcount'));
  assert(grouped < rows / 2, `repeats are one row: ${grouped} of ${rows}`);
  await page.locator(`${ROWS}[aria-expanded=false]`, { hasText: /×\d+/ }).first().click();
  await page.waitForFunction((least) => Number(document.querySelector('[role=treegrid]').ariaRowCount) > least, grouped);
}

async function links({ page, shot, words }, trace) {
  await open(page, trace);
  await page.getByRole('button', { name: words.links }).click();
  await page.waitForSelector('[role=dialog] li a[href^="/traces/"]');
  await page.waitForTimeout(200);
  await shot('trace-links');
  const href = await page.locator('[role=dialog] section').nth(1).locator('a').first().getAttribute('href');
  await page.locator('[role=dialog] section').nth(1).locator('a').first().click();
  await page.waitForURL((url) => url.pathname + url.search === href);
  await page.waitForSelector('[role=row][aria-selected=true]');
}

async function sums({ page, shot, words }, trace) {
  await open(page, trace);
  await page.getByRole('tab', { name: words.table }).click();
  await page.waitForSelector('tbody tr');
  const services = await page.locator('tbody tr').count();
  assert(services === trace.services.length, `a row for each service: ${services} of ${trace.services.length}`);
  await page.getByRole('columnheader', { name: words.self }).getByRole('button').click();
  await page.waitForSelector('th[aria-sort=ascending]');
  assert(/[?&]sort=self_total_ns/.test(page.url()), `the order is in the link: ${page.url()}`);
  await page.locator('select').selectOption('operation');
  await page.waitForURL(/[?&]by=operation/);
  await page.waitForSelector('[data-stale=false] tbody tr');
  await shot('trace-table');
  await page.locator('select').selectOption('attribute');
  await page.locator('input[data-query]').fill('service.instance.id');
  await page.keyboard.press('Enter');
  await page.waitForURL(/[?&]by=service.instance.id/);
  await page.waitForSelector('tbody tr');
}
