// Every page, with a running pilot behind it: complete, readable, light, without and with scripts.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import test from 'node:test';
import { PAGES, PHONE, WIDE, browser, open, overflow, pilot, screenshot, until } from './lib.js';

/// What a page may weigh, uncompressed, with everything it loads.
const WEIGHT_MAX = 200_000;
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

const name = (path) => path === '/' ? 'overview' : path.slice(1).replaceAll('/', '-');

test('every page', async (t) => {
  const chrome = await browser(t);
  const it = await pilot(t);
  // Something to show: fills and refusals.
  await until(async () => (await it.json('/api/v1/trades?status=resolved')).trades.length > 0, () => it.log);
  const axe = await readFile(AXE, 'utf8');
  const trade = (await it.json('/api/v1/trades?status=resolved')).trades[0].id;
  const strategy = (await it.json('/api/v1/strategies'))[0].name;

  for (const path of [...PAGES, `/trades/${trade}`, `/strategies/${strategy}`]) {
    const label = path.includes(trade) ? 'trade' : name(path);
    await t.test(path, async (t) => {
      const weights = [];
      const context = await chrome.newContext({ viewport: WIDE });
      t.after(() => context.close());
      const page = await context.newPage();
      const complaints = [];
      page.on('pageerror', (error) => complaints.push(error.message));
      page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
      page.on('response', (answer) => {
        const type = answer.headers()['content-type'] ?? '';
        if (!type.startsWith('text/event-stream')) weights.push(answer.body().then((bytes) => bytes.length));
      });
      const answer = await page.goto(it.origin + path, { waitUntil: 'load' });
      assert.equal(answer.status(), 200);
      assert.equal(await page.locator('h1').count(), 1, 'one heading of the first order');
      assert.ok(await page.locator('section.panel').count() > 0, 'it has panels');
      assert.equal(await page.locator('nav [aria-current=page]').count(), 1, 'the navigation says where we are');
      assert.ok(!/\b(NaN|undefined|null|Infinity)\b/.test(await page.innerText('main')), 'no such words');

      const wide = await page.locator('section.panel').evaluateAll((all) => all.map((panel) => panel.id));
      assert.deepEqual(await overflow(page), { by: 0, wide: [] }, 'it fits a desktop');
      await screenshot(page, `${label}-wide`);

      await page.evaluate(axe);
      for (const scheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme: scheme });
        const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
        const serious = found.violations.filter((one) => ['serious', 'critical'].includes(one.impact));
        const told = serious.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`);
        assert.deepEqual(told, [], `nothing serious in ${scheme}`);
      }
      await screenshot(page, `${label}-dark`);
      await page.emulateMedia({ colorScheme: 'light' });

      await page.setViewportSize(PHONE);
      assert.deepEqual(await overflow(page), { by: 0, wide: [] }, 'it fits a phone');
      const narrow = await page.locator('section.panel:visible').evaluateAll((all) => all.map((panel) => panel.id));
      assert.deepEqual(narrow, wide, 'a phone shows every panel');
      await screenshot(page, `${label}-phone`);

      assert.ok(weights.length >= 3, 'the page, its style and its script');
      const weight = (await Promise.all(weights)).reduce((sum, one) => sum + one, 0);
      assert.ok(weight > 0 && weight < WEIGHT_MAX, `it weighs ${weight} bytes`);
      t.diagnostic(`${weight} bytes`);
      assert.deepEqual(complaints, []);
    });

    await t.test(`${path} without scripts`, async (t) => {
      const page = await open(t, chrome, it.origin + path, { javaScriptEnabled: false });
      assert.ok(await page.locator('section.panel').count() > 0);
      assert.ok((await page.innerText('main')).length > 100, 'it says something');
    });
  }

  await t.test('the keyboard reaches everything', async (t) => {
    const page = await open(t, chrome, it.origin);
    await page.keyboard.press('Tab');
    assert.match(await page.evaluate(() => document.activeElement.textContent), /skip/i);
    const reached = new Set();
    const links = await page.locator('nav a').count();
    for (let i = 0; i < links + 10; i++) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement.getAttribute('href')));
    }
    for (const path of PAGES) assert.ok(reached.has(path), `${path} is reached by Tab`);
  });
});
