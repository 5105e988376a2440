"use strict";
// What makes a page live: panels pushed by the server, keys, the held kill switch, sliders.
// Without this file every page still shows the moment it was loaded, and every form works.
(() => {
  const byId = (id) => document.getElementById(id);
  const parse = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content.firstElementChild;
  };

  // --- panels ------------------------------------------------------------------------------------
  const waiting = new Map(); // id -> html that must not be put in yet

  /** Nothing is replaced under a focus, a selection or a finger. */
  const inUse = (element) => {
    const active = document.activeElement;
    // Who only stands on a table to scroll it does not hold it still: see `keep`.
    if (element.contains(active) && !active.matches(".scroll")) return true;
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && element.contains(selection.anchorNode));
  };

  // A page of live panels alone has as many of them as there is to show.
  const whole = document.querySelector("main .panels[data-whole]");
  let order = []; // their ids, among those of the frame

  const appear = (id, html) => {
    const fresh = whole && order.includes(id) && parse(html);
    if (!fresh) return;
    const next = order.slice(order.indexOf(id) + 1).map(byId).find((element) => element?.parentElement === whole);
    whole.insertBefore(fresh, next ?? null);
  };
  const arrange = (ids) => {
    order = ids;
    for (const panel of whole ? [...whole.children] : []) {
      if (!ids.includes(panel.id)) panel.remove();
    }
  };

  const put = (id, html) => {
    const old = byId(id);
    if (!old) {
      appear(id, html);
      return;
    }
    if (inUse(old)) {
      waiting.set(id, html);
      return;
    }
    waiting.delete(id);
    const fresh = parse(html);
    if (!fresh) return;
    keep(old, fresh);
    old.replaceWith(fresh);
  };

  /** What a viewer opened or scrolled stays so. */
  const keep = (old, fresh) => {
    const name = (details) => details.id || details.querySelector("summary")?.textContent;
    const open = new Set([...old.querySelectorAll("details[open]")].map(name));
    for (const details of fresh.querySelectorAll("details")) {
      if (open.has(name(details))) details.open = true;
    }
    const scrolls = [...old.querySelectorAll(".scroll")];
    const scrolled = scrolls.map((e) => [e.scrollLeft, e.scrollTop]);
    const stood = scrolls.indexOf(document.activeElement);
    if (stood >= 0 || scrolled.some(([left, top]) => left || top)) {
      requestAnimationFrame(() =>
        [...fresh.querySelectorAll(".scroll")].forEach((e, i) => {
          if (scrolled[i]) [e.scrollLeft, e.scrollTop] = scrolled[i];
          if (i === stood) e.focus({ preventScroll: true });
        }),
      );
    }
  };

  const settle = () => [...waiting].forEach(([id, html]) => put(id, html));
  document.addEventListener("focusout", () => setTimeout(settle));
  document.addEventListener("selectionchange", () => waiting.size && setTimeout(settle));

  // --- toasts ------------------------------------------------------------------------------------
  const TOAST_MS = 12000;
  const toast = (level, text) => {
    const box = document.createElement("div");
    box.className = `toast ${level}`;
    const words = document.createElement("span");
    words.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    close.addEventListener("click", () => box.remove());
    box.append(words, close);
    byId("toasts")?.append(box);
    setTimeout(() => box.remove(), TOAST_MS);
  };

  // --- the stream --------------------------------------------------------------------------------
  const SILENCE_MS = 5000; // the server speaks every second
  const AGAIN_MS = 3000;
  let heard = Date.now();
  let lost = null;
  let stream = null;

  const alive = () => {
    heard = Date.now();
    if (lost === null) return;
    lost = null;
    const line = byId("lost");
    if (line) line.hidden = true;
  };
  const isLost = () => {
    if (lost !== null) return;
    lost = new Date(heard);
    const line = byId("lost");
    if (!line) return;
    line.textContent = `The dashboard does not answer since ${lost.toLocaleTimeString()}: what you see is of then. Trying again.`;
    line.hidden = false;
  };

  const connect = () => {
    stream = new EventSource(`/live?page=${encodeURIComponent(document.body.dataset.page)}`);
    stream.addEventListener("state", (event) => {
      alive();
      const state = JSON.parse(event.data);
      document.body.dataset.pilot = state.pilot;
      document.title = document.title.replace(/^(● \w+ · )?/, state.pilot === "trading" ? "" : `● ${state.pilot} · `);
    });
    stream.addEventListener("panels", (event) => arrange(JSON.parse(event.data)));
    stream.addEventListener("panel", (event) => {
      const panel = JSON.parse(event.data);
      put(panel.id, panel.html);
    });
    stream.addEventListener("toast", (event) => {
      const said = JSON.parse(event.data);
      toast(said.level, said.text);
    });
    stream.onerror = () => {
      isLost();
      // A refusal closes it for good; a broken connection is tried again by the browser.
      if (stream.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN_MS);
    };
  };
  if (document.body.dataset.page) {
    connect();
    setInterval(() => Date.now() - heard > SILENCE_MS && isLost(), 1000);
    addEventListener("pagehide", () => stream.close());
    addEventListener("pageshow", (event) => event.persisted && connect());
  }

  // --- the held kill switch ----------------------------------------------------------------------
  const HOLD_MS = 1000;
  const holding = byId("holding");
  let hold = null;
  const say = (text) => holding && (holding.textContent = text);

  const halt = async () => {
    hold = "sent";
    say("Halting…");
    try {
      const answer = await fetch("/api/v1/halt", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ why: "the key K was held in the dashboard" }),
      });
      const said = await answer.json();
      if (answer.ok) toast("bad", said.record ? `Halted (record ${said.record}).` : "No pilot runs; the next starts halted.");
      else toast("bad", `NOT halted: ${said.what}; ${said.help}`);
    } catch (error) {
      toast("bad", `NOT halted: ${error}. Use pm-arb halt.`);
    }
    say("");
  };
  const release = () => {
    if (typeof hold === "number") clearTimeout(hold);
    hold = null;
    say("");
    document.body.classList.remove("holding");
  };
  addEventListener("blur", release);
  addEventListener("keyup", (event) => event.key.toLowerCase() === "k" && release());

  // --- keys --------------------------------------------------------------------------------------
  const help = byId("help");
  const keys = byId("keys");
  if (keys && help) {
    keys.hidden = false;
    keys.addEventListener("click", () => help.showModal());
  }
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
    if (event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (event.repeat || hold !== null) return;
      document.body.classList.add("holding");
      say("Keep holding K to halt all trading…");
      hold = setTimeout(halt, HOLD_MS);
    } else if (event.key === "?" && help) {
      event.preventDefault();
      if (!help.open) help.showModal();
    } else if (/^[1-9]$/.test(event.key) && !help?.open) {
      document.querySelector(`nav.pages a[data-key="${event.key}"]`)?.click();
    }
  });

  // --- sliders: a form[data-live="ID ID"] brings those parts of its page again while it is moved --------
  // A range with data-for repeats the number of that id: it has no name of its own, and shows up only here.
  const SLIDE_MS = 120;
  for (const range of document.querySelectorAll("input[type=range][data-for]")) {
    const number = byId(range.dataset.for);
    if (!number) continue;
    range.hidden = false;
    range.addEventListener("input", () => (number.value = range.value));
    number.addEventListener("input", () => (range.value = number.value));
  }
  for (const form of document.querySelectorAll("form[data-live]")) {
    let timer = null;
    let asked = 0;
    const bring = async () => {
      const number = ++asked;
      const url = `${form.getAttribute("action") || location.pathname}?${new URLSearchParams(new FormData(form))}`;
      try {
        const answer = await fetch(url, { headers: { Accept: "text/html" } });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (number !== asked) return; // a later one is on its way
        for (const id of form.dataset.live.split(/\s+/)) {
          const fresh = page.getElementById(id);
          if (fresh) byId(id)?.replaceWith(document.adoptNode(fresh));
        }
        history.replaceState(null, "", url);
      } catch (error) {
        toast("warn", `Could not be computed again: ${error}`);
      }
    };
    form.addEventListener("input", (event) => {
      for (const output of form.querySelectorAll("output")) {
        if (output.htmlFor.contains(event.target.id)) output.value = event.target.value;
      }
      clearTimeout(timer);
      timer = setTimeout(bring, SLIDE_MS);
    });
  }

  // --- charts: what a mark says, beside the pointer ------------------------------------------------
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true"); // the same words are in the drawing
  document.body.append(tip);
  addEventListener("pointermove", (event) => {
    const mark = event.target.closest?.("[data-tip]");
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.dataset.tip;
    tip.style.left = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.max(event.clientY - tip.offsetHeight - 8, 8)}px`;
  });
})();
