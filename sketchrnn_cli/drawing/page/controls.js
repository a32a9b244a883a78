// Controls, keys, and the start: part of the script that turns.js begins.

// ---- controls ------------------------------------------------------------------------------

const ICONS = { // lines in a square of 24
  pen: "M4 20l1-5L16 4l4 4L9 19zM13 7l4 4",
  again: "M4 12a8 8 0 0 1 14-5l2 2M20 4v5h-5M20 12a8 8 0 0 1-14 5l-2-2M4 20v-5h5",
  undo: "M9 5L4 10l5 5M4 10h10a6 5 0 0 1 0 10h-4",
  redo: "M15 5l5 5-5 5M20 10H10a6 5 0 0 0 0 10h4",
  clear: "M5 7h14M10 4h4M7 7l1 13h8l1-13M10 11v5M14 11v5",
  play: "M7 4l12 8-12 8z",
  new: "M6 3h8l4 4v14H6zM12 10v7M8.5 13.5h7",
  open: "M3 19V5h6l2 3h9v3M3 19l4-8h15l-3 8z",
  save: "M12 4v11M7 10l5 5 5-5M4 20h16",
  walk: "M4 8h15M15 4l4 4-4 4M20 16H5M9 12l-4 4 4 4",
};

const actions = {
  continue: () => {
    if (!isBusy()) return takeBest();
    state.wanted = performance.now() + PATIENCE;
    setTimeout(takeWanted, PATIENCE);
    say("The model is thinking.");
  },
  again: () => (finished.delete(drawing()) ? settle("") : ask(0)),
  undo: () => state.at > 0 && (state.at--, (state.motion = null), settle("Undone.")),
  redo: () => state.at < state.history.length - 1 && (state.at++, settle("Done again.")),
  clear: () => drawing().length && ((state.motion = null), change([], "Cleared; undo brings it back.")),
  replay: () => drawing().length && move(drawing(), []),
  keep: () => drawing().length && keep(),
  open: () => $("file").click(),
  save: () => menu($("formats").hidden),
  walk: () => (walk($("way").hidden), again()),
  svg: () => save(toSvg(), "svg", "image/svg+xml"),
  png: () => picture(1024).toBlob((blob) => save(blob, "png")),
  gif: () => save(toGif(), "gif"),
  film: () => save(toSvg(true), "svg", "image/svg+xml"),
  ndjson: () => save(toNdjson(), "ndjson", "application/x-ndjson"),
  forget: () => {
    if (!confirm(`Forget the ${state.kept.length} kept drawings? They are not saved anywhere else.`)) return;
    state.kept = [];
    settle("Forgotten.");
  },
};
actions.another = actions.keep;
actions.further = actions.again;
for (const [id, act] of Object.entries(actions)) $(id).addEventListener("click", () => !$(id).disabled && act());

/** Open or close the menu of formats. */
function menu(on) {
  $("formats").hidden = !on;
  $("save").setAttribute("aria-expanded", String(on));
  if (on) $("formats").querySelector("button:enabled").focus();
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("#save")) menu(false);
});
$("formats").addEventListener("keydown", (event) => {
  const all = [...$("formats").querySelectorAll("button:enabled:not([hidden])")], at = all.indexOf(event.target);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) all[(at + step + all.length) % all.length].focus();
  if (event.key === "Escape") menu(false), $("save").focus();
  if (step) event.preventDefault();
});

const KEYS = {};
for (const button of document.querySelectorAll("[data-icon]")) {
  const key = button.dataset.key ?? "W", name = button.textContent, icon = document.createElement("i"), text = document.createElement("b");
  KEYS[key.toLowerCase()] = button.id;
  icon.setAttribute("aria-hidden", "true");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[button.dataset.icon]);
  svg.append(path);
  icon.append(svg);
  text.textContent = name;
  button.title ||= `${name} (${key})`;
  if (!button.title.includes(`(${key})`)) button.title += ` (${key})`;
  if (!button.hasAttribute("aria-keyshortcuts")) button.setAttribute("aria-keyshortcuts", key);
  button.replaceChildren(icon, text, ...(name ? [keycap(key)] : []));
}

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input:not([type=range]):not([type=radio])") || event.altKey) return;
  const command = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
  let act = null;
  if (command && key === "z") act = event.shiftKey ? actions.redo : actions.undo;
  else if (command && key === "y") act = actions.redo;
  else if (!command && key === "/") act = () => box.input.focus();
  else if (!command && key >= "1" && key <= String(OFFERS)) act = () => take(Number(key) - 1);
  else if (!command && KEYS[key]) act = () => !$(KEYS[key]).disabled && actions[KEYS[key]]();
  if (!act) return;
  event.preventDefault();
  act();
});

$("temperature").addEventListener("input", () => {
  $("heat").textContent = Number($("temperature").value).toFixed(2);
  remember();
  ask();
});
$("at").addEventListener("input", () => (remember(), ask(30, state.last)));
for (const radio of document.querySelectorAll("input[name=reach]")) radio.addEventListener("change", again);

// ---- start --------------------------------------------------------------------------------

$("title").textContent = "Draw together";
$("notice").textContent = model.notice;
$("walk").hidden = !model.n_words || model.words.length < 2;
$("word").title = `${model.words.length > 1 ? `Type to search ${model.words.length} words; ` : ""}Enter takes the first (/)`;
recall();
new ResizeObserver(() => (paint(), repaintOffers())).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (paint(), repaintOffers()));
settle("");
