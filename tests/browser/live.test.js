// What moves: panels without a reload, the kill switch by key and by form, strategies by their page.

import assert from 'node:assert/strict';
import test from 'node:test';
import { browser, open, pilot, run, until } from './lib.js';

test('a trade shows without a reload', async (t) => {
  const chrome = await browser(t);
  const it = await pilot(t);
  const page = await open(t, chrome, `${it.origin}/monitor`);
  await page.evaluate(() => { window.loaded = 'once'; });
  const before = await page.innerText('main');
  await until(async () => (await it.json('/api/v1/trades')).trades.length > 0, () => it.log);
  const { trades } = await it.json('/api/v1/trades?status=open&limit=1');
  await until(async () => (await page.locator('a[href^="/trades/"]').count()) > 0,
    () => `no trade on the page: ${trades[0]?.id}`);
  assert.notEqual(await page.innerText('main'), before);
  assert.equal(await page.evaluate(() => window.loaded), 'once', 'the document is the same');
  assert.deepEqual(page.complaints, []);
});

test('one key stops all trading, and a name and a note begin it again', async (t) => {
  const chrome = await browser(t);
  const it = await pilot(t);
  const httpCredentials = { username: 'operator', password: await it.token(), origin: it.origin };
  const page = await open(t, chrome, it.origin, { httpCredentials });
  const other = await open(t, chrome, `${it.origin}/risk`);

  await page.keyboard.press('k');
  assert.equal((await it.json('/api/v1/snapshot')).trading.halted, null, 'a tap is not enough');
  await page.keyboard.down('k');
  await until(async () => (await it.json('/api/v1/snapshot')).trading.halted !== null);
  await page.keyboard.up('k');
  for (const seen of [page, other]) {
    await until(async () => /halted/i.test(await seen.innerText('body')), () => 'no banner');
  }

  const nobody = await fetch(`${it.origin}/api/v1/resume`, { method: 'POST', body: 'name=x&note=y',
    headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  assert.equal(nobody.status, 401, 'nobody without the token');
  assert.equal((await fetch(`${it.origin}/api/v1/resume`)).status, 405, 'no address by itself changes anything');

  await page.goto(`${it.origin}/risk`);
  const form = page.locator('form[action="/api/v1/resume"]').first();
  await page.locator('details:has(form[action="/api/v1/resume"]) > summary').first().click();
  await form.locator('[name=name]').fill('Ada');
  await form.locator('[name=note]').fill('the news is over');
  await form.locator('button').click();
  await until(async () => (await it.json('/api/v1/snapshot')).trading.halted === null);
});

test('the kill switch works without scripts', async (t) => {
  const chrome = await browser(t);
  const it = await pilot(t);
  const httpCredentials = { username: 'operator', password: await it.token(), origin: it.origin };
  const page = await open(t, chrome, it.origin, { httpCredentials, javaScriptEnabled: false });
  const form = page.locator('form[action="/api/v1/halt"]').first();
  await page.locator('details:has(form[action="/api/v1/halt"]) > summary').first().click();
  await form.locator('[name=why]').fill('by hand');
  await form.locator('button').click();
  await until(async () => (await it.json('/api/v1/snapshot')).trading.halted?.includes('by hand'));
  await page.reload(); // without scripts a page is of the moment it was loaded
  assert.match(await page.innerText('#banner'), /halted/i);
});

test('a slider computes anew without a reload, and by its button without scripts', async (t) => {
  const chrome = await browser(t);
  const it = await pilot(t);
  for (const javaScriptEnabled of [true, false]) {
    const page = await open(t, chrome, `${it.origin}/how-it-works`, { javaScriptEnabled });
    assert.doesNotMatch(await page.innerText('main'), /0\.61/);
    const price = page.locator('form [name=price]').first();
    await price.fill('0.61');
    if (!javaScriptEnabled) await page.locator('form:has([name=price]) button').first().click();
    await until(async () => /0\.61/.test(await page.innerText('main')), () => 'nothing changed');
    assert.deepEqual(page.complaints, []);
  }
});

test('halted by the command line, with hostile words, shows them as words', async (t) => {
  const chrome = await browser(t);
  const it = await pilot(t);
  const words = '<img src=x onerror=alert(1)><script>alert(2)</script>\u001b[31m';
  const page = await open(t, chrome, `${it.origin}/risk`);
  assert.equal((await run('halt', '--data-dir', it.data, '-m', words)).code, 0);
  await until(async () => (await page.innerText('body')).includes('onerror=alert(1)'), () => 'the words do not show');
  assert.equal(await page.locator('img[src=x], main script').count(), 0);
  assert.deepEqual(page.complaints, []);
});
