// What is not there is said, never made up: a pilot that died or froze, a database out of reach, feeds that are down.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { PAGES, browser, dashboard, folder, frame, open, pilot, screenshot, until } from './lib.js';

/// What the frame of every page says when the pilot is not there, or not of now.
const DEGRADED = /frozen|does not answer|no pilot/i;
const SKIP_POSTGRES = process.env.TEST_DATABASE_URL ? false : 'no PostgreSQL: run it by scripts/with-services.sh';

test('a pilot that dies: its own page says since when, a dashboard of its own goes on with the database', async (t) => {
  const chrome = await browser(t);
  const it = await pilot(t);
  await until(async () => (await it.json('/api/v1/trades')).trades.length > 0, () => it.log);
  const alone = await dashboard(t, it.data);
  const own = await open(t, chrome, it.origin);
  const page = await open(t, chrome, `${alone.origin}/monitor`);
  await until(async () => !/no pilot/i.test(await page.innerText('body')), () => 'the pilot is not seen');

  await it.end('SIGKILL');
  await until(async () => /does not answer since/i.test(await own.innerText('#lost')), () => 'the page looks live');
  await screenshot(own, 'degraded-pilot-gone-own');
  await until(async () => /no pilot/i.test(await page.innerText('body')), () => 'the dashboard looks live');
  await screenshot(page, 'degraded-pilot-gone');
  for (const path of PAGES) {
    const seen = await open(t, chrome, alone.origin + path);
    const text = await seen.innerText('body');
    assert.match(text, /no pilot/i, path);
    assert.doesNotMatch(await seen.innerText('#strip'), /\btrading\b/i, `${path} does not say that it trades`);
    await seen.context().close();
  }
  const { trades } = await alone.json('/api/v1/trades');
  assert.ok(trades.length > 0, 'the trades are still there');
});

test('a pilot that froze is not live', async (t) => {
  const chrome = await browser(t);
  const it = await pilot(t);
  const alone = await dashboard(t, it.data);
  const page = await open(t, chrome, alone.origin);
  await until(async () => !/no pilot/i.test(await page.innerText('body')));
  it.signal('SIGSTOP');
  await until(async () => DEGRADED.test(await frame(page)), () => 'it looks live');
  await screenshot(page, 'degraded-pilot-frozen');
  for (const path of PAGES) {
    const seen = await open(t, chrome, alone.origin + path);
    const said = await frame(seen);
    assert.match(said, DEGRADED, path);
    assert.doesNotMatch(await seen.innerText('#strip'), /\btrading\b/i, `${path} does not say that it trades`);
    await seen.context().close();
  }
  it.signal('SIGCONT');
  await until(async () => !DEGRADED.test(await frame(page)), () => 'it stays degraded');
  assert.match(await page.innerText('#strip'), /\btrading\b/i);
});

test('a database that goes away and comes back', { skip: SKIP_POSTGRES }, async (t) => {
  const chrome = await browser(t);
  const real = new URL(process.env.TEST_DATABASE_URL);
  const base = `pm_arb_browser_${process.pid}_test`;
  const psql = (...sql) => promisify(execFile)('psql', ['-q', '-X', '-d', real.href, ...sql.flatMap((one) => ['-c', one])]);
  await psql(`CREATE DATABASE ${base}`, `COMMENT ON DATABASE ${base} IS 'pm-arb test database'`);
  const gate = await door(Number(real.port), real.hostname);
  t.after(() => gate.close());
  const url = new URL(real);
  Object.assign(url, { port: gate.port, hostname: '127.0.0.1', pathname: `/${base}` });

  const it = await pilot(t, { args: ['--database-url', url.href] });
  const page = await open(t, chrome, `${it.origin}/system`);
  await until(async () => (await it.json('/api/v1/trades')).trades.length > 0, () => it.log);
  gate.shut();
  await until(async () => /database[^.]*(away|unreachable|not reached|out of reach)/is.test(await page.innerText('body')),
    () => 'the page does not say that the database is away');
  await until(async () => /away|refuses/i.test(await page.locator('#database').innerText({ timeout: 1000 }).catch(() => '')),
    () => 'the panel of the database does not say it, or did not appear');
  await screenshot(page, 'degraded-database-away');
  for (const path of PAGES) {
    const seen = await open(t, chrome, it.origin + path);
    await until(async () => /database is unreachable/i.test(await frame(seen)), () => `${path} does not say it`);
    await seen.context().close();
  }
  const answer = await fetch(`${it.origin}/api/v1/trades`);
  assert.equal(answer.status, 503);
  assert.ok((await answer.json()).help);
  gate.reopen();
  await until(async () => (await fetch(`${it.origin}/api/v1/trades`)).ok, () => it.log);
  await until(async () => !/database[^.]*unreachable/i.test(await frame(page)), () => 'the page does not see it come back');
});

test('feeds that are down back no number', async (t) => {
  const chrome = await browser(t);
  const data = await folder();
  t.after(() => rm(data, { recursive: true, force: true }));
  const config = path.join(data, 'nowhere.toml');
  await writeFile(config, `[feeds.polymarket]
ws_url = "ws://127.0.0.1:1/"
gamma_url = "http://127.0.0.1:1"
`);
  const it = await pilot(t, { data, args: ['--feed', 'live', '--config', config] });
  const page = await open(t, chrome, `${it.origin}/system`);
  await until(async () => /127\.0\.0\.1:1/.test(await page.innerText('main')), () => 'the failing feed is not named');
  await screenshot(page, 'degraded-feeds-down');
  assert.equal((await fetch(`${it.origin}/readyz`)).status, 503);
  for (const path of PAGES) {
    await page.goto(it.origin + path);
    await until(async () => /feeds [0-9]+ of/i.test(await page.innerText('#strip')), () => `${path} says nothing of feeds`);
    const [, running, all] = /feeds (\d+) of (\d+)/i.exec(await page.innerText('#strip'));
    assert.ok(Number(running) < Number(all), `${path}: ${running} of ${all}`);
  }
});

/// A door to a server that can be shut.
async function door(port, host) {
  const open = new Set();
  let shut = false;
  const server = net.createServer((inner) => {
    if (shut) return inner.destroy();
    const outer = net.connect(port, host);
    for (const [from, to] of [[inner, outer], [outer, inner]]) {
      open.add(from);
      from.on('error', () => {}).on('close', () => { open.delete(from); to.destroy(); });
      from.pipe(to);
    }
  }).listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const drop = () => { for (const socket of open) socket.destroy(); };
  return {
    port: server.address().port,
    shut() { shut = true; drop(); },
    reopen() { shut = false; },
    close() { drop(); server.close(); },
  };
}
