// The administrator's page: makes teams and tokens, revokes tokens. A new token's secret is only ever in its field.

import {ask, localise, say} from "./common.js";

const made = document.getElementById("made");
const secret = document.getElementById("secret");
const json = (value) => ({body: JSON.stringify(value), headers: {"Content-Type": "application/json"}});

/** The lists as they are now; what was chosen or open stays so. */
async function redraw(team) {
  const fresh = new DOMParser().parseFromString(await (await ask("GET", location.pathname)).text(), "text/html");
  localise(fresh);
  for (const old of document.querySelectorAll("[data-live]")) {
    const [value, open] = [team ?? old.value, old.querySelector("details")?.open];
    old.replaceChildren(...fresh.getElementById(old.id).childNodes);
    if (value !== undefined) old.value = value;
    if (open) old.querySelector("details").open = true;
  }
}

/** Does what `work` says, once at a time; says what went wrong. */
async function once(button, work) {
  button.disabled = true;
  say("");
  try {
    await work();
  } catch (error) {
    say(error.message);
  }
  button.disabled = false;
}

function onSubmit(id, work) {
  const form = document.getElementById(id);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    once(form.querySelector("button"), () => work(form, new FormData(form)));
  });
}

onSubmit("new-token", async (form, given) => {
  made.hidden = true;
  const days = given.get("days") ? Number(given.get("days")) : null;
  const wanted = {team: given.get("team"), name: given.get("name").trim(), scopes: given.getAll("scopes"), days};
  secret.value = (await (await ask("POST", "/api/v1/tokens", json(wanted))).json()).secret;
  made.hidden = false;
  form.elements.name.value = "";
  await redraw();
  secret.select();
});

onSubmit("new-team", async (form, given) => {
  const name = given.get("name").trim();
  await ask("POST", "/api/v1/teams", json({name}));
  form.reset();
  await redraw(name);
});

document.getElementById("tokens").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-revoke]");
  if (!button || !confirm(button.dataset.sure)) return;
  once(button, async () => {
    await ask("DELETE", button.dataset.revoke);
    await redraw();
  });
});

/** Of one team, what was changed; an empty field is what holds for all. */
document.getElementById("limits").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  const changed = {};
  for (const field of form.elements) {
    if (field.name && field.value !== field.defaultValue) {
      changed[field.name] = field.value === "" ? null : Number((Number(field.value) * Number(field.dataset.times)).toFixed(3));
    }
  }
  once(form.querySelector("button"), async () => {
    await ask("PATCH", form.dataset.limits, json(changed));
    await redraw();
    document.getElementById(form.id).querySelector("button").focus();
  });
});
