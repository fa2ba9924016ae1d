// Choosing a tenant shows its data alone, stays in every address, and is not offered where there is no choice.

import { assert } from '../lib/browser.mjs';
import { start } from '../lib/server.mjs';

export const name = 'tenants';
export const needs = 'clew';
export const variants = [
  { language: 'en', theme: 'light' },
  { language: 'zh', theme: 'dark' },
];

const CHOICE = { en: 'Tenant', zh: '租户' };

export async function run({ page, base, shot, language }) {
  const tenant = () => new URL(page.url()).searchParams.get('tenant');
  const choice = page.locator('header label', { hasText: CHOICE[language] }).locator('select');
  await page.goto(`${base}/traces`);
  await page.waitForSelector('tbody tr');
  assert((await choice.count()) === 0, 'a choice of one');

  const server = await start({ ...process.env, CLEW_TENANT: 'acme' });
  try {
    await page.goto(`${server.url}/traces?from=now-3h`);
    await choice.waitFor();
    assert((await choice.inputValue()) === 'default', 'the default tenant is not shown as chosen');
    await page.getByText('clew demo').waitFor(); // it has no data
    await choice.selectOption('acme');
    await page.waitForURL((url) => url.searchParams.get('tenant') === 'acme' && url.searchParams.get('from') === 'now-3h');
    await page.waitForSelector('tbody tr', { timeout: 30_000 });
    await shot('tenants');

    await page.locator('[data-query]').fill('error');
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => url.searchParams.get('q') === 'error');
    assert(tenant() === 'acme', 'a query has lost it');
    await page.locator('tbody a').first().click();
    await page.waitForURL((url) => url.pathname.startsWith('/traces/'));
    assert(tenant() === 'acme', 'a link has lost it');
    const download = await page.locator('a[download]').first().getAttribute('href');
    assert(download.includes('tenant=acme'), `the download has lost it: ${download}`);

    await page.locator('nav a[href^="/logs"]').click();
    await page.waitForURL((url) => url.pathname === '/logs');
    assert(tenant() === 'acme', 'the rail has lost it');
    await page.goto(`${server.url}/logs?live=1&tenant=acme`);
    await page.waitForSelector('[role=feed] article', { timeout: 30_000 });

    await choice.selectOption('default');
    await page.waitForURL((url) => url.pathname === '/logs' && !url.searchParams.has('tenant'));
    await page.getByText('clew demo').waitFor();
  } finally {
    await server.stop();
  }
}
