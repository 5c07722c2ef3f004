// A place for files: dropped, or chosen. Files are named as they lie in their folder.

import {t} from "./common.js";

/** Everything below what was dropped: [name, File]. Folders are only to be had as entries. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = entries.length ? [] : [...transfer.files].map((file) => [file.name, file]);
  const walk = async (entry, path) => {
    if (entry.isFile) {
      found.push([path + entry.name, await new Promise((ok, no) => entry.file(ok, no))]);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((ok, no) => reader.readEntries(ok, no));
      if (!some.length) return;
      for (const each of some) await walk(each, `${path}${entry.name}/`);
    }
  };
  for (const entry of entries) await walk(entry, "");
  return found;
}

export class Picker {
  files = new Map(); // name -> File
  folder = ""; // the one folder that all of them lie in

  /** name: of the elements with the ids NAME-drop, NAME-files, NAME-folder, NAME-list, NAME-which, NAME-entry. */
  constructor(name) {
    const part = (id) => document.getElementById(`${name}-${id}`);
    [this.list, this.which, this.entry] = [part("list"), part("which"), part("entry")];
    for (const id of ["files", "folder"]) {
      part(id).addEventListener("change", (event) => {
        this.take([...event.target.files].map((file) => [file.webkitRelativePath || file.name, file]));
      });
    }
    const drop = part("drop");
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", async (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      this.take(await dropped(event.dataTransfer));
    });
  }

  /** found: [name, File]; takes the place of what was there. */
  take(found) {
    const tops = new Set(found.map(([name]) => (name.includes("/") ? name.slice(0, name.indexOf("/") + 1) : "")));
    this.folder = tops.size === 1 ? [...tops][0] : "";
    this.files = new Map(found.map(([name, file]) => [name.slice(this.folder.length), file]));
    const size = [...this.files.values()].reduce((sum, file) => sum + file.size, 0);
    const lines = [...this.files.keys()].slice(0, 8);
    if (this.files.size > lines.length) lines.push(t("and {count} more", {count: this.files.size - lines.length}));
    lines.push(t("{count} files, {size} MB", {count: this.files.size, size: (size / 1e6).toFixed(2)}));
    this.list.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), {textContent: line})));
    const options = [[".", t("all of them together")], ...[...this.files.keys()].slice(0, 200).map((name) => [name, name])];
    this.entry.replaceChildren(
      ...options.map(([value, text]) => Object.assign(document.createElement("option"), {value, textContent: text})),
    );
    this.which.hidden = this.files.size < 2;
  }

  /** As the API wants it, given each file's digest by its name; null where nothing was chosen. */
  asked(digests) {
    if (!this.files.size) return null;
    const entry = this.files.size === 1 && !this.folder ? [...this.files.keys()][0] : this.entry.value;
    return {files: Object.fromEntries([...this.files.keys()].map((name) => [name, digests.get(name)])), entry};
  }
}
