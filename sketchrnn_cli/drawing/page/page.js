"use strict";
// The page: a drawing made by turns. Points are [x, y, ms] on paper, which is `extent` wide and high,
// as the training drawings are; the network's units stay in network.js.

const model = JSON.parse(document.getElementById("model").textContent);
const $ = (id) => document.getElementById(id);
const OFFERS = 6, WAIT = 300; // ms from the last stroke to the first suggestion
const PERSON = "person", MODEL = "model";
const MARGIN = 0.09; // of the paper, on each side
const SPEED = 2.2; // of a drawn pen: papers a second
const STORE = "sketchrnn " + model.name;
const still = matchMedia("(prefers-reduced-motion: reduce)");

const state = {
  history: [[]], // drawings, each a list of strokes { by, points }, never changed in place
  at: 0,
  stroke: null, // the one under the pen
  offers: [], // { strokes, word, nats, canvas, button }
  shown: null, // the number of an offer that is held above the drawing
  wanted: false, // take the likeliest offer when all are done
  kept: [],
  motion: null, // { strokes, from, length }: what is being drawn for the eye
  asked: 0,
  timer: 0,
  seed: Number(new URLSearchParams(location.hash.slice(1)).get("seed")) || 0,
};

const drawing = () => state.history[state.at];

// ---- the network ---------------------------------------------------------------------------

const network = openNetwork();

function openNetwork() {
  const weights = $("weights").textContent;
  $("weights").textContent = "";
  try {
    const code = new Blob([$("network").textContent], { type: "text/javascript" });
    const worker = new Worker(URL.createObjectURL(code));
    worker.onmessage = (event) => hear(event.data);
    let here = null;
    worker.onerror = () => { // refused only once it runs, as some browsers do for local files
      if (here) return;
      here = serve((m) => hear(m), () => performance.now(), (f) => setTimeout(f, 0));
      here({ model, weights });
      post = here;
      ask();
    };
    let post = (m) => worker.postMessage(m);
    post({ model, weights });
    return (m) => post(m);
  } catch {
    const here = serve((m) => hear(m), () => performance.now(), (f) => setTimeout(f, 0));
    setTimeout(() => here({ model, weights }), 0);
    return here;
  }
}

/** Ask for suggestions, a little later. */
function ask(wait = WAIT) {
  clearTimeout(state.timer);
  state.asked++;
  state.wanted = false;
  network({ stop: true });
  emptyOffers();
  state.timer = setTimeout(() => {
    const moves = toMoves(drawing());
    network({
      id: state.asked, beginning: moves, word: wordNumber(), n: OFFERS, seed: nextSeed(),
      temperature: Number($("temperature").value), oneStroke: reach() === "stroke",
      maxPoints: Math.max(250, 2 * model.n_max) - Math.min(moves.length, 150),
    });
  }, wait);
}

function nextSeed() {
  if (state.seed) return state.seed++;
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

/** A message of the network. */
function hear(message) {
  if (message.id !== state.asked) return;
  if (message.words) {
    message.words.forEach((word, k) => {
      state.offers[k].word = word;
      label(k);
    });
  }
  for (const [k, dx, dy, pen] of message.moves || []) grow(state.offers[k], dx, dy, pen);
  if (message.moves) repaintOffers();
  if (message.done) {
    message.nats.forEach((nats, k) => (state.offers[k].nats = nats));
    $("offers").setAttribute("aria-busy", "false");
    if (state.wanted) takeLikeliest();
  }
}

/** Put one more move on an offer. */
function grow(offer, dx, dy, pen) {
  if (pen === END) {
    offer.strokes = offer.strokes.filter((stroke) => stroke.points.length);
    return;
  }
  offer.x += dx / model.extent;
  offer.y += dy / model.extent;
  offer.strokes[offer.strokes.length - 1].points.push([offer.x, offer.y, 0]);
  if (pen === UP) offer.strokes.push({ by: MODEL, points: [] });
}

// ---- strokes and moves ---------------------------------------------------------------------

/** A drawing as moves in the model's data units. What a person drew is simplified as the training
 *  drawings were; what the model drew is as it drew it. */
function toMoves(strokes) {
  const moves = [];
  let x = 0, y = 0;
  for (const { by, points } of strokes) {
    let line = points;
    if (by === PERSON) {
      const pixels = simplify(points.map(([px, py]) => [px * 255, py * 255]), model.epsilon);
      line = pixels.map(([px, py]) => [px / 255, py / 255]);
    }
    line.forEach(([px, py], k) => {
      moves.push([(px - x) * model.extent, (py - y) * model.extent, k === line.length - 1 ? UP : DOWN]);
      [x, y] = [px, py];
    });
  }
  // Other models read a drawing from its first point on, as sketch-rnn's files have it.
  return model.absolute ? moves : moves.slice(1);
}

/** Where the next move starts from: the last point as the network knows it. */
function penOf(strokes) {
  if (!strokes.length) return model.absolute ? [0, 0] : [0.5, 0.5];
  const { by, points } = strokes[strokes.length - 1], [x, y] = points[points.length - 1];
  return by === PERSON ? [x, y].map((v) => roundHalfEven(v * 255) / 255) : [x, y];
}

function inkOf(strokes) {
  let total = 0;
  for (const { points } of strokes)
    for (let k = 1; k < points.length; k++)
      total += Math.hypot(points[k][0] - points[k - 1][0], points[k][1] - points[k - 1][1]);
  return total;
}

// ---- changes of the drawing ----------------------------------------------------------------

function change(strokes, say) {
  state.history = [...state.history.slice(0, state.at + 1), strokes];
  state.at++;
  settle(say);
}

function settle(say) {
  state.shown = null;
  $("undo").disabled = state.at === 0;
  $("redo").disabled = state.at === state.history.length - 1;
  const empty = drawing().length === 0;
  for (const id of ["clear", "replay", "keep", "svg", "png"]) $(id).disabled = empty;
  $("ndjson").disabled = empty && !state.kept.length;
  $("forget").hidden = !state.kept.length;
  $("hint").hidden = !empty;
  if (say) $("status").textContent = say;
  remember();
  paint();
  ask();
}

function take(k) {
  const offer = state.offers[k];
  if (!offer || !offer.strokes.some((stroke) => stroke.points.length)) return;
  const last = drawing().flatMap((stroke) => stroke.points).at(-1);
  let now = last ? last[2] + 300 : 0;
  const inked = offer.strokes.filter((stroke) => stroke.points.length);
  const [right, down] = last || model.absolute ? [0, 0] : fromMiddle(inked);
  const added = inked.map((stroke) => {
    const points = stroke.points.map(([x, y]) => [x - right, y - down]);
    let before = points[0];
    const timed = points.map(([x, y]) => {
      now += (1000 * Math.hypot(x - before[0], y - before[1])) / SPEED;
      before = [x, y];
      return [x, y, Math.round(now)];
    });
    now += 150;
    return { by: MODEL, points: timed };
  });
  const n = added.length;
  change([...drawing(), ...added], `The model drew ${n} ${n === 1 ? "stroke" : "strokes"}.`);
  move(added, drawing().slice(0, -n));
}

/** How far strokes lie from the middle of the paper. */
function fromMiddle(strokes) {
  const points = strokes.flatMap((stroke) => stroke.points);
  return [0, 1].map((k) => {
    const along = points.map((point) => point[k]);
    return (Math.min(...along) + Math.max(...along) - 1) / 2;
  });
}

function takeLikeliest() {
  const nats = state.offers.map((offer) => offer.nats);
  take(nats.indexOf(Math.max(...nats)));
}

function keep() {
  state.kept.push({ word: labelOf(), strokes: drawing() });
  const n = state.kept.length;
  state.history = [[]];
  state.at = 0;
  settle(`${n} kept: NDJSON saves them all.`);
}

// ---- pointer -------------------------------------------------------------------------------

const canvas = $("canvas");

function onPaper(event) {
  const box = canvas.getBoundingClientRect(), v = view(drawing());
  const x = v.x + ((event.clientX - box.left) / box.width) * v.size;
  const y = v.y + ((event.clientY - box.top) / box.height) * v.size;
  return [x, y, Math.round(event.timeStamp - state.stroke.start)];
}

canvas.addEventListener("pointerdown", (event) => {
  if (state.stroke || !event.isPrimary || (event.pointerType === "mouse" && event.button !== 0)) return;
  event.preventDefault();
  canvas.focus({ preventScroll: true, focusVisible: false });
  canvas.setPointerCapture(event.pointerId);
  clearTimeout(state.timer);
  state.asked++;
  state.wanted = false;
  network({ stop: true });
  state.motion = null;
  const last = drawing().flatMap((stroke) => stroke.points).at(-1);
  const before = last ? last[2] + Math.min(2000, event.timeStamp - (state.lifted ?? event.timeStamp)) : 0;
  state.stroke = { id: event.pointerId, start: event.timeStamp - before, points: [] };
  state.stroke.points.push(onPaper(event));
  $("hint").hidden = true;
  paint();
});

canvas.addEventListener("pointermove", (event) => {
  if (!state.stroke || event.pointerId !== state.stroke.id) return;
  const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  for (const one of events.length ? events : [event]) state.stroke.points.push(onPaper(one));
  paint();
});

for (const kind of ["pointerup", "pointercancel"])
  canvas.addEventListener(kind, (event) => {
    if (!state.stroke || event.pointerId !== state.stroke.id) return;
    const { points } = state.stroke;
    state.stroke = null;
    state.lifted = event.timeStamp;
    change([...drawing(), { by: PERSON, points }], "");
  });

// ---- painting ------------------------------------------------------------------------------

/** The square of paper that is shown: all of it, and more where ink lies outside. */
function view(strokes) {
  let [left, top, right, bottom] = [0, 0, 1, 1];
  for (const { points } of strokes)
    for (const [x, y] of points) {
      left = Math.min(left, x); right = Math.max(right, x);
      top = Math.min(top, y); bottom = Math.max(bottom, y);
    }
  const size = Math.max(right - left, bottom - top) * (1 + 2 * MARGIN);
  return { x: (left + right - size) / 2, y: (top + bottom - size) / 2, size };
}

function prepare(target) {
  const ratio = devicePixelRatio || 1, side = Math.max(1, Math.round(target.clientWidth * ratio));
  if (target.width !== side) target.width = target.height = side;
  const context = target.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, side, side);
  context.lineCap = context.lineJoin = "round";
  return context;
}

function ink(context, strokes, v, colours, limit = Infinity) {
  const side = context.canvas.width, scale = side / v.size;
  context.lineWidth = Math.max(1.2 * (devicePixelRatio || 1), side * 0.0075);
  let left = limit;
  for (const { by, points } of strokes) {
    if (left <= 0) return;
    context.strokeStyle = colours[by];
    context.beginPath();
    let [x, y] = points[0] || [0, 0];
    context.moveTo((x - v.x) * scale, (y - v.y) * scale);
    if (points.length === 1) context.lineTo((x - v.x) * scale + 0.01, (y - v.y) * scale);
    for (let k = 1; k < points.length && left > 0; k++) {
      let [x1, y1] = points[k];
      const step = Math.hypot(x1 - x, y1 - y), share = step > left ? left / step : 1;
      [x, y] = [x + (x1 - x) * share, y + (y1 - y) * share];
      left -= step;
      context.lineTo((x - v.x) * scale, (y - v.y) * scale);
    }
    context.stroke();
    left -= 0.06; // a lifted pen takes a moment
  }
}

function colours(model_ink = "--model") {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { [PERSON]: of("--ink"), [MODEL]: of(model_ink) };
}

function paint() {
  const strokes = drawing(), v = view(strokes), context = prepare(canvas), both = colours();
  if (state.motion) {
    const { below, strokes: moving, from, length } = state.motion;
    const drawn = ((performance.now() - from) / 1000) * SPEED;
    ink(context, below, v, both);
    ink(context, moving, v, both, drawn);
    if (drawn >= length) state.motion = null;
    else requestAnimationFrame(paint);
  } else ink(context, strokes, v, both);
  if (state.stroke) ink(context, [{ by: PERSON, points: state.stroke.points }], v, both);
  if (state.shown !== null && state.offers[state.shown]) {
    context.globalAlpha = 0.35;
    ink(context, state.offers[state.shown].strokes, v, both);
    context.globalAlpha = 1;
  }
}

/** Let strokes be drawn before the eye, above what is there. */
function move(strokes, below) {
  if (still.matches) return paint();
  const length = inkOf(strokes) + 0.06 * strokes.length;
  state.motion = { strokes, below, from: performance.now(), length };
  paint();
}

// ---- offers --------------------------------------------------------------------------------

for (let k = 0; k < OFFERS; k++) {
  const button = document.createElement("button");
  button.className = "offer";
  button.append(document.createElement("canvas"), document.createElement("span"));
  button.addEventListener("click", () => take(k));
  const show = (shown) => () => {
    state.shown = shown;
    if (!state.motion && !state.stroke) paint();
  };
  button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show(k)());
  button.addEventListener("pointerleave", show(null));
  button.addEventListener("focus", show(k));
  button.addEventListener("blur", show(null));
  $("offers").append(button);
  state.offers.push({ button, canvas: button.firstChild });
}

function emptyOffers() {
  $("offers").setAttribute("aria-busy", "true");
  const [x, y] = penOf(drawing());
  for (const offer of state.offers)
    Object.assign(offer, { x, y, word: null, strokes: [{ by: MODEL, points: [] }] });
  state.offers.forEach((_, k) => label(k));
  repaintOffers();
}

function label(k) {
  const { button, word } = state.offers[k];
  const guess = $("word").value === "" && word !== null && model.words.length > 1 ? model.words[word] : "";
  button.lastChild.textContent = guess;
  button.setAttribute("aria-label", `Suggestion ${k + 1}${guess ? ", " + guess : ""}`);
  button.setAttribute("aria-keyshortcuts", String(k + 1));
}

function repaintOffers() {
  cancelAnimationFrame(state.frame);
  state.frame = requestAnimationFrame(() => {
    const strokes = drawing(), both = colours(), below = { ...both, [MODEL]: both[PERSON] };
    for (const offer of state.offers) {
      const v = view([...strokes, ...offer.strokes]), context = prepare(offer.canvas);
      context.globalAlpha = 0.45;
      ink(context, strokes, v, below);
      context.globalAlpha = 1;
      ink(context, offer.strokes, v, both);
    }
    if (state.shown !== null && !state.motion && !state.stroke) paint();
  });
}

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
    if ($("offers").getAttribute("aria-busy") === "false") return takeLikeliest();
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

// ---- beginning -----------------------------------------------------------------------------

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
