// Names that others chose (titles, symbols, notes) stay words in a real browser, whatever is in them.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { promisify } from 'node:util';
import { PAGES, browser, dashboard, folder, open, pilot, screenshot, until } from './lib.js';

const SKIP = process.env.TEST_DATABASE_URL ? false : 'no PostgreSQL: run it by scripts/with-services.sh';

/// Ways into a page: tags, attributes, addresses, templates, encodings, directions, escapes.
const SEEDS = [
  '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '"><svg onload=alert(1)>', "'-alert(1)-'", '</title><script>alert(1)</script>',
  'javascript:alert(1)', '<a href="javascript:alert(1)">x</a>', '<iframe srcdoc="<script>alert(1)</script>">', '{{constructor.constructor("alert(1)")()}}',
  '${alert(1)}', '<math><mi xlink:href="data:x,<script>alert(1)</script>">', '<style>*{display:none}</style>', '<base href=//evil>', '<meta http-equiv=refresh content=0>',
  '<form action=//evil><input name=token>', '\u202Eevil\u202C', '\u001b]0;evil\u0007\u001b[2J', 'a\r\nSet-Cookie: x=1', '\'; DROP TABLE paper_trades; --', '%3Cscript%3Ealert(1)%3C/script%3E',
  '<textarea autofocus onfocus=alert(1)>', '<details open ontoggle=alert(1)>', '&lt;script&gt;alert(1)&lt;/script&gt;', '<!--<script>alert(1)//-->', '<svg><animate onbegin=alert(1) attributeName=x>',
];
const CORPUS = SEEDS.flatMap((seed) => [seed, seed.toUpperCase(), `x${seed}`, `${seed}"'><`]);

test('hostile names stay words', { skip: SKIP }, async (t) => {
  assert.ok(CORPUS.length >= 100);
  const chrome = await browser(t);
  const real = new URL(process.env.TEST_DATABASE_URL);
  const base = `pm_arb_hostile_${process.pid}_test`;
  const psql = (database, input) => new Promise((done, failed) => {
    const child = execFile('psql', ['-q', '-X', '-v', 'ON_ERROR_STOP=1', '-d', database], (error) => error ? failed(error) : done());
    child.stdin.end(input);
  });
  await psql(real.href, `CREATE DATABASE ${base}; COMMENT ON DATABASE ${base} IS 'pm-arb test database';`);
  const url = Object.assign(new URL(real), { pathname: `/${base}` });
  const it = await pilot(t, { args: ['--database-url', url.href] });
  await until(async () => (await it.json('/api/v1/trades?limit=100')).trades.length >= 20, () => it.log);
  await it.end();

  const quoted = CORPUS.map((text, i) => `(${i}, ${literal(text)})`).join(',');
  await psql(url.href, `
    CREATE TEMP TABLE corpus (i int, words text);
    INSERT INTO corpus VALUES ${quoted};
    UPDATE paper_trades SET market_slug = words, outcome = words, fee_rule = words
      FROM corpus WHERE i = (seq * 7 + n) % ${CORPUS.length};
    UPDATE paper_trades SET settlement_evidence = market_slug WHERE settlement_evidence IS NOT NULL;`);

  const data = await folder();
  const alone = await dashboard(t, data, { args: ['--database-url', url.href] });
  const seen = new Set();
  const look = async (path, shot) => {
    const page = await open(t, chrome, alone.origin + path);
    const inert = await page.evaluate(() => [...document.querySelectorAll('script')].every((one) => one.src.startsWith(location.origin))
      && document.querySelectorAll('iframe, base, meta[http-equiv=refresh], [onerror], [onload], img[src=x], form:not([action^="/"], [method=dialog])').length === 0
      && [...document.querySelectorAll('a[href]')].every((one) => one.origin === location.origin));
    assert.ok(inert, `${path}: something of a name became part of the page`);
    assert.ok(await page.getByRole('navigation', { name: 'Pages' }).isVisible(), `${path}: nothing hides the page`);
    assert.deepEqual(page.complaints, [], path);
    const text = await page.innerText('main');
    for (const words of CORPUS) if (text.includes(words)) seen.add(words);
    if (shot) await screenshot(page, shot);
    await page.context().close();
  };
  for (const path of PAGES) await look(path);
  await look('/trades?limit=100', 'hostile-trades');
  for (const { id } of (await alone.json('/api/v1/trades?limit=20')).trades) await look(`/trades/${id}`);
  await look(`/trades?market=${encodeURIComponent(SEEDS[0])}`);
  await look(`/why/ask?q=${encodeURIComponent(SEEDS[1])}`);
  t.diagnostic(`${seen.size} of ${CORPUS.length} strings were seen as words`);
  assert.ok(seen.size > 10, 'the names did reach the pages');
});

/// A text of any bytes but NUL as SQL writes it.
function literal(text) {
  const escaped = [...text].map((one) => /[ -&(-\[\]-~]/.test(one) ? one : [...Buffer.from(one)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''));
  return `E'${escaped.join('')}'`;
}
