// The form for a new job: uploads what was chosen, asks for the job, and goes to its page.

import {ask, say, t} from "./common.js";
import {Picker} from "./picker.js";
import {digestOf, send} from "./upload.js";

const GOALS = {
  balanced: {},
  fastest: {backends: ["all"]},
  smallest: {precision: "int8"},
  exact: {precision: "fp32"},
};
const TEXTS = [
  "label", "framework", "precision", "max_accuracy_drop", "max_latency", "max_size", "max_memory", "min_speedup", "metric",
  "preprocess", "tune",
];
const LISTS = {backends: ",", recipes: ",", inputs: ";", outputs: ";", shapes: ";"};

const form = document.getElementById("new");
const button = document.getElementById("submit");
const bar = document.getElementById("progress");
const text = document.getElementById("progress-text");
const model = new Picker("model");
const data = new Picker("data");

const targets = [...document.querySelectorAll("#targets .choice")];
const counted = document.getElementById("target-count");

/** A word as it begins in a text: "4" is not in "64-bit". Chinese is written without gaps, and found anywhere. */
function begun(word) {
  const number = /^\d+$/.test(word) ? "(?!\\d)" : "";
  return new RegExp(`(?<![a-z0-9])${word.replace(/[^\p{L}\p{N}]/gu, "\\$&")}${number}`);
}

/** Shows those that have every word of the search. */
function search() {
  const words = document.getElementById("target-search").value.toLowerCase().split(/\s+/).filter(Boolean).map(begun);
  let shown = 0;
  for (const each of targets) {
    const said = [...each.querySelectorAll("b, small")].map((part) => part.textContent).join(" ").toLowerCase();
    const input = each.querySelector("input");
    each.hidden = !words.every((word) => word.test(said)) && !input.checked;
    input.name = "";  // Chromium takes Tab to the one of a group that had the focus last, which may be hidden by now;
    input.name = "target";  // a group made anew has none
    shown += each.hidden ? 0 : 1;
  }
  counted.textContent = t("{shown} of {all} devices", {shown, all: targets.length});
}
document.getElementById("target-search").addEventListener("input", search);
document.getElementById("target-search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") event.preventDefault();
});
search();

/** Name -> digest, once the service has all of them. */
async function upload(picker, what) {
  const digests = new Map();
  const total = [...picker.files.values()].reduce((sum, file) => sum + file.size, 0) || 1;
  let before = 0;
  const show = (message, done) => {
    text.textContent = message;
    bar.value = done / total;
  };
  bar.hidden = false;
  for (const [name, file] of picker.files) {
    const share = (bytes) => (before + bytes / 2) / total;
    const digest = await digestOf(file, (bytes) => show(t("{what}: reading {name}", {what, name}), share(bytes) * total));
    await send(file, digest, (bytes) => show(t("{what}: sending {name}", {what, name}), share(file.size + bytes) * total));
    digests.set(name, digest);
    before += file.size;
  }
  return digests;
}

function asked(given) {
  const wanted = {targets: [given.get("target")], ...GOALS[given.get("goal")]};
  const said = (name) => String(given.get(name) ?? "").trim();
  for (const name of TEXTS) if (said(name)) wanted[name] = said(name);
  for (const [name, separator] of Object.entries(LISTS)) {
    const found = said(name).split(separator).map((each) => each.trim()).filter(Boolean);
    if (found.length) wanted[name] = found;
  }
  if (wanted.recipes && !said("precision")) delete wanted.precision;
  if (given.get("require_verified")) wanted.require_verified = true;
  return wanted;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  say("");
  if (!model.files.size) {
    say(t("Choose a model first."));
    document.getElementById("model-files").focus();
    return;
  }
  const given = new FormData(form);
  if (!given.get("target")) {
    say(t("Choose a device first."));
    document.getElementById("target-search").focus();
    return;
  }
  button.disabled = true;
  try {
    const wanted = asked(given);
    if (!wanted.label && model.folder) wanted.label = model.folder.slice(0, -1);
    wanted.model = model.asked(await upload(model, t("Model")));
    if (data.files.size) wanted.data = data.asked(await upload(data, t("Data")));
    const [names] = document.getElementById("labels").files;
    if (names) {
      const digests = await upload({files: new Map([[names.name, names]])}, t("Names of the classes"));
      wanted.labels = {files: {[names.name]: digests.get(names.name)}, entry: names.name};
    }
    text.textContent = t("Asking for the job");
    const random = crypto.getRandomValues(new Uint32Array(4)).join("-");
    const answer = await ask("POST", "/api/v1/jobs", {
      body: JSON.stringify(wanted), headers: {"Content-Type": "application/json", "Idempotency-Key": random},
    });
    location.assign(`/jobs/${(await answer.json()).id}`);
  } catch (error) {
    say(error.message);
    text.textContent = "";
    bar.hidden = true;
    button.disabled = false;
  }
});
