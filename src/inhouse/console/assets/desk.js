// The moderators' desk: what must not wait for the server. Keys that lead into a field lead there at once, and out
// again, lest the letters that follow decide something; pictures are clear only while `v` is held, the countdown of a
// lock runs, and the server hears that somebody is at work.
(() => {
  const ACTIVE_EVERY_MS = 10_000;
  const LATE_MS = 60_000;
  const ends = new Map();
  let told = -Infinity;

  const typing = (event) => event.target.closest?.("input, textarea, select");
  const cover = () => document.body.classList.remove("revealed");

  const has = (keys, key) => (keys ?? "").split(" ").includes(key);
  const open = (field) => field.offsetParent !== null && !document.querySelector(".q-dialog .dialog");

  // On the window, after the document's listeners: those that tell the server of keys ask where the focus is.
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (typing(event)) {
      if (has(event.target.dataset.leaveKeys, event.key) && !event.isComposing) event.target.blur();
      return;
    }
    if (event.key === "v") document.body.classList.add("revealed");
    for (const field of document.querySelectorAll("[data-focus-keys]")) {
      if (!has(field.dataset.focusKeys, event.key) || !open(field)) continue;
      event.preventDefault();
      field.focus();
    }
  });
  addEventListener("keyup", (event) => { if (event.key === "v") cover(); });
  addEventListener("blur", cover);
  document.addEventListener("visibilitychange", cover);

  const active = () => {
    const now = performance.now();
    if (document.hidden || now - told < ACTIVE_EVERY_MS || !window.emitEvent) return;
    told = now;
    window.emitEvent("desk_active");
  };
  for (const kind of ["keydown", "pointermove", "pointerdown", "wheel", "input"]) {
    addEventListener(kind, active, { passive: true, capture: true });
  }

  setInterval(() => {
    for (const clock of document.querySelectorAll("[data-left-ms]")) {
      const now = performance.now();
      const key = clock.dataset.lock;
      if (!ends.has(key)) {
        ends.clear();
        ends.set(key, now + Number(clock.dataset.leftMs));
      }
      const left = Math.max(0, ends.get(key) - now);
      const seconds = Math.ceil(left / 1000);
      const text = left ? `yours for ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
        : "your time is over: move or press a key to keep it";
      if (clock.textContent !== text) clock.textContent = text;
      clock.classList.toggle("late", left < LATE_MS);
    }
  }, 250);
})();
