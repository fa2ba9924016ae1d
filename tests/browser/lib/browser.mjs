// Chromium, and pages that remember everything that went wrong in them.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export function launch(env) {
  const executablePath = env.CHROMIUM ?? CANDIDATES.find((path) => existsSync(path));
  if (!executablePath) throw new Error('no Chromium found: install the Debian package chromium or set CHROMIUM');
  return chromium.launch({ executablePath, headless: true, args: ARGS });
}

/** A page in one language and theme. `problems` fills with console errors, exceptions, CSP violations and failed requests. */
export async function openPage(browser, base, { language, theme, width = 1440, height = 900 }) {
  const context = await browser.newContext({ baseURL: base, viewport: { width, height }, locale: language === 'zh' ? 'zh-CN' : 'en-GB', colorScheme: theme, permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  const problems = [];
  page.expected = [];
  const note = (text) => {
    if (!page.expected.some((pattern) => pattern.test(text))) problems.push(text);
  };
  page.on('console', (message) => message.type() === 'error' && note(`console: ${message.text()} ${message.location().url}`));
  page.on('pageerror', (error) => note(`exception: ${error.message}`));
  page.on('response', (answer) => answer.status() >= 400 && note(`status ${answer.status()}: ${answer.url()}`));
  await page.exposeFunction('__violation', (text) => note(`CSP: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => window.__violation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
  });
  return { page, problems, close: () => context.close() };
}

export function assert(condition, message) {
  if (!condition) throw new Error(message);
}

/** Loads the page again and again until the element is there: new data takes its time. */
export async function eventually(page, path, selector, seconds = 60) {
  const until = Date.now() + seconds * 1000;
  await page.goto(path);
  for (;;) {
    const found = await page.waitForSelector(selector, { timeout: 5000 }).catch(() => null);
    if (found) return found;
    if (Date.now() > until) throw new Error(`${path}: nothing matches ${selector} after ${seconds} s`);
    await page.goto(path);
  }
}
