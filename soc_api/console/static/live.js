// The live stream: new alerts are counted, the grave ones announced, and the rows drawn again under the same filter.

import { toast, visible } from "./choices.js";
import { apply } from "./filters.js";

const REFRESH_MS = 1500;
const button = document.getElementById("live");
const fresh = document.getElementById("fresh");
const form = document.getElementById("filters");
const chinese = document.documentElement.lang.startsWith("zh");
const levels = JSON.parse(button.dataset.levels);
const title = document.title;
let stream = null;
let waiting = 0;
let timer = null;
let before = new Set();
let unattended = false;

const ids = () => new Set([...document.querySelectorAll("tr.row")].map((row) => `${row.dataset.id}:${row.dataset.seen}`));
// Whoever reads further down, has loaded more rows or is typing is not disturbed: the rows wait behind a button.
const busy = () => scrollY > 200 || document.querySelectorAll("tr.row").length > 50 || document.activeElement?.id === "text";

function say(state) {
  button.dataset.state = state;
  button.setAttribute("aria-pressed", String(state !== "paused"));
  button.querySelector("span").textContent = button.dataset[state];
}

function count() {
  fresh.hidden = waiting === 0;
  fresh.textContent = waiting === 1 ? fresh.dataset.one : fresh.dataset.many.replace("{n}", waiting);
  document.title = waiting ? `(${waiting}) ${title}` : title;
}

function refresh() {
  timer = null;
  waiting = 0;
  count();
  before = ids();
  unattended = true;
  apply();
  unattended = false;
}

function soon() {
  if (timer === null && !busy() && !document.hidden) timer = setTimeout(refresh, REFRESH_MS);
}

// Whether the filter asks for such an alert; its time and words are left to the server.
function asked(alert) {
  const realm = form.elements.realm.value;
  const among = (name, value) => {
    const chosen = [...form.querySelectorAll(`input[name=${name}]:checked`)].map((input) => input.value);
    return !chosen.length || chosen.includes(value);
  };
  return (realm === "all" || realm === alert.realm) && among("level", alert.level) && among("layer", alert.layer);
}

function arrived(event) {
  const alert = JSON.parse(event.data);
  if (event.type === "alert.new" && asked(alert)) {
    waiting += 1;
    count();
    if (levels[alert.level]) {
      const name = (chinese && alert.title_zh) || alert.title;
      toast(levels[alert.level], visible(name), { href: `/alerts/${Number(alert.id)}`, level: alert.level });
    }
  }
  soon();
}

function start() {
  if (stream) return;
  say("waiting");
  stream = new EventSource("/api/v1/stream");
  stream.addEventListener("ready", () => say("on"));
  stream.addEventListener("reset", () => { say("on"); refresh(); });
  stream.addEventListener("alert.new", arrived);
  stream.addEventListener("alert.updated", arrived);
  stream.onerror = () => {
    say("waiting");
    // Refused for good, as when the session has ended: the page itself says where to go.
    if (stream?.readyState === EventSource.CLOSED) location.reload();
  };
}

function stop(state) {
  stream?.close();
  stream = null;
  say(state);
}

button.addEventListener("click", () => (stream ? stop("paused") : start()));
fresh.addEventListener("click", () => { scrollTo({ top: 0 }); refresh(); });
// A hidden page gives its connection back (browsers allow few to one host) and catches up when it is looked at.
document.addEventListener("visibilitychange", () => {
  if (button.dataset.state === "paused") return;
  if (document.hidden) stop("waiting");
  else { start(); refresh(); }
});
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target?.id !== "results" || !before.size) return;
  for (const row of document.querySelectorAll("tr.row")) {
    row.classList.toggle("arrived", !before.has(`${row.dataset.id}:${row.dataset.seen}`));
  }
  before = new Set();
});
// What the page asks for by itself is no sign that somebody sits before it: an idle session still ends.
document.addEventListener("htmx:configRequest", (event) => {
  if (unattended) event.detail.headers["X-Unattended"] = "1";
});
start();
