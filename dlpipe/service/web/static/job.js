// A job's page while the job runs: what the server drew is drawn again when something has happened.

import {ask, localise, say, t} from "./common.js";

const root = document.getElementById("job");
const job = root.dataset.job;
const log = document.getElementById("log");
const ENDED = ["succeeded", "failed", "cancelled"];
const PAUSE = 700; // milliseconds between two looks

let offset = 0;
let attempt = null;

/** Whole lines that have come since; begins anew where another attempt has begun. */
async function readLog() {
  for (;;) {
    const answer = await ask("GET", `/api/v1/jobs/${job}/logs?offset=${offset}`);
    const now = answer.headers.get("Log-Attempt");
    if (attempt !== null && now !== attempt) {
      log.textContent = "";
      [offset, attempt] = [0, now];
      continue;
    }
    attempt = now;
    offset = Number(answer.headers.get("Log-Offset"));
    const text = await answer.text();
    if (!text) return;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(document.createTextNode(text));
    if (atEnd) log.scrollTop = log.scrollHeight;
  }
}

/** Puts the parts that differ in the place of those that are shown, and keeps what was open, scrolled or focused. */
async function redraw() {
  const answer = await ask("GET", location.pathname);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  localise(fresh);
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (!now) continue;
    for (const details of now.querySelectorAll("details[id]")) {
      details.open = document.getElementById(details.id)?.open ?? details.open;
    }
    if (now.isEqualNode(old)) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    const scrolled = [...old.querySelectorAll(".scroll")].map((each) => [each.scrollLeft, each.scrollTop]);
    old.replaceChildren(...now.childNodes);
    [...old.querySelectorAll(".scroll")].forEach((each, index) => {
      [each.scrollLeft, each.scrollTop] = scrolled[index] ?? [0, 0];
    });
    if (focused) document.getElementById(focused)?.focus({preventScroll: true});
  }
  const state = fresh.getElementById("job")?.dataset.state;
  if (state && state !== root.dataset.state) {
    root.dataset.state = state;
    say("");
    document.title = fresh.title;
  }
}

let wanted = false;
let busy = false;

/** Soon, and once for all that happens until then. */
async function refresh() {
  wanted = true;
  if (busy) return;
  busy = true;
  while (wanted) {
    wanted = false;
    try {
      await redraw();
      await readLog();
    } catch (error) {
      say(error.message);
    }
    await new Promise((done) => setTimeout(done, PAUSE));
  }
  busy = false;
}

if (ENDED.includes(root.dataset.state)) {
  readLog().catch((error) => say(error.message));
} else {
  readLog().catch((error) => say(error.message));
  const events = new EventSource(`/api/v1/jobs/${job}/events?after=${root.dataset.seen}`);
  events.addEventListener("message", (event) => {
    const told = JSON.parse(event.data);
    if (told.event === "JobState" && ENDED.includes(told.state)) events.close();
    refresh();
  });
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) refresh();
    else say(t("The service does not answer. This page tries again by itself."));
  });
  events.addEventListener("open", () => say(""));
}
