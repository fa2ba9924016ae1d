// The keyboard alone: from the list into a trace, through it and on to the other pages.

import { assert, eventually } from '../lib/browser.mjs';

export const name = 'keys';
export const variants = [{ language: 'en', theme: 'light' }];

export async function run({ page }) {
  // Traces with several spans.
  await eventually(page, `/traces?q=${encodeURIComponent('service:checkout')}`, 'tbody tr');
  await page.keyboard.press('/');
  assert(await page.evaluate(() => document.activeElement?.hasAttribute('data-query')), '/ goes to the query');
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  assert((await page.locator('tbody tr').nth(1).getAttribute('aria-selected')) === 'true', 'j j selects the second row');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=treegrid] [role=row]');
  // A span as long as its trace leaves nothing to zoom to: further down there are shorter ones.
  const zoomed = () => /[?&]z=\d+-\d+/.test(page.url());
  for (let row = 0; row < 12 && !zoomed(); row += 1) {
    await page.keyboard.press('j');
    await page.keyboard.press('f');
    await page.waitForTimeout(150);
  }
  assert(zoomed(), 'f zooms to a span');
  await page.keyboard.press('Enter');
  await page.waitForSelector('aside article');
  await page.keyboard.press('0');
  await page.waitForURL((url) => !url.searchParams.has('z'));
  const link = page.url();
  await page.keyboard.press('y');
  assert((await page.evaluate(() => navigator.clipboard.readText())) === link, 'y copies the link');
  await page.keyboard.press('Escape');
  await page.waitForSelector('aside article', { state: 'detached' });
  await page.keyboard.press('?');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog[open]', { state: 'detached' });
  for (const [key, path] of [['l', '/logs'], ['m', '/map'], ['s', '/services'], ['v', '/governance'], ['t', '/traces']]) {
    await page.keyboard.press('g');
    await page.keyboard.press(key);
    await page.waitForURL((url) => url.pathname === path);
  }
}
