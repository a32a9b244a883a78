// Painting, and the offers: part of the script that turns.js begins.

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

/** A key as it is shown beside what it does. */
function keycap(key) {
  const cap = document.createElement("kbd");
  cap.textContent = key;
  cap.setAttribute("aria-hidden", "true");
  return cap;
}

for (let k = 0; k < OFFERS; k++) {
  const button = document.createElement("button");
  button.className = "offer";
  button.append(document.createElement("canvas"), document.createElement("span"), keycap(String(k + 1)));
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

/** ghosts: what they show stays, faint, until there is more. */
function emptyOffers(ghosts = false) {
  busy(true);
  const [x, y] = penOf(drawing());
  for (const [k, offer] of state.offers.entries()) {
    const inked = offer.strokes?.some((stroke) => stroke.points.length) ? offer.strokes : offer.ghost;
    Object.assign(offer, { x, y, word: null, nats: null, share: null, whole: false, ghost: ghosts ? inked : null });
    offer.strokes = [{ by: MODEL, points: [] }];
    offer.button.setAttribute("aria-busy", "true");
    label(k);
  }
  repaintOffers();
}

function label(k) {
  const { button, word } = state.offers[k];
  const guess = word !== null && model.words.length > 1 && (anything() || walking()) ? model.words[word] : "";
  button.querySelector("span").textContent = guess;
  button.setAttribute("aria-label", `Suggestion ${k + 1}${guess ? ", " + guess : ""}`);
  button.setAttribute("aria-keyshortcuts", String(k + 1));
}

function repaintOffers() {
  cancelAnimationFrame(state.frame);
  state.frame = requestAnimationFrame(() => {
    const strokes = drawing(), both = colours(), below = { ...both, [MODEL]: both[PERSON] };
    for (const offer of state.offers) {
      const some = offer.strokes.some((stroke) => stroke.points.length);
      offer.button.classList.toggle("blank", !some);
      const shown = some ? offer.strokes : (offer.ghost ?? []);
      const v = view([...strokes, ...shown]), context = prepare(offer.canvas);
      context.globalAlpha = 0.45;
      ink(context, strokes, v, below);
      context.globalAlpha = some ? 1 : 0.3;
      ink(context, shown, v, both);
    }
    if (state.shown !== null && !state.motion && !state.stroke) paint();
  });
}
