"use strict";
/* The reference feed page: a plain client of the public API. */

const config = JSON.parse(document.getElementById("config").textContent);
const SURFACES = [
  ["for_you", "For you"],
  ["following", "Following"],
  ["latest", "Latest"],
  ["trending", "Trending"],
];
const KEYS = [
  ["j", "next post", () => step(1)],
  ["k", "post before", () => step(-1)],
  ["l", "like", () => withCard((card) => act("like", card))],
  ["h", "hide", () => withCard((card) => act("hide", card))],
  ["s", "save", () => withCard((card) => act("save", card))],
  ["f", "follow", () => withCard((card) => act("follow", card))],
  ["o", "read on", () => withCard((card) => act("open", card))],
  ["w", "why this post?", () => withCard((card) => act("why", card))],
  ["m", "report, mute and more", () => withCard((card) => act("more", card))],
  ["?", "these keys", () => byId("keys").showModal()],
];
const PAGE_SIZE = 12;
const UNDO_MS = 4000;
const NEW_VISIT_MS = 30 * 60 * 1000;

const byId = (id) => document.getElementById(id);
const feed = byId("feed");
const toastBox = document.querySelector(".toast");
const state = {
  person: null, // {id, name}
  surface: "for_you",
  shown: [], // ids on the page, not to be served again
  ended: false,
  loading: null, // token of the request in flight; a newer one makes an older answer void
  follows: new Set(),
  hiding: null, // {card, timer}: a hide that may still be taken back
  hidden_ms: 0,
  visit_due: true, // told with the first page: only then the server's time is known
};

// Order matters when the page is left: settle what is open, end the look, then send.
const settle = () => state.hiding && confirmHide();
addEventListener("pagehide", settle);
const looks = new Looks(feed, onSeen, onLeft);
const sender = new EventSender(config, (words) => toast(words));

function tell(kind, card, value) {
  const facts = { item_id: card.item.item_id, page_id: card.page.page_id, position: card.item.position };
  if (value !== undefined) facts.value = value;
  sender.add(kind, card.page.user, facts);
}

function onSeen(card) {
  if (!card.seen) tell("impression", card);
  card.seen = true;
  card.querySelector("video")?.play().catch(() => {});
}

function onLeft(card, spent_ms) {
  const film = card.querySelector("video");
  film?.pause();
  tell(film ? "watch" : "dwell", card, Math.min(spent_ms, 86400000));
}

/* --- asking ------------------------------------------------------------------------------------ */

async function ask(path, body) {
  const headers = { authorization: "Bearer " + config.key };
  if (body) headers["content-type"] = "application/json";
  const response = await fetch(config.api + path, {
    method: body ? "POST" : "GET",
    headers,
    body: body ? JSON.stringify(body) : undefined,
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error?.message || "the API answered " + response.status);
  return answer;
}

function trouble(error) {
  if (!(error instanceof TypeError)) return error.message;
  const origin = location.origin;
  if (config.public_origin !== origin)
    return (
      `The API at ${config.api} lets in pages from ${config.public_origin || "nowhere"}, and this is ${origin}. ` +
      `Start it with INHOUSE_API_PUBLIC_ORIGIN=${origin}.`
    );
  return `No answer from the API at ${config.api}. It may be starting: try again in a moment.`;
}

async function loadPage() {
  if (state.loading || state.ended) return;
  const token = (state.loading = {});
  feed.setAttribute("aria-busy", "true");
  const exclude = state.shown.slice(-200).map(encodeURIComponent).join(",");
  try {
    const answer = await ask(
      `/v1/feed/${encodeURIComponent(state.person.id)}?surface=${state.surface}` +
        `&n=${PAGE_SIZE}&detail=true&exclude=${exclude}`,
    );
    if (state.loading === token) show(answer);
  } catch (error) {
    if (state.loading === token) showTrouble(trouble(error));
  }
  if (state.loading === token) {
    state.loading = null;
    feed.setAttribute("aria-busy", "false");
  }
}

function show(answer) {
  sender.heardServerTime(answer.at_ms);
  if (state.visit_due) sender.add("visit", state.person.id);
  state.visit_due = false;
  const page = { page_id: answer.page_id, at_ms: answer.at_ms, user: state.person.id, first: state.shown.length };
  feed.querySelectorAll(".notice, .skeleton").forEach((card) => card.remove());
  for (const item of answer.items) {
    const card = buildCard(item, page, act);
    if (state.follows.has(item.creator_id)) markFollow(card, true);
    state.shown.push(item.item_id);
    feed.append(card);
    trimOpen(card);
    looks.watch(card);
  }
  if (answer.items.length === 0) {
    state.ended = true;
    feed.append(endNotice());
  }
}

// A text that is seen whole needs no way to open it.
function trimOpen(card) {
  const text = card.querySelector(".text");
  if (text && text.scrollHeight <= text.clientHeight + 2) card.querySelector(".open")?.remove();
}

function endNotice() {
  if (state.shown.length)
    return buildNotice("That is all for now", "New posts arrive while you are away.", "Look again", restart);
  const words = {
    following: "Nobody is followed yet, or they posted nothing new. Follow somebody from a post in For you.",
    trending: "Nothing is popular yet. It appears when people open, like and share posts.",
  };
  return buildNotice(
    "Nothing to show here yet",
    words[state.surface] || "Posts appear once they were sent to the API and moderation has looked at them.",
    "Look again",
    restart,
  );
}

function showTrouble(words) {
  feed.querySelectorAll(".notice, .skeleton").forEach((card) => card.remove());
  feed.append(buildNotice("The feed does not answer", words, "Try again", loadPageAgain));
}

function loadPageAgain() {
  feed.querySelectorAll(".notice").forEach((card) => card.remove());
  loadPage();
}

function restart() {
  settle();
  looks.forgetAll();
  state.shown = [];
  state.ended = false;
  state.loading = null;
  const skeleton = make("section", "card skeleton");
  skeleton.setAttribute("aria-hidden", "true");
  feed.replaceChildren(skeleton);
  feed.scrollTop = 0;
  loadPage();
}

/* --- acting ------------------------------------------------------------------------------------ */

function act(action, card) {
  const known = {
    like: () => once(card, "like"),
    save: () => once(card, "save"),
    share: () => share(card),
    hide: () => hide(card),
    open: () => open(card),
    follow: () => follow(card),
    why: () => why(card),
    more: () => more(card),
  };
  known[action]?.();
}

function once(card, kind) {
  const pressed = card.querySelector(".act." + kind);
  if (pressed.getAttribute("aria-pressed") === "true") return;
  pressed.setAttribute("aria-pressed", "true");
  tell(kind, card);
  toast(kind === "like" ? "Liked" : "Saved");
}

async function share(card) {
  const text = [card.item.title, card.item.text].filter(Boolean).join("\n\n");
  try {
    if (navigator.share) await navigator.share({ text });
    else await navigator.clipboard.writeText(text);
  } catch {
    return; // the person thought better of it
  }
  tell("share", card);
  if (!navigator.share) toast("Copied, ready to be pasted");
}

function open(card) {
  const handle = card.querySelector(".open");
  const isOpen = card.classList.toggle("opened");
  handle?.setAttribute("aria-expanded", String(isOpen));
  if (handle) handle.textContent = isOpen ? "Less" : "Read on";
  if (isOpen && !card.opened) tell("click", card);
  card.opened = card.opened || isOpen;
}

function hide(card) {
  if (card.classList.contains("gone")) return;
  settle();
  card.classList.add("gone");
  state.hiding = { card, timer: setTimeout(confirmHide, UNDO_MS) };
  toast("Hidden. Less like it from now on", "Undo", () => {
    clearTimeout(state.hiding?.timer);
    state.hiding = null;
    card.classList.remove("gone");
    card.scrollIntoView();
  });
  step(1);
}

function confirmHide() {
  const { card, timer } = state.hiding;
  clearTimeout(timer);
  state.hiding = null;
  toastBox.hidden = true;
  tell("hide", card);
}

function follow(card) {
  const creator = card.item.creator_id;
  const now = !state.follows.has(creator);
  state.follows[now ? "add" : "delete"](creator);
  sender.add(now ? "follow" : "unfollow", state.person.id, { target: "creator:" + creator });
  for (const other of feed.querySelectorAll("article")) if (other.item.creator_id === creator) markFollow(other, now);
  toast(now ? "Following. New posts come first in Following" : "No longer following");
}

function markFollow(card, now) {
  const handle = card.querySelector(".follow");
  handle.textContent = now ? "Following" : "Follow";
  handle.classList.toggle("on", now);
  handle.setAttribute("aria-pressed", String(now));
}

async function why(card) {
  const sheet = byId("why");
  const body = sheet.querySelector(".sheet-body");
  body.replaceChildren(make("p", "quiet", "Looking it up in the log…"));
  sheet.showModal();
  try {
    const path = `/v1/feed/${encodeURIComponent(card.page.user)}/why/${encodeURIComponent(card.item.item_id)}`;
    const answer = await ask(path);
    const list = make("ul", "reasons");
    for (const sentence of answer.sentences) list.append(words("", sentence, "li"));
    body.replaceChildren(list);
  } catch (error) {
    body.replaceChildren(make("p", "quiet", trouble(error)));
  }
}

function more(card) {
  const name = card.item.creator_name || card.item.creator_id;
  const mute = (target, label) => [
    `Mute ${label}`,
    () => {
      sender.add("mute", state.person.id, { target });
      toast(`${label} is muted`);
    },
  ];
  choose(byId("more"), [
    ["More like this", () => { tell("more", card); toast("More like this from now on"); }],
    mute("creator:" + card.item.creator_id, name),
    ...(card.item.topics || []).slice(0, 3).map((topic) => mute("topic:" + topic, "the topic " + topic)),
    [`Block ${name}`, () => block(card, name)],
    ["Report this post…", () => report(card)],
  ]);
}

function block(card, name) {
  sender.add("block", state.person.id, { target: "creator:" + card.item.creator_id });
  toast(`${name} is blocked: neither of you sees the other`);
  step(1);
}

function report(card) {
  const send = async (category) => {
    try {
      await ask("/v1/reports", {
        item_id: card.item.item_id,
        reporter_id: state.person.id,
        category,
        note: null,
      });
      toast("Thank you. A moderator will look at it");
      card.classList.add("gone");
      step(1);
    } catch (error) {
      toast(trouble(error));
    }
  };
  choose(byId("more"), REPORTS.map(([category, label]) => [label, () => send(category)]), "What is wrong with it?");
}

function choose(sheet, choices, heading = "This post") {
  sheet.querySelector("h2").textContent = heading;
  sheet.querySelector(".choices").replaceChildren(
    ...choices.map(([label, onChoice]) => {
      const line = make("li");
      const one = words("choice", label, "button");
      one.type = "button";
      one.addEventListener("click", () => {
        sheet.close();
        onChoice();
      });
      line.append(one);
      return line;
    }),
  );
  if (!sheet.open) sheet.showModal();
}

let toastTimer = null;
function toast(text, action, onAction) {
  toastBox.replaceChildren(words("", text, "span"));
  if (action) {
    const handle = make("button", "plain", action);
    handle.type = "button";
    handle.addEventListener("click", () => {
      toastBox.hidden = true;
      onAction();
    });
    toastBox.append(handle);
  }
  toastBox.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (toastBox.hidden = true), action ? UNDO_MS : 2200);
}

/* --- moving ------------------------------------------------------------------------------------ */

function current() {
  const middle = feed.scrollTop + feed.clientHeight / 2;
  return [...feed.children].find((card) => card.offsetTop + card.offsetHeight > middle) || null;
}

function withCard(then) {
  const card = current();
  if (card?.item) then(card);
}

function step(by) {
  const card = current();
  const next = by > 0 ? card?.nextElementSibling : card?.previousElementSibling;
  if (!next) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  feed.scrollTo({ top: next.offsetTop, behavior: calm ? "auto" : "smooth" });
  next.focus({ preventScroll: true });
}

feed.addEventListener("scroll", () => {
  if (feed.scrollTop + 3 * feed.clientHeight >= feed.scrollHeight) loadPage();
}, { passive: true });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input, textarea, select")) return;
  const known = KEYS.find(([key]) => key === event.key);
  if (!known) return;
  event.preventDefault();
  known[2]();
});

/* --- whose feed, and which ---------------------------------------------------------------------- */

function pickSurface(surface) {
  state.surface = surface;
  for (const tab of document.querySelectorAll(".surfaces button"))
    tab.setAttribute("aria-selected", String(tab.dataset.surface === surface));
  restart();
}

function pickPerson(person) {
  state.person = person;
  state.follows = new Set();
  const who = document.querySelector(".who");
  const name = person.name || person.id;
  who.replaceChildren(words("face", [...name][0].toUpperCase(), "span"), words("name", name));
  who.style.setProperty("--hue", hue(person.id));
  who.setAttribute("aria-label", `Feed of ${name}; choose another person`);
  who.title = name;
  history.replaceState(null, "", "?user=" + encodeURIComponent(person.id));
  state.visit_due = true;
  restart();
}

async function findPeople(text) {
  const response = await fetch("/feed/people?q=" + encodeURIComponent(text));
  const people = response.ok ? await response.json() : [];
  const list = byId("people").querySelector(".choices");
  const exact = text && !people.some((person) => person.id === text) ? [{ id: text, name: null }] : [];
  list.replaceChildren(
    ...[...people, ...exact].map((person) => {
      const line = make("li");
      const one = make("button", "choice");
      one.type = "button";
      one.append(words("", person.name || person.id), make("small", "", person.name ? person.id : ""));
      one.addEventListener("click", () => {
        byId("people").close();
        pickPerson(person);
      });
      line.append(one);
      return line;
    }),
  );
}

function setUp() {
  const tabs = document.querySelector(".surfaces");
  for (const [surface, label] of SURFACES) {
    const tab = make("button", "", label);
    tab.type = "button";
    tab.dataset.surface = surface;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-selected", String(surface === state.surface));
    tab.addEventListener("click", () => pickSurface(surface));
    tabs.append(tab);
  }
  for (const [key, what] of KEYS) byId("keys").querySelector("dl").append(make("dt", "", key), make("dd", "", what));
  const people = byId("people");
  document.querySelector(".who").addEventListener("click", () => {
    findPeople("");
    people.showModal();
  });
  people.querySelector("input").addEventListener("input", (event) => findPeople(event.target.value.trim()));
  people.addEventListener("close", () => {
    if (people.returnValue === "stranger")
      pickPerson({ id: "guest-" + crypto.randomUUID().slice(0, 8), name: "Someone new" });
    people.returnValue = "";
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") state.hidden_ms = Date.now();
    else if (Date.now() - state.hidden_ms > NEW_VISIT_MS) sender.add("visit", state.person.id);
  });
}

function start() {
  const local = ["localhost", "127.0.0.1", "[::1]"];
  if (config.public_origin && config.public_origin !== location.origin) {
    const right = new URL(config.public_origin);
    if (local.includes(right.hostname) && local.includes(location.hostname) && right.port === location.port) {
      location.replace(right.origin + location.pathname + location.search);
      return;
    }
  }
  setUp();
  const asked = new URLSearchParams(location.search).get("user");
  const known = config.people.find((person) => person.id === asked);
  pickPerson(known || (asked ? { id: asked, name: null } : config.people[0]) || { id: "guest", name: "Someone new" });
}

start();
