// Controls, saving, and the start: part of the script that turns.js begins.

// ---- controls ------------------------------------------------------------------------------

const OWN = "own"; // value of the picker for a word that the model does not know

function wordNumber() {
  const value = $("word").value;
  return value === "" || value === OWN ? null : Number(value);
}

/** What the drawing is called, or nothing. */
function labelOf() {
  const value = $("word").value;
  if (value === OWN) return $("own").value.trim();
  if (value !== "") return model.words[Number(value)];
  return model.words.length === 1 ? model.words[0] : "";
}

function reach() {
  return document.querySelector("input[name=reach]:checked").value;
}

const actions = {
  continue: () => {
    if ($("offers").getAttribute("aria-busy") === "false") return takeBest();
    state.wanted = true;
    $("status").textContent = "The model is thinking.";
  },
  again: () => ask(0),
  undo: () => state.at > 0 && (state.at--, (state.motion = null), settle("Undone.")),
  redo: () => state.at < state.history.length - 1 && (state.at++, settle("Done again.")),
  clear: () => drawing().length && ((state.motion = null), change([], "Cleared; undo brings it back.")),
  replay: () => drawing().length && move(drawing(), []),
  keep: () => drawing().length && keep(),
  svg: () => save(toSvg(), "svg", "image/svg+xml"),
  png: () => toPng((blob) => save(blob, "png", "image/png")),
  ndjson: () => save(toNdjson(), "ndjson", "application/x-ndjson"),
  forget: () => {
    if (!confirm(`Forget the ${state.kept.length} kept drawings? They are not saved anywhere else.`)) return;
    state.kept = [];
    settle("Forgotten.");
  },
};
for (const [id, act] of Object.entries(actions)) $(id).addEventListener("click", act);

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input:not([type=range]):not([type=radio]), select") || event.altKey) return;
  const command = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
  let act = null;
  if (command && key === "z") act = event.shiftKey ? actions.redo : actions.undo;
  else if (command && key === "y") act = actions.redo;
  else if (!command) {
    act = { c: "continue", a: "again", u: "undo", x: "clear", r: "replay", k: "keep" }[key];
    act = act ? actions[act] : key >= "1" && key <= String(OFFERS) ? () => take(Number(key) - 1) : null;
  }
  if (!act) return;
  event.preventDefault();
  act();
});

$("temperature").addEventListener("input", () => {
  $("heat").textContent = Number($("temperature").value).toFixed(2);
  ask();
});
$("word").addEventListener("change", () => {
  $("own-field").hidden = $("word").value !== OWN;
  if ($("word").value === OWN) $("own").focus();
  ask(0);
});
for (const radio of document.querySelectorAll("input[name=reach]")) radio.addEventListener("change", () => ask(0));

// ---- saving --------------------------------------------------------------------------------

function save(content, suffix, type) {
  const name = (labelOf() || "drawing").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "drawing";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  link.download = `${name}.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  $("status").textContent = `Saved ${link.download}.`;
}

const SIDE = 480; // of the SVG

function escape(text) {
  return text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, "").replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function toSvg() {
  const v = view(drawing()), word = labelOf();
  const at = (value, low) => String(Math.round(((value - low) / v.size) * SIDE * 100) / 100);
  const paths = drawing().map(({ points }) => {
    const pairs = points.map(([x, y]) => `${at(x, v.x)} ${at(y, v.y)}`).filter((p, k, all) => p !== all[k - 1]);
    if (pairs.length === 1) pairs.push(`${Number(pairs[0].split(" ")[0]) + 0.01} ${pairs[0].split(" ")[1]}`);
    return `<path d="M${pairs[0]}L${pairs.slice(1).join(" ")}"/>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}" viewBox="0 0 ${SIDE} ${SIDE}" style="background:#ffffff">`,
    `<g fill="none" stroke="#262626" stroke-width="3.7" stroke-linecap="round" stroke-linejoin="round" data-drawings="1">`,
    word ? `<g data-word="${escape(word)}"><title>${escape(word)}</title>` : "<g>",
    ...paths, "</g>", "</g>", "</svg>", "",
  ].join("\n");
}

function toPng(then) {
  const picture = document.createElement("canvas");
  picture.width = picture.height = 1024;
  const context = picture.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, 1024, 1024);
  context.lineCap = context.lineJoin = "round";
  ink(context, drawing(), view(drawing()), { [PERSON]: "#262626", [MODEL]: "#262626" });
  picture.toBlob(then, "image/png");
}

/** Quick, Draw!'s raw form, one drawing a line: x, y in pixels of a paper of 1000, t in ms. */
function toNdjson() {
  const now = { word: labelOf(), strokes: drawing() };
  const all = now.strokes.length ? [...state.kept, now] : state.kept;
  return all.map(({ word, strokes }) => {
    const row = (points, k, scale) => points.map((point) => Math.round(point[k] * scale * 100) / 100);
    const line = {
      ...(word ? { word } : {}),
      drawing: strokes.map(({ points }) => [row(points, 0, 1000), row(points, 1, 1000), row(points, 2, 1)]),
      drawn_by: strokes.map(({ by }) => by),
    };
    return JSON.stringify(line) + "\n";
  }).join("");
}

/** So that closing the page loses nothing. */
function remember() {
  try {
    localStorage.setItem(STORE, JSON.stringify({ kept: state.kept, strokes: drawing() }));
  } catch {
    // No room, or not allowed: the page works all the same.
  }
}

function recall() {
  try {
    const { kept, strokes } = JSON.parse(localStorage.getItem(STORE)) ?? {};
    const whole = (lines) => Array.isArray(lines) && lines.every(({ by, points }) =>
      [PERSON, MODEL].includes(by) && points.length && points.every((p) => p.length === 3 && p.every(Number.isFinite)));
    if (Array.isArray(kept)) state.kept = kept.filter((one) => typeof one.word === "string" && whole(one.strokes));
    if (whole(strokes) && strokes.length) {
      state.history.push(strokes);
      state.at = 1;
    }
  } catch {
    // Nothing to go on from.
  }
}

// ---- start --------------------------------------------------------------------------------

$("title").textContent = "Draw together";
$("notice").textContent = model.notice;
const picker = $("word");
const option = (value, text) => picker.append(new Option(text, value));
if (model.n_words || model.words.length !== 1) option("", model.n_words ? "anything" : "a drawing");
if (model.n_words || model.words.length === 1) model.words.forEach((word, k) => option(String(k), word));
option(OWN, "something else…");
recall();
new ResizeObserver(() => (paint(), repaintOffers())).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (paint(), repaintOffers()));
settle("");
