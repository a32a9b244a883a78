"use strict";
// The page: a drawing made by turns. Points are [x, y, ms] on paper, which is `extent` wide and high,
// as the training drawings are; the network's units stay in decoder.js.

const model = JSON.parse(document.getElementById("model").textContent);
const $ = (id) => document.getElementById(id);
const OFFERS = 6, WAIT = 300; // ms from the last stroke to the first suggestion
const PERSON = "person", MODEL = "model";
const PATIENCE = 1000; // ms after which any suggestion will do for Continue
const LOOK = 200; // ms at least from one look at what is drawn to the next
const MARGIN = 0.09; // of the paper, on each side
const SPEED = 2.2; // of a drawn pen: papers per second
const STORE = "sketchrnn " + model.name;
const SEED = Number(new URLSearchParams(location.hash.slice(1)).get("seed")) || 0;
const still = matchMedia("(prefers-reduced-motion: reduce)");

const state = {
  history: [[]], // drawings, each a list of strokes { by, points }, never changed in place
  at: 0,
  stroke: null, // the one under the pen
  offers: [], // { strokes, word, nats, share, whole, canvas, button }; nats once it is drawn
  shown: null, // the number of an offer that is held above the drawing
  wanted: 0, // when Continue waits: the time from which any offer will do
  kept: [],
  motion: null, // { strokes, from, length }: what is being drawn for the eye
  asked: 0,
  looked: 0,
  timer: 0,
  seed: SEED, // of the next suggestions, where the address has one
  last: 0, // seed of the last ones
};
const finished = new WeakSet(); // drawings that the model ended

const drawing = () => state.history[state.at];

// ---- the network ---------------------------------------------------------------------------

const network = openNetwork();

function openNetwork() {
  const weights = $("weights").textContent;
  $("weights").textContent = "";
  try {
    const code = new Blob([$("network").textContent], { type: "text/javascript" });
    const worker = new Worker(URL.createObjectURL(code));
    worker.onmessage = (event) => receive(event.data);
    let here = null;
    worker.onerror = () => { // refused only once it runs, as some browsers do for local files
      if (here) return;
      here = serve((m) => receive(m), () => performance.now(), (f) => setTimeout(f, 0));
      here({ model, weights });
      post = here;
      ask();
    };
    let post = (m) => worker.postMessage(m);
    post({ model, weights });
    return (m) => post(m);
  } catch {
    const here = serve((m) => receive(m), () => performance.now(), (f) => setTimeout(f, 0));
    setTimeout(() => here({ model, weights }), 0);
    return here;
  }
}

/** Ask for suggestions, a little later; of an earlier seed on a walk, so that they change little. */
function ask(wait = WAIT, seed = null) {
  if (finished.has(drawing())) return conclude(true);
  clearTimeout(state.timer);
  state.asked++;
  state.wanted = 0;
  network({ stop: true });
  emptyOffers(seed !== null);
  state.timer = setTimeout(() => {
    const moves = toMoves(drawing()), walk = walking();
    state.last = seed ?? nextSeed();
    network({
      id: state.asked, prefix: moves, word: box.choice.number, walk, n: OFFERS, seed: state.last,
      temperature: Number($("temperature").value), oneStroke: reach() === "stroke",
      maxPoints: Math.max(250, 2 * model.n_max) - Math.min(moves.length, 150),
    });
  }, wait);
}

/** Ask what the strokes look like, now and then; a later look counts. */
function look(strokes) {
  clearTimeout(state.looking);
  $("looks").hidden = !strokes.length;
  state.looking = setTimeout(() => {
    const moves = toMoves(strokes);
    state.looked = performance.now();
    if (moves.length) network({ id: state.asked, look: moves });
  }, Math.max(0, state.looked + LOOK - performance.now()));
}

function nextSeed() {
  if (state.seed) return state.seed++;
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

/** A message of the network. */
function receive(message) {
  if (message.ready) $("thinking").textContent = "thinking";
  if (message.id !== state.asked) return;
  if (message.looks) {
    const named = message.looks.map(([word, share]) => `${model.words[word]} ${Math.round(100 * share)}\u00a0%`);
    $("looks").textContent = named.length ? `looks like: ${named.join(", ")}` : "";
  }
  for (const [k, word] of message.words || []) {
    state.offers[k].word = word;
    label(k);
  }
  for (const [k, dx, dy, pen] of message.moves || []) grow(state.offers[k], dx, dy, pen);
  if (message.moves) repaintOffers();
  for (const [k, nats, share, whole] of message.ended || []) {
    Object.assign(state.offers[k], { nats, share, whole });
    state.offers[k].button.removeAttribute("aria-busy");
  }
  if (message.done) busy(false);
  takeWanted();
}

/** Whether the model is thinking, for everyone to see. */
function busy(on) {
  $("offers").setAttribute("aria-busy", String(on));
  $("thinking").hidden = !on;
}

function isBusy() {
  return $("offers").getAttribute("aria-busy") === "true";
}

/** Take what Continue waits for: the best of all, or after a while the best so far. */
function takeWanted() {
  const ready = state.offers.some((offer) => offer.nats !== null);
  if (state.wanted && ready && (!isBusy() || performance.now() >= state.wanted)) takeBest();
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

function settle(text) {
  state.shown = null;
  $("undo").disabled = state.at === 0;
  $("redo").disabled = state.at === state.history.length - 1;
  const n = drawing().length, empty = n === 0;
  for (const id of ["clear", "replay", "keep", "svg", "png", "gif", "film"]) $(id).disabled = empty;
  $("save").disabled = $("ndjson").disabled = empty && !state.kept.length;
  $("forget").hidden = !state.kept.length;
  $("hint").hidden = !empty;
  canvas.setAttribute("aria-label", `Your drawing, ${n} ${n === 1 ? "stroke" : "strokes"}`);
  if (text) say(text);
  remember();
  paint();
  look(drawing());
  conclude(finished.has(drawing()));
}

/** A finished drawing says so, and offers a new one; any other gets suggestions. */
function conclude(over) {
  const held = document.activeElement;
  const focus = over && (held === $("continue") || $("offers").contains(held));
  $("offers").hidden = $("continue").disabled = over;
  $("finished").hidden = !over;
  if (!over) return ask();
  clearTimeout(state.timer);
  state.wanted = 0;
  network({ stop: true });
  emptyOffers();
  busy(false);
  const by = (one) => drawing().filter((stroke) => stroke.by === one).length;
  const word = labelOf(), yours = by(PERSON), own = yours ? `${yours} by you and ` : "";
  $("verdict").textContent = `Finished${word ? `: ${word}` : ""}. Strokes: ${own}${by(MODEL)} by the model.`;
  if (focus) $("another").focus({ preventScroll: true });
}

function say(text) {
  $("status").textContent = text;
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
  const whole = [...drawing(), ...added];
  if (offer.whole) finished.add(whole);
  change(whole, `The model drew ${n} ${n === 1 ? "stroke" : "strokes"}.`);
  move(added, drawing().slice(0, -n));
}

/** How far strokes are from the middle of the paper. */
function fromMiddle(strokes) {
  const points = strokes.flatMap((stroke) => stroke.points);
  return [0, 1].map((k) => {
    const along = points.map((point) => point[k]);
    return (Math.min(...along) + Math.max(...along) - 1) / 2;
  });
}

/** The surest of its word, or else the likeliest. */
function takeBest() {
  const ready = state.offers.map((offer, k) => ({ ...offer, k })).filter((offer) => offer.nats !== null);
  const sure = ready.some((offer) => offer.share > 0), rank = (offer) => (sure ? offer.share : offer.nats);
  if (ready.length) take(ready.reduce((a, b) => (rank(b) > rank(a) ? b : a)).k);
}

function keep() {
  state.kept.push({ word: labelOf(), strokes: drawing() });
  const n = state.kept.length;
  state.history = [[]];
  state.at = 0;
  settle(`${n} kept: Save as NDJSON saves them all.`);
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
  state.wanted = 0;
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
  look([...drawing(), { by: PERSON, points: state.stroke.points }]);
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
