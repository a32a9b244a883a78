// Drawings from files: part of the script that turns.js begins.

// ---- opening -------------------------------------------------------------------------------

const MOST_BYTES = 4e6, MOST_POINTS = 2000; // of a file, and of a drawing that is opened
const SAMPLES = 250; // points along the larger side of an SVG
const SHAPES = {
  svg: ["viewBox"], g: [], a: [], path: ["d"], line: ["x1", "y1", "x2", "y2"], polyline: ["points"], polygon: ["points"],
  rect: ["x", "y", "width", "height", "rx", "ry"], circle: ["cx", "cy", "r"], ellipse: ["cx", "cy", "rx", "ry"],
};

/** Go on with the drawing of a file; what cannot be read is said, and nothing changes. */
async function openFile(file) {
  try {
    if (file.size > MOST_BYTES) throw new Error(`${(file.size / 1e6).toFixed(1)} MB, at most ${MOST_BYTES / 1e6} can be opened`);
    const text = await file.text();
    const { word, strokes, note } = /^\s*</.test(text) ? fromSvg(text) : fromNdjson(text);
    const points = strokes.reduce((sum, stroke) => sum + stroke.points.length, 0);
    if (!points) throw new Error("there are no strokes in it");
    if (toMoves(strokes).length > MOST_POINTS) throw new Error(`its drawing has more than ${MOST_POINTS} points`);
    if (word) nameIt(word);
    state.motion = null;
    change(strokes, `Opened ${file.name}${note}.`);
  } catch (error) {
    say(`${file.name}: ${error.message}.`);
  }
}

function nameIt(word) {
  const number = KNOWN.indexOf(word);
  box.set({ number: number < 0 ? null : number, own: number < 0 ? word.slice(0, 60) : "" });
  walk(false);
}

/** Drawings as Quick, Draw! has them, raw or simplified, and as this page saves them. */
function fromNdjson(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  let first;
  try {
    first = JSON.parse(lines[0] ?? "");
  } catch {
    throw new Error("neither an SVG nor NDJSON");
  }
  const rows = Array.isArray(first) ? first : first?.drawing;
  const whole = (row) => Array.isArray(row) && row.every(Number.isFinite);
  if (!Array.isArray(rows) || !rows.every((s) => Array.isArray(s) && s.length >= 2 && s.every(whole) && s[0].length === s[1].length))
    throw new Error("line 1 is no drawing, a list of strokes [[x...], [y...]]");
  const by = Array.isArray(first.drawn_by) && first.drawn_by.length === rows.length ? first.drawn_by : null;
  const lists = rows.map(([x, y]) => x.map((v, k) => [v, y[k]]));
  const all = lists.flat(2), known = all.every((v) => v >= 0 && v <= 255) && rows.every((row) => row.length === 2);
  const strokes = placed(lists, by ? 1000 : known ? 255 : null, by);
  const note = lines.length > 1 ? `, the first of its ${lines.length} drawings` : "";
  return { word: typeof first.word === "string" ? first.word : "", strokes, note };
}

/** What an SVG draws: its strokes, or where it has none its outlines. Nothing of it but numbers is used. */
function fromSvg(text) {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml"), root = parsed.documentElement;
  if (root.localName !== "svg" || parsed.querySelector("parsererror")) throw new Error("not an SVG that can be read");
  const copies = [], copy = drawable(root, "", copies);
  copy.setAttribute("class", "aside");
  document.body.append(copy);
  try {
    const found = copies.filter(({ shape, stroke }) => stroke || shape.localName !== "rect");
    const some = found.some(({ stroke }) => stroke) ? found.filter(({ stroke }) => stroke) : found;
    const lists = some.flatMap(({ shape }) => sampled(shape));
    const word = root.querySelector("[data-word]")?.getAttribute("data-word") ?? "";
    return { word, strokes: placed(lists, null, null), note: "" };
  } finally {
    copy.remove();
  }
}

/** A copy of an element with its shape alone; `copies` gets those that draw. */
function drawable(element, stroke, copies) {
  const copy = document.createElementNS("http://www.w3.org/2000/svg", element.localName);
  for (const name of [...SHAPES[element.localName], "transform"])
    if (element.hasAttribute(name)) copy.setAttribute(name, element.getAttribute(name));
  const said = (name) => element.style?.getPropertyValue(name) || element.getAttribute(name);
  const own = said("stroke") || stroke;
  if (said("display") === "none") return copy;
  if (!["svg", "g", "a"].includes(element.localName)) copies.push({ shape: copy, stroke: own && own !== "none" });
  for (const child of element.children)
    if (Object.hasOwn(SHAPES, child.localName)) copy.append(drawable(child, own, copies));
  return copy;
}

/** Points along each line of a shape, as it lies on the page. */
function sampled(shape) {
  const { d } = Object.fromEntries(Array.from(shape.attributes, ({ name, value }) => [name, value]));
  const pieces = d ? d.match(/[Mm][^Mm]*/g) || [] : [null], at = shape.getCTM(), lists = [];
  const path = d ? shape.cloneNode() : shape, whole = shape.getBBox();
  const step = Math.max(whole.width, whole.height, 1e-6) / SAMPLES;
  let before = "", begun = 0;
  for (const piece of pieces) {
    if (piece) path.setAttribute("d", (before += piece));
    const end = path.getTotalLength();
    if (!(end > begun)) continue;
    const n = Math.min(MOST_POINTS, Math.ceil((end - begun) / step) || 1), points = [];
    for (let k = 0; k <= n; k++) {
      // the end of the piece before is as far along as the beginning of this one
      const far = begun + (end - begun) * (k === 0 && begun ? Math.min(1e-3, 1 / n) : k / n);
      const { x, y } = path.getPointAtLength(far).matrixTransform(at);
      points.push([x, y]);
    }
    if (points.flat().every(Number.isFinite)) lists.push(points);
    begun = end;
  }
  return lists;
}

/** Strokes on paper. extent: what is as wide as the paper; null to fit the drawing to it. */
function placed(lists, extent, by) {
  const inked = lists.map((points, k) => ({ points, by: by?.[k] === MODEL ? MODEL : PERSON })).filter(({ points }) => points.length);
  let [left, top, size] = [0, 0, extent];
  if (!extent) {
    const [xs, ys] = [0, 1].map((k) => inked.flatMap(({ points }) => points.map((point) => point[k])));
    const [low, high] = [Math.min, Math.max].map((most) => [xs, ys].map((all) => all.reduce((a, b) => most(a, b), all[0] ?? 0)));
    [left, top] = low;
    size = Math.max(high[0] - low[0], high[1] - low[1]) || 1;
  }
  let now = 0, [x0, y0] = [0, 0];
  return inked.map(({ points, by }) => ({
    by,
    points: points.map(([px, py], k) => {
      const [x, y] = [(px - left) / size, (py - top) / size];
      now += k ? (1000 * Math.hypot(x - x0, y - y0)) / SPEED : 150;
      [x0, y0] = [x, y];
      return [x, y, Math.round(now)];
    }),
  }));
}

$("file").addEventListener("change", () => {
  if ($("file").files.length) openFile($("file").files[0]);
  $("file").value = "";
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  $("paper").classList.toggle("over", event.dataTransfer.types.includes("Files"));
});
document.addEventListener("dragleave", () => $("paper").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("paper").classList.remove("over");
  if (event.dataTransfer.files.length) openFile(event.dataTransfer.files[0]);
});
