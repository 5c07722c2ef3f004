// What every page uses: texts, requests to the API, buttons that ask it, times of day.

const texts = JSON.parse(document.getElementById("texts").textContent);
const token = document.querySelector('meta[name="csrf"]')?.content ?? "";

/** The text in the page's language, its gaps filled: t("{count} files", {count: 3}). */
export function t(text, gaps = {}) {
  return (texts[text] ?? text).replace(/\{(\w+)\}/g, (whole, name) => (name in gaps ? String(gaps[name]) : whole));
}

/** What the API refused: `status`, and its problem's detail and hint as the message. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** A request to the API with this session's token. Throws Refused, or TypeError where nobody answers. */
export async function ask(method, path, {body, headers = {}, signal} = {}) {
  const answer = await fetch(path, {
    method, body, signal, headers: {"X-CSRF-Token": token, ...headers}, credentials: "same-origin", redirect: "error",
  });
  if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  if (answer.ok) return answer;
  let problem = {};
  try {
    problem = await answer.json();
  } catch {
    // an answer without a body, such as that to HEAD
  }
  const detail = problem.detail ?? `${answer.status} ${answer.statusText}`;
  throw new Refused(answer.status, problem.hint ? `${detail} (${problem.hint})` : detail);
}

/** Shown at the foot of the page, and read out; an empty text takes it away. */
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = text;
  place.hidden = !text;
}

/** Times of day as they are where the reader is. */
export function localise(root) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, {dateStyle: "medium", timeStyle: "short"});
  for (const each of root.querySelectorAll("time[data-local]")) {
    each.title = each.dateTime;
    each.textContent = format.format(new Date(each.dateTime));
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-post]");
  if (!button || (button.dataset.sure && !confirm(button.dataset.sure))) return;
  button.disabled = true;
  try {
    await ask("POST", button.dataset.post);
    location.reload();
  } catch (error) {
    button.disabled = false;
    say(error.message);
  }
});

localise(document);
