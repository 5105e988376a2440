// What the browser tests share: a pilot or a dashboard of its own on a free port, a browser, and looks at a page.
// Owns processes and folders and ends what it began. Knows nothing of what any page should say.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

export const BIN = process.env.PM_ARB_BIN;
export const ROOT = process.env.PM_ARB_ROOT;
/// Patience for what another process has to do first, on a slow machine. No test asserts on time.
export const PATIENCE = 60_000;
export const WIDE = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };

/// Every page of the navigation.
export const PAGES = ['/', '/monitor', '/strategies', '/trades', '/risk', '/system', '/why', '/calibration', '/how-it-works'];

export async function folder() {
  return mkdtemp(path.join(tmpdir(), 'pm-arb-browser-'));
}

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/// Runs a command of the program to its end: { code, stdout, stderr }.
export async function run(...args) {
  try {
    const { stdout, stderr } = await promisify(execFile)(BIN, args, { cwd: ROOT });
    return { code: 0, stdout, stderr };
  } catch (error) {
    if (typeof error.code !== 'number') throw error;
    return { code: error.code, stdout: error.stdout, stderr: error.stderr };
  }
}

/// A process with a dashboard: `await using` is too new for the oldest Node we take, so tests call `end`.
class Served {
  constructor(child, url, data) {
    Object.assign(this, { child, url, data, log: '' });
    child.stderr.on('data', (bytes) => { this.log = (this.log + bytes).slice(-100_000); });
    child.stdout.on('data', () => {});
    this.ended = once(child, 'exit');
  }

  get origin() { return new URL(this.url).origin; }

  async token() {
    return (await readFile(path.join(this.data, 'dashboard.token'), 'utf8')).trim();
  }

  /// Until it answers, or says why not.
  async ready() {
    await until(async () => {
      if (this.child.exitCode !== null) throw new Error(`it ended with ${this.child.exitCode}:\n${this.log}`);
      return (await fetch(`${this.origin}/healthz`)).ok;
    }, () => `no answer from ${this.url}:\n${this.log}`);
    return this;
  }

  async json(route) {
    const answer = await fetch(this.origin + route);
    if (!answer.ok) throw new Error(`${route}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  signal(name) { this.child.kill(name); }

  async end(name = 'SIGINT') {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.signal('SIGCONT');
      this.signal(name);
      await this.ended;
    }
  }
}

/// A pilot on simulated venues with all strategies.
export async function pilot(t, { data, args = [], port } = {}) {
  const own = data ?? await folder();
  port ??= await freePort();
  const child = spawn(BIN, ['pilot', '--strategies', `${ROOT}/strategies/*.wasm`, '--data-dir', own,
    '--dashboard', `127.0.0.1:${port}`, ...args], { cwd: own, stdio: ['ignore', 'pipe', 'pipe'] });
  return served(t, child, port, own, data === undefined);
}

/// A dashboard of its own.
export async function dashboard(t, data, { args = [], port } = {}) {
  port ??= await freePort();
  const child = spawn(BIN, ['dashboard', '--data-dir', data, '--listen', `127.0.0.1:${port}`, ...args],
    { cwd: data, stdio: ['ignore', 'pipe', 'pipe'] });
  return served(t, child, port, data, false);
}

async function served(t, child, port, data, remove) {
  const it = new Served(child, `http://127.0.0.1:${port}/`, data);
  t.after(async () => {
    await it.end('SIGKILL');
    if (remove) await rm(data, { recursive: true, force: true });
  });
  return it.ready();
}

/// One browser for a file of tests; a page of it notes whatever the page complains of.
export async function browser(t) {
  const it = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
  t.after(() => it.close());
  return it;
}

export async function open(t, browser, url, options = {}) {
  const context = await browser.newContext({ viewport: WIDE, ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') page.complaints.push(`console: ${message.text()}`);
  });
  page.on('dialog', (dialog) => {
    page.complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(url, { waitUntil: 'load' });
  return page;
}

/// Asks again until the answer is true.
export async function until(question, otherwise = () => String(question)) {
  const end = Date.now() + PATIENCE;
  let last;
  while (Date.now() < end) {
    try {
      if (await question()) return;
      last = undefined;
    } catch (error) {
      if (!(error.cause?.code || error.name === 'TypeError')) throw error;
      last = error;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`not within ${PATIENCE / 1000} s: ${otherwise()}${last ? ` (${last.cause?.code ?? last})` : ''}`);
}

/// How far the page is wider than its window, and what makes it so.
export function overflow(page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const scrolls = (node) => {
      for (let at = node.parentElement; at; at = at.parentElement) {
        if (getComputedStyle(at).overflowX !== 'visible') return true;
      }
      return false;
    };
    const wide = [...document.querySelectorAll('body *')]
      .filter((node) => node.getBoundingClientRect().right > width + 1 && !scrolls(node))
      .map((node) => `${node.tagName.toLowerCase()}.${node.className} in ${node.closest('section')?.id ?? 'the frame'}`);
    return { by: document.documentElement.scrollWidth - width, wide: wide.slice(0, 5) };
  });
}

/// What stands around every page: the strip, and whatever alarm is raised.
export async function frame(page) {
  const parts = await page.locator('#strip, #banner, #lost:not([hidden])').allInnerTexts();
  return parts.join('\n');
}

export function screenshot(page, name) {
  return page.screenshot({ path: `screenshots/${name}.png`, fullPage: true });
}
