"use strict";
/* Tells the API what a person does: small batches, each event with an id of its own, sent again after a
   failure (the API counts an id once), and sent for certain when the page is left. */

const SEND_AFTER_MS = 1500;
const MOST_IN_BATCH = 50;
const MOST_WHEN_LEAVING = 200; // browsers keep at most 64 KiB in flight for a page that is gone
const MOST_WAITING = 1000;

class EventSender {
  constructor(config, onTrouble) {
    this.url = config.api + "/v1/events";
    this.key = config.key;
    this.onTrouble = onTrouble;
    this.waiting = [];
    this.timer = null;
    this.sending = false;
    this.failures = 0;
    // Times are the server's: its clock minus ours, learned from every page it serves.
    this.ahead_ms = 0;
    addEventListener("pagehide", () => this.flush(true));
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.flush(true);
    });
  }

  heardServerTime(at_ms) {
    this.ahead_ms = at_ms - Date.now();
  }

  add(kind, user, facts = {}) {
    const event = {
      event_id: "web-" + crypto.randomUUID(),
      at_ms: Math.round(Date.now() + this.ahead_ms),
      kind,
      user_id: user,
      ...facts,
    };
    this.waiting.push(event);
    if (this.waiting.length > MOST_WAITING) this.waiting.shift();
    if (this.waiting.length >= MOST_IN_BATCH) this.flush();
    else this.later(SEND_AFTER_MS);
    return event;
  }

  later(ms) {
    if (this.timer === null) this.timer = setTimeout(() => this.flush(), ms);
  }

  async flush(leaving = false) {
    clearTimeout(this.timer);
    this.timer = null;
    if (!this.waiting.length || (this.sending && !leaving)) return;
    this.sending = true;
    const batch = this.waiting.splice(0, leaving ? MOST_WHEN_LEAVING : MOST_IN_BATCH);
    let again = false;
    try {
      const response = await fetch(this.url, {
        method: "POST",
        headers: { authorization: "Bearer " + this.key, "content-type": "application/json" },
        body: JSON.stringify({ events: batch }),
        keepalive: leaving,
      });
      again = response.status >= 500 || response.status === 429;
      if (!response.ok && !again) this.onTrouble("The API refused what happened here.");
    } catch {
      again = true;
    }
    this.sending = false;
    if (again) {
      this.failures += 1;
      this.waiting.unshift(...batch);
      this.later(Math.min(30000, SEND_AFTER_MS * 2 ** this.failures));
    } else {
      this.failures = 0;
      if (this.waiting.length) this.later(0);
    }
  }
}

/* Watches which card is in view. A card counts as seen when half of it was visible for half a second;
   the look ends when it leaves, or when the page is hidden. */
class Looks {
  constructor(root, onSeen, onLeft) {
    this.onSeen = onSeen;
    this.onLeft = onLeft;
    this.visible = new Map(); // card -> {since, spent_ms, timer, seen}
    this.observer = new IntersectionObserver((changes) => changes.forEach((c) => this.changed(c)), {
      root,
      threshold: [0, 0.5],
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.pause();
      else this.resume();
    });
    addEventListener("pagehide", () => this.pause());
  }

  watch(card) {
    this.observer.observe(card);
  }

  forgetAll() {
    for (const card of [...this.visible.keys()]) this.left(card);
    this.observer.disconnect();
  }

  changed(change) {
    const card = change.target;
    if (change.isIntersecting && change.intersectionRatio >= 0.5) this.entered(card);
    else if (this.visible.has(card)) this.left(card);
  }

  entered(card) {
    if (this.visible.has(card)) return;
    const look = { since: performance.now(), spent_ms: 0, timer: null, seen: false };
    this.visible.set(card, look);
    if (document.visibilityState === "visible") this.start(card, look);
    else look.since = null;
  }

  start(card, look) {
    look.since = performance.now();
    look.timer = setTimeout(() => {
      look.seen = true;
      this.onSeen(card);
    }, Math.max(0, 500 - look.spent_ms));
  }

  stop(look) {
    clearTimeout(look.timer);
    if (look.since !== null) look.spent_ms += performance.now() - look.since;
    look.since = null;
  }

  left(card) {
    const look = this.visible.get(card);
    this.stop(look);
    this.visible.delete(card);
    if (look.seen) this.onLeft(card, Math.round(look.spent_ms));
  }

  // A hidden page may never come back: what was looked at so far is told now.
  pause() {
    for (const [card, look] of this.visible) {
      this.stop(look);
      if (look.seen && look.spent_ms > 0) this.onLeft(card, Math.round(look.spent_ms));
      look.spent_ms = 0;
    }
  }

  resume() {
    for (const [card, look] of this.visible) {
      if (look.since !== null) continue;
      if (look.seen) look.since = performance.now();
      else this.start(card, look);
    }
  }
}
