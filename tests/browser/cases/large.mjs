// A trace of 50,000 spans (mock only): first rows at once, and frames that keep up while scrolling.

import { assert, eventually } from '../lib/browser.mjs';

export const name = 'large';
export const variants = [{ language: 'en', theme: 'light' }];
export const needs = 'mock';

export async function run({ page, shot, say }) {
  await eventually(page, '/traces?q=service%3Abatch', 'tbody tr a');
  const href = await page.locator('tbody tr a').first().getAttribute('href');
  await page.goto('/sql');
  const clicked = Date.now();
  await page.evaluate((path) => {
    history.pushState(null, '', path);
    dispatchEvent(new PopStateEvent('popstate'));
  }, href);
  await page.waitForSelector('[role=treegrid] [role=row]');
  const first = Date.now() - clicked;
  await shot('large');
  const frames = await page.evaluate(async () => {
    const scroller = document.querySelector('[role=treegrid]');
    const times = [];
    let last = performance.now();
    for (let frame = 0; frame < 120; frame += 1) {
      scroller.scrollTop += 900;
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      times.push(now - last);
      last = now;
    }
    return times.sort((a, b) => a - b);
  });
  const drawn = await page.locator('[role=treegrid] [role=row]').count();
  say(`50,000 spans: first rows after ${first} ms, median frame ${frames[60].toFixed(1)} ms, p95 ${frames[114].toFixed(1)} ms, ${drawn} rows in the document`);
  assert(drawn < 200, `only rows on screen are drawn, saw ${drawn}`);
}
