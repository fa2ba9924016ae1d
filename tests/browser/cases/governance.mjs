// Governance: concepts, findings with their evidence, accepting and reopening, what was not evaluated, the rules.
// The demo's faults need some minutes to be found: an empty list must then say what was evaluated, and when.

import { assert, eventually } from '../lib/browser.mjs';
import { violations } from '../lib/axe.mjs';

export const name = 'governance';
export const variants = [
  { language: 'en', theme: 'light' },
  { language: 'zh', theme: 'dark' },
  { language: 'en', theme: 'dark' },
  { language: 'zh', theme: 'light' },
];

export async function run({ page, base, shot, say }) {
  const found = [];
  await eventually(page, '/governance', 'main ul button');
  await page.waitForTimeout(500);
  await shot('governance');
  assert((await page.locator('main > ul button').count()) === 11, 'eleven concepts');
  const findings = await page.locator('tbody button[aria-expanded]').count();
  say(`${findings} open findings`);
  found.push(...(await violations(page, 'governance')));
  if (findings === 0) {
    const text = await page.textContent('main');
    assert(/\d\d:\d\d:\d\d|尚未|Nothing has been evaluated/.test(text), 'an empty list says when it was evaluated, or that it was not');
  } else await decide(page, shot, found);

  await page.goto('/governance?tab=blind');
  await page.waitForSelector('main nav [aria-current]');
  await page.waitForTimeout(400);
  await shot('governance-blind');
  found.push(...(await violations(page, 'not evaluated')));
  await page.goto('/governance?tab=rules');
  await page.waitForSelector('article dl');
  await shot('governance-rules');
  assert((await page.locator('article').count()) >= 10, 'the rules are listed');
  found.push(...(await violations(page, 'rules')));
  await page.goto('/traces');
  await page.waitForSelector('nav a[aria-current]');
  await page.keyboard.press('g');
  await page.keyboard.press('v');
  await page.waitForURL(`${base}/governance`);
  if (found.length > 0) throw new Error(found.join('\n'));
}

async function decide(page, shot, found) {
  await page.keyboard.press('j');
  await page.waitForSelector('aside h2');
  await page.waitForTimeout(400);
  await shot('governance-finding');
  found.push(...(await violations(page, 'finding')));
  const id = new URL(page.url()).searchParams.get('sel');
  const evidence = page.locator('aside a[href^="/traces/"]');
  if ((await evidence.count()) > 0) {
    await evidence.first().click();
    await page.waitForSelector('[role=treegrid] [role=row]');
    await page.goBack();
    await page.waitForSelector('aside h2');
  }
  await page.locator('aside button:has(svg)').nth(1).click();
  await page.waitForSelector('dialog[open] form');
  found.push(...(await violations(page, 'accept')));
  await page.locator('dialog input').fill('browser test');
  await page.locator('dialog textarea').fill('known');
  await page.locator('dialog button[type=submit]').click();
  await page.waitForSelector('dialog[open]', { state: 'detached' });
  await page.goto(`/governance?state=accepted&sel=${id}`);
  await page.waitForSelector('tbody button[aria-expanded=true]');
  assert((await page.textContent('aside')).includes('browser test'), 'who accepted it');
  await page.locator('aside button:has(svg)').nth(1).click();
  await page.waitForSelector('dialog[open]');
  await page.locator('dialog footer button').nth(1).click();
  await page.waitForSelector('dialog[open]', { state: 'detached' });
  await page.goto(`/governance?sel=${id}`);
  await page.waitForSelector('tbody button[aria-expanded=true]');
}
