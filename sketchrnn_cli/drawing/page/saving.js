// Saving a drawing, and what the page keeps of it: part of the script that turns.js begins.

// ---- saving --------------------------------------------------------------------------------

const SIDE = 480; // of the SVG
const GIF_SIDE = 320, FRAME = 0.05, LONGEST = 8; // seconds of a frame, and of drawing
const HOLD = 1.5; // seconds that a finished drawing stays
const LIFT = 0.06; // papers that the pen could have drawn while it is lifted
const PAPER = 0xff, INK = 0x26; // of saved pictures

function save(content, suffix, type) {
  const name = (labelOf() || "drawing").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "drawing";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  link.download = `${name}.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  say(`Saved ${link.download}.`);
}

function escape(text) {
  return text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, "").replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** The drawing as SVG; as a film its strokes are drawn one after the other, in a loop. */
function toSvg(film = false) {
  const v = view(drawing()), word = labelOf(), seconds = secondsOf(drawing());
  const at = (value, low) => String(Math.round(((value - low) / v.size) * SIDE * 100) / 100);
  let drawn = 0;
  const paths = drawing().map((stroke) => {
    const pairs = stroke.points.map(([x, y]) => `${at(x, v.x)} ${at(y, v.y)}`).filter((p, k, all) => p !== all[k - 1]);
    if (pairs.length === 1) pairs.push(`${Number(pairs[0].split(" ")[0]) + 0.01} ${pairs[0].split(" ")[1]}`);
    const path = `<path d="M${pairs[0]}L${pairs.slice(1).join(" ")}"`;
    if (!film) return path + "/>";
    const begin = drawn, end = begin + inkOf([stroke]);
    drawn = end + LIFT;
    const times = [0, begin, begin, end, lengthOf(drawing())].map((length) =>
      ((length / lengthOf(drawing())) * (seconds / (seconds + HOLD))).toFixed(5));
    return `${path} pathLength="1"><animate attributeName="stroke-dashoffset" dur="${(seconds + HOLD).toFixed(2)}s" ` +
      `repeatCount="indefinite" keyTimes="${[...times.slice(0, 4), 1].join(";")}" values="1.5;1.5;1;0;0"/></path>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}" viewBox="0 0 ${SIDE} ${SIDE}">`,
    `<rect width="${SIDE}" height="${SIDE}" fill="#ffffff"/>`,
    `<g fill="none" stroke="#262626" stroke-width="3.7" stroke-linecap="round" stroke-linejoin="round"` +
      `${film ? ' stroke-dasharray="1 2"' : ""} data-drawings="1">`,
    word ? `<g data-word="${escape(word)}"><title>${escape(word)}</title>` : "<g>",
    ...paths, "</g>", "</g>", "</svg>", "",
  ].join("\n");
}

/** Papers that the pen goes, its lifts included. */
function lengthOf(strokes) {
  return inkOf(strokes) + LIFT * strokes.length;
}

function secondsOf(strokes) {
  return Math.max(FRAME, Math.min(LONGEST, lengthOf(strokes) / SPEED));
}

/** A canvas with the drawing, or with as much of it as a pen gets done. */
function picture(side, limit = Infinity) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d", { willReadFrequently: true }), grey = (v) => `rgb(${v},${v},${v})`;
  context.fillStyle = grey(PAPER);
  context.fillRect(0, 0, side, side);
  context.lineCap = context.lineJoin = "round";
  ink(context, drawing(), view(drawing()), { [PERSON]: grey(INK), [MODEL]: grey(INK) }, limit);
  return canvas;
}

function toGif() {
  const step = (PAPER - INK) / (LEVELS - 1), n = Math.ceil(secondsOf(drawing()) / FRAME);
  const gif = new Gif(GIF_SIDE, Array.from({ length: LEVELS }, (_, k) => Array(3).fill(Math.round(PAPER - k * step))));
  for (let k = 1; k <= n; k++) {
    const limit = k < n ? (k / n) * lengthOf(drawing()) : Infinity;
    const { data } = picture(GIF_SIDE, limit).getContext("2d").getImageData(0, 0, GIF_SIDE, GIF_SIDE);
    const levels = new Uint8Array(GIF_SIDE ** 2);
    for (let i = 0; i < levels.length; i++) levels[i] = Math.min(Math.round((PAPER - data[4 * i]) / step), LEVELS - 1);
    gif.add(levels, 100 * (k < n ? FRAME : HOLD));
  }
  return gif.file();
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

/** So that closing the page loses nothing: drawings, and in the address too what was chosen. */
function remember() {
  const chosen = String(settings());
  try {
    history.replaceState(null, "", "#" + chosen);
  } catch {
    // Not allowed for a file, in some browsers.
  }
  try {
    localStorage.setItem(STORE, JSON.stringify({
      kept: state.kept, strokes: drawing(), finished: finished.has(drawing()), chosen,
    }));
  } catch {
    // No room, or not allowed: the page works all the same.
  }
}

function recall() {
  let chosen = location.hash.slice(1);
  try {
    const stored = JSON.parse(localStorage.getItem(STORE)) ?? {};
    const whole = (lines) => Array.isArray(lines) && lines.every(({ by, points }) =>
      [PERSON, MODEL].includes(by) && points.length && points.every((p) => p.length === 3 && p.every(Number.isFinite)));
    if (Array.isArray(stored.kept))
      state.kept = stored.kept.filter((one) => typeof one.word === "string" && whole(one.strokes));
    if (whole(stored.strokes) && stored.strokes.length) {
      state.history.push(stored.strokes);
      state.at = 1;
      if (stored.finished) finished.add(stored.strokes);
    }
    if (!new URLSearchParams(chosen).has("temperature")) chosen += `&${stored.chosen ?? ""}`; // the first of a name counts
  } catch {
    // Nothing to go on from.
  }
  restore(new URLSearchParams(chosen));
}
