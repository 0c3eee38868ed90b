"use strict";
/* What a card is made of. Texts come from strangers: they are only ever set as text, never as HTML. */

const ICONS = {
  like: "M12 20.3s-7.8-4.7-7.8-10.5A4.4 4.4 0 0 1 12 7.1a4.4 4.4 0 0 1 7.8 2.7c0 5.8-7.8 10.5-7.8 10.5Z",
  save: "M6.5 4h11v16.2L12 16l-5.5 4.2Z",
  share: "M12 15V4.2m0 0L8.2 8M12 4.2 15.8 8M5 13v6.5h14V13",
  hide: "m4 4 16 16M9.7 9.8a3.2 3.2 0 0 0 4.5 4.5M6.8 6.9C4.2 8.6 3 12 3 12s3 6 9 6c1.8 0 3.3-.5 4.6-1.3M10 6.2q1-.2 2-.2c6 0 9 6 9 6s-.6 1.3-1.9 2.7",
  why: "M9.3 9.2a2.8 2.8 0 1 1 4 2.6c-.9.5-1.3 1-1.3 2m0 3v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z",
  more: "M6 12h.1M12 12h.1M18 12h.1",
};
const SOURCES = {
  taste: "Picked for you",
  similar: "Like what you enjoyed",
  following: "From someone you follow",
  trending: "Popular now",
  popular: "Popular now",
  fresh: "Just posted",
  latest: "Just posted",
  explore: "Something new to try",
};
const REPORTS = [
  ["harassment", "Harassment or bullying"],
  ["hate", "Hate"],
  ["sexual", "Sexual content"],
  ["violence", "Violence"],
  ["self_harm", "Self-harm"],
  ["spam", "Spam or a scam"],
  ["other", "Something else"],
];
const BLUR_LABELS = {
  warn: ["This post may upset you", "Moderation asks to look before you leap."],
  age_gate: ["For adults", "Moderation keeps this post from anyone under age."],
};

function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function words(className, text, name = "bdi") {
  const element = make(name, className, text);
  element.dir = "auto";
  return element;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function button(className, label, onClick) {
  const element = make("button", className);
  element.type = "button";
  element.setAttribute("aria-label", label);
  element.title = label;
  element.addEventListener("click", (event) => {
    event.stopPropagation();
    onClick();
  });
  return element;
}

function hue(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return sum;
}

function age(at_ms, now_ms) {
  const minutes = Math.max(0, (now_ms - at_ms) / 60000);
  if (minutes < 1) return "now";
  if (minutes < 60) return Math.floor(minutes) + " min";
  if (minutes < 1440) return Math.floor(minutes / 60) + " h";
  return Math.floor(minutes / 1440) + " d";
}

function picture(item, onFailure) {
  let url;
  try {
    url = new URL(item.media_url);
  } catch {
    return null;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  const film = item.kind === "video" && /\.(mp4|webm|ogv)$/i.test(url.pathname);
  const media = make(film ? "video" : "img", "cover");
  if (film) Object.assign(media, { muted: true, loop: true, playsInline: true, preload: "metadata" });
  else Object.assign(media, { alt: "", loading: "lazy", decoding: "async" });
  media.referrerPolicy = "no-referrer";
  media.addEventListener("error", onFailure);
  media.src = url.href;
  return media;
}

/* One post as a card. `act` is told what was pressed. */
function buildCard(item, page, act) {
  const card = make("article", "card kind-" + item.kind);
  card.tabIndex = -1;
  card.item = item;
  card.page = page;
  card.style.setProperty("--hue", hue(item.topics?.[0] || item.creator_id || item.item_id));
  const title = item.title || (item.text || "").slice(0, 60) || "Untitled post";
  card.setAttribute("aria-label", title);
  card.setAttribute("aria-posinset", String(page.first + item.position + 1));
  card.setAttribute("aria-setsize", "-1");
  const media = item.media_url ? picture(item, () => { media.remove(); card.classList.add("plain-text"); }) : null;
  if (media) card.append(media);
  else card.classList.add("plain-text");
  card.append(make("div", "shade"), buildBody(card, item, page, act), buildRail(card, act));
  if (item.label in BLUR_LABELS) card.append(buildVeil(card, item.label));
  return card;
}

function buildBody(card, item, page, act) {
  const body = make("div", "body");
  body.append(make("p", "source", SOURCES[item.source] || item.source));
  if (item.title) body.append(words("title", item.title, "h2"));
  if (item.text) {
    const text = words("text", item.text, "p");
    const open = make("button", "open", "Read on");
    open.type = "button";
    open.setAttribute("aria-expanded", "false");
    open.addEventListener("click", () => act("open", card));
    body.append(text, open);
  }
  const by = make("p", "by");
  const name = item.creator_name || item.creator_id;
  const face = make("span", "face", [...name][0]?.toUpperCase() || "?");
  face.style.setProperty("--hue", hue(item.creator_id));
  face.setAttribute("aria-hidden", "true");
  const follow = button("follow", "Follow " + name, () => act("follow", card));
  follow.textContent = "Follow";
  by.append(face, words("name", name), make("span", "age", age(item.created_ms, page.at_ms)), follow);
  body.append(by);
  if (item.topics?.length) {
    const topics = make("ul", "topics");
    for (const topic of item.topics.slice(0, 4)) topics.append(words("", topic, "li"));
    body.append(topics);
  }
  return body;
}

function buildRail(card, act) {
  const rail = make("div", "rail");
  for (const [action, label] of [
    ["like", "Like"],
    ["save", "Save"],
    ["share", "Share"],
    ["hide", "Hide"],
    ["why", "Why this post?"],
    ["more", "Report, mute and more"],
  ]) {
    const one = button("act " + action, label, () => act(action, card));
    one.append(icon(action));
    if (action === "like" || action === "save") one.setAttribute("aria-pressed", "false");
    rail.append(one);
  }
  return rail;
}

function buildVeil(card, label) {
  const [heading, words] = BLUR_LABELS[label];
  card.classList.add("veiled");
  const veil = make("div", "veil");
  const show = make("button", "plain", "Show it");
  show.type = "button";
  show.addEventListener("click", () => {
    card.classList.remove("veiled");
    veil.remove();
  });
  veil.append(make("p", "what", heading), make("p", "quiet", words), show);
  return veil;
}

function buildNotice(heading, body, action, onAction) {
  const card = make("section", "card notice");
  card.append(make("p", "what", heading), make("p", "quiet", body));
  if (action) {
    const again = make("button", "plain", action);
    again.type = "button";
    again.addEventListener("click", onAction);
    card.append(again);
  }
  return card;
}
