// The recogniser, as sketches/ink.py and inference/recogniser.py have it: part of the script that
// decoder.js begins.

// ---- ink ----------------------------------------------------------------------------------

const N_POINTS = 192; // along the ink; the strokes see every second one
const PIXELS = 32; // of the picture, on each side
const DOT = 0.05; // ink that every stroke has besides its length, of the box
const CHANNELS = 8; // of `wayOf`

/** Points [x, y, stroke] at even distances along the ink of moves; the larger extent is 1, the middle 0. */
function along(moves) {
  let x = 0, y = 0;
  const points = moves.map(([dx, dy], k) => (k ? [(x += dx), (y += dy)] : [0, 0]));
  const box = [0, 1].map((axis) => {
    const values = points.map((point) => point[axis]);
    return [Math.min(...values), Math.max(...values)];
  });
  const extent = Math.max(...box.map(([low, high]) => high - low)) || 1;
  const at = points.map((point) => point.map((v, axis) => (v - (box[axis][0] + box[axis][1]) / 2) / extent));
  const begins = moves.map((_, k) => k === 0 || moves[k - 1][2] >= UP);
  const steps = at.map((p, k) => (begins[k] ? DOT : Math.hypot(p[0] - at[k - 1][0], p[1] - at[k - 1][1])));
  const total = steps.reduce((a, b) => a + b, 0), result = [];
  for (let i = 0, row = 0, walked = steps[0], stroke = 0; i < N_POINTS; i++) {
    const target = (total * (i + 0.5)) / N_POINTS;
    while (row < at.length - 1 && walked < target) {
      walked += steps[++row];
      if (begins[row]) stroke++;
    }
    const [a, b] = begins[row] ? [at[row], at[row]] : [at[row - 1], at[row]];
    const part = Math.min(1, Math.max(0, 1 - (walked - target) / (steps[row] || 1)));
    result.push([a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1]), stroke]);
  }
  return result;
}

/** Every second point as the network reads it: place, step, direction, lift, progress. */
function wayOf(points) {
  const every = points.filter((_, k) => k % 2 === 0), n = every.length;
  const clip = (v) => Math.max(-4, Math.min(4, v));
  return Float64Array.from(every.flatMap(([x, y, stroke], k) => {
    const next = every[k + 1] || [x, y, stroke + 1];
    const dx = next[0] - x, dy = next[1] - y, length = Math.max(Math.hypot(dx, dy), 1e-6);
    const lift = next[2] === stroke ? 0 : 1;
    return [4 * x, 4 * y, clip(10 * dx), clip(10 * dy), dx / length, dy / length, lift, (2 * k) / (n - 1) - 1];
  }));
}

/** Ink on paper, PIXELS x PIXELS from 0 to 1: every point spreads over four of them. */
function pictureOf(points) {
  const paper = new Float64Array(PIXELS * PIXELS);
  for (const point of points) {
    const [x, y] = point.slice(0, 2).map((v) => (v + 0.5) * (PIXELS - 4) + 1.5);
    const left = Math.floor(x), top = Math.floor(y), right = x - left, down = y - top;
    const at = top * PIXELS + left;
    paper[at] += (1 - right) * (1 - down);
    paper[at + 1] += right * (1 - down);
    paper[at + PIXELS] += (1 - right) * down;
    paper[at + PIXELS + 1] += right * down;
  }
  return paper.map((v) => Math.min(v, 1));
}

// ---- the network --------------------------------------------------------------------------

class Recogniser {
  constructor(arrays) {
    this.arrays = arrays;
  }

  /** The share of every word, of a drawing of at least one move in any unit. */
  shares(moves) {
    const points = along(moves);
    const x = this.pooled("strokes", wayOf(points), 1, N_POINTS / 2, CHANNELS);
    const y = this.pooled("picture", pictureOf(points), PIXELS, PIXELS, 1);
    const logits = this.layer("words", this.layer("hidden", [...x, ...y]).map((v) => Math.max(v, 0)));
    const total = logSumExp(logits, 0, logits.length);
    return logits.map((v) => Math.exp(v - total));
  }

  /** The n words of the largest shares: [number, share] each, the largest first. */
  top(moves, n) {
    const each = Array.from(this.shares(moves), (share, word) => [word, share]);
    return each.sort((a, b) => b[1] - a[1]).slice(0, n);
  }

  layer(name, x) {
    const w = this.arrays[`recogniser.${name}_w`];
    const y = Float64Array.from(this.arrays[`recogniser.${name}_b`]);
    for (let k = 0, at = 0; k < x.length; k++) for (let j = 0; j < y.length; j++, at++) y[j] += x[k] * w[at];
    return y;
  }

  /** Means, then maxima, of what the convolutions find on a grid of rows x columns. */
  pooled(part, grid, rows, columns, channels) {
    for (let k = 0; this.arrays[`recogniser.${part}${k}_w`]; k++) {
      grid = this.convolved(`${part}${k}`, grid, rows, columns, channels);
      channels = this.arrays[`recogniser.${part}${k}_b`].length;
      [rows, columns] = [Math.ceil(rows / 2), Math.ceil(columns / 2)];
    }
    const means = new Array(channels).fill(0), most = new Array(channels).fill(0);
    grid.forEach((v, at) => {
      means[at % channels] += v / (rows * columns);
      most[at % channels] = Math.max(most[at % channels], v);
    });
    return [...means, ...most];
  }

  /** What a window finds around every second place; there are zeros beyond the edges. */
  convolved(name, grid, rows, columns, channels) {
    const w = this.arrays[`recogniser.${name}_w`], b = this.arrays[`recogniser.${name}_b`];
    const n = b.length, places = w.length / (n * channels);
    const [height, width] = rows === 1 ? [1, places] : [Math.sqrt(places), Math.sqrt(places)];
    const down = Math.ceil(rows / 2), across = Math.ceil(columns / 2), result = new Float64Array(down * across * n);
    for (let place = 0; place < down * across; place++) {
      const top = 2 * Math.floor(place / across) - (height >> 1), left = 2 * (place % across) - (width >> 1);
      const out = result.subarray(place * n, (place + 1) * n);
      out.set(b);
      for (let part = 0; part < places; part++) {
        const row = top + Math.floor(part / width), column = left + (part % width);
        if (row < 0 || row >= rows || column < 0 || column >= columns) continue;
        for (let c = 0; c < channels; c++) {
          const v = grid[(row * columns + column) * channels + c];
          if (v) for (let j = 0, at = (part * channels + c) * n; j < n; j++) out[j] += v * w[at + j];
        }
      }
      for (let j = 0; j < n; j++) if (out[j] < 0) out[j] = 0;
    }
    return result;
  }
}
