// Choosing words and settings: part of the script that turns.js begins.

// ---- a box to search for words ---------------------------------------------------------------

/** Words that a text may mean, the best first: exact, at the beginning, at the beginning of a part, anywhere. */
function matching(words, text) {
  const sought = text.trim().toLowerCase();
  const rank = (word) => {
    const name = word.toLowerCase(), at = name.indexOf(sought);
    return name === sought ? 0 : at === 0 ? 1 : at < 0 ? 4 : /[^a-z0-9]/.test(name[at - 1]) ? 2 : 3;
  };
  const ranked = words.map((word, number) => ({ word, number, rank: rank(word) })).filter((one) => one.rank < 4);
  return sought ? ranked.sort((a, b) => a.rank - b.rank || a.number - b.number) : ranked;
}

/** An input and its list. A choice is { number, own }: a word of the model, or null and a name of one's own. */
class WordBox {
  constructor(id, { any, own, words, chosen }) {
    Object.assign(this, { input: $(id), list: $(`${id}-list`), any, own, words, chosen });
    this.choice = { number: null, own: "" };
    this.input.placeholder = any || "which word?";
    this.input.addEventListener("focus", () => (this.input.select(), this.open("")));
    this.input.addEventListener("click", () => this.list.hidden && this.open(""));
    this.input.addEventListener("input", () => this.open(this.input.value));
    this.input.addEventListener("blur", () => this.close());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("pointerdown", (event) => event.preventDefault()); // the focus stays
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest("li");
      if (item) this.take(this.shown[[...this.list.children].indexOf(item)]);
    });
  }

  get text() {
    return this.choice.number === null ? this.choice.own : model.words[this.choice.number];
  }

  set(choice) {
    this.choice = choice;
    this.input.value = this.text;
  }

  open(text) {
    const typed = text.trim(), found = matching(this.words, text);
    this.shown = found.map(({ word, number }) => ({ number, own: "", label: word }));
    if (this.any && !typed) this.shown.unshift({ number: null, own: "", label: this.any });
    if (this.own && typed && found[0]?.rank !== 0)
      this.shown.push({ number: null, own: typed, label: `call it “${typed}”` });
    this.list.replaceChildren(...this.shown.map(({ label }, k) => {
      const item = document.createElement("li");
      Object.assign(item, { textContent: label, id: `${this.list.id}-${k}`, role: "option" });
      return item;
    }));
    this.list.hidden = !this.shown.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    const now = this.shown.findIndex(({ number, own }) => number === this.choice.number && own === this.choice.own);
    this.point(typed ? 0 : Math.max(now, 0));
  }

  /** What Enter would take. */
  point(k) {
    this.at = k;
    [...this.list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === k)));
    this.list.children[k]?.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", `${this.list.id}-${k}`);
  }

  key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && !event.isComposing) this.list.hidden ? this.open("") : this.take(this.shown[this.at]);
    else if (steps && this.list.hidden) this.open("");
    else if (steps) this.point(Math.max(0, Math.min(this.shown.length - 1, this.at + steps)));
    else return;
    event.preventDefault();
  }

  take(choice) {
    if (choice) this.choice = { number: choice.number, own: choice.own };
    this.close();
    canvas.focus({ preventScroll: true, focusVisible: false }); // and a phone's keyboard goes away
    this.chosen();
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.input.value = this.text;
  }
}

// ---- what is chosen -------------------------------------------------------------------------

const KNOWN = model.n_words || model.words.length === 1 ? model.words : []; // that may be asked for
const FREE = model.n_words || model.words.length !== 1; // drawings of no word in particular, too
const box = new WordBox("word", {
  any: FREE && (model.n_words ? "anything" : "a drawing"), own: true, words: KNOWN, chosen: () => again(),
});
const other = new WordBox("other", { any: "", own: false, words: KNOWN, chosen: () => again() });

function again() {
  remember();
  ask(0);
}

/** Whether any word may come. */
function anything() {
  return box.choice.number === null && !box.choice.own;
}

/** Where between two words; null where no walk is on. */
function walking() {
  if ($("way").hidden || box.choice.number === null || other.choice.number === null) return null;
  return { other: other.choice.number, at: Number($("at").value) };
}

/** What the drawing is called, or nothing: on a walk the nearer word. */
function labelOf() {
  const walk = walking();
  return walk && walk.at >= 0.5 ? other.text : box.text || (FREE ? "" : model.words[0]);
}

function reach() {
  return document.querySelector("input[name=reach]:checked").value;
}

/** Begin or end a walk; its ends are words, if need be any two. */
function walk(on) {
  $("way").hidden = !on;
  $("walk").setAttribute("aria-pressed", String(on));
  if (on && box.choice.number === null) box.set({ number: Math.floor(Math.random() * KNOWN.length), own: "" });
  if (on && other.choice.number === null) {
    const step = 1 + Math.floor(Math.random() * (KNOWN.length - 1));
    other.set({ number: (box.choice.number + step) % KNOWN.length, own: "" });
  }
}

/** All that was chosen, as it stands in the address. */
function settings() {
  const chosen = new URLSearchParams();
  if (box.text) chosen.set(box.choice.own ? "own" : "word", box.text);
  if (walking()) {
    chosen.set("to", other.text);
    chosen.set("at", $("at").value);
  }
  chosen.set("temperature", $("temperature").value);
  chosen.set("draws", reach());
  if (SEED) chosen.set("seed", SEED);
  return chosen;
}

function restore(chosen) {
  const number = (name) => {
    const found = KNOWN.indexOf(chosen.get(name) ?? "");
    return found < 0 ? null : found;
  };
  const own = number("word") === null ? (chosen.get("own") ?? chosen.get("word") ?? "").slice(0, 60) : "";
  box.set({ number: number("word") ?? (FREE || own ? null : 0), own });
  other.set({ number: number("to"), own: "" });
  if (chosen.has("at")) $("at").value = chosen.get("at");
  if (chosen.has("temperature")) $("temperature").value = chosen.get("temperature");
  $("heat").textContent = Number($("temperature").value).toFixed(2);
  for (const radio of document.querySelectorAll("input[name=reach]")) radio.checked ||= radio.value === chosen.get("draws");
  walk(other.choice.number !== null && box.choice.number !== null);
}
