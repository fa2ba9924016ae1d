// Accessibility by axe-core: what is serious on a page, one line for each rule.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function violations(page, where) {
  await page.waitForTimeout(400);
  // Evaluated through the debugger, so the page's policy stays as it is.
  await page.evaluate(axe);
  const { violations: found } = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa'] }));
  return found
    .filter((item) => ['serious', 'critical'].includes(item.impact))
    .map((item) => `${where}: ${item.id} × ${item.nodes.length}: ${item.nodes.slice(0, 3).map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join(' | ')}`);
}
