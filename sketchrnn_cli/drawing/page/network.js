"use strict";
// The decoder of a model, and everything about drawing that is chance. Knows no page and no clock,
// so it runs in a worker, and in the page itself where workers are not allowed.
//
// Letters: H decoder size, C numbers that stay the same for a sketch, Z latent size, W words,
// M mixtures, K candidates. A move is [dx, dy, pen] with pen 0 down, 1 up, 2 end; model units
// unless said otherwise.

const DOWN = 0, UP = 1, END = 2;
const CLIP = 1000; // of an offset, data units
const CANDIDATES = 32; // latents that a beginning is tried with
const A_WORD = 8; // as many for each, where it may be of any word
const STEPS = 6000; // of candidates in all, so that a long beginning is tried with fewer
const TOGETHER = 4; // sketches that one pass over the weights serves

// ---- weights ------------------------------------------------------------------------------

/** The arrays of a model by name, each with its shape, from base64 of float16 or float32. */
function unpack(model, base64) {
  const text = atob(base64.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const halves = model.dtype === "float16" ? new Uint16Array(bytes.buffer) : null;
  const numbers = halves ? new Float32Array(halves.length) : new Float32Array(bytes.buffer);
  if (halves) {
    const table = halfTable();
    for (let i = 0; i < halves.length; i++) numbers[i] = table[halves[i]];
  }
  const arrays = {};
  let at = 0;
  for (const { name, shape } of model.arrays) {
    const size = shape.reduce((a, b) => a * b, 1);
    arrays[name] = numbers.subarray(at, at + size);
    at += size;
  }
  return arrays;
}

function halfTable() {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 0) table[bits] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[bits] = fraction ? NaN : sign * Infinity;
    else table[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return table;
}

// ---- the decoder --------------------------------------------------------------------------

class Decoder {
  constructor(model, arrays) {
    this.model = model;
    this.arrays = arrays;
    const h = (this.size = model.decoder_size);
    this.width = h + 5;
    this.n_out = 3 + 6 * model.n_mixtures;
    const of_h = arrays["decoder.cell.w_h"], of_move = arrays["decoder.cell.w_x"];
    this.w = packed(4 * h, this.width, (g, i) => (i < h ? of_h[i * 4 * h + g] : of_move[(i - h) * 4 * h + g]));
    const out_w = arrays["decoder.out_w"];
    this.out_w = packed(this.n_out, h, (o, i) => out_w[i * this.n_out + o]);
    this.out_rows = this.out_w.length / h;
    this.gate_rows = this.w.length / this.width;
    this.x = new Float64Array(TOGETHER * this.width);
    this.gates = new Float64Array(TOGETHER * this.gate_rows);
    this.out = new Float64Array(TOGETHER * this.out_rows);
  }

  /** What the decoder hears of a sketch at every step (C,); null where it hears nothing.
   *  shares: (W + 1) of words, the last of no word. */
  constant(z, shares) {
    const { n_words, word_size, latent_size } = this.model;
    const parts = z ? Array.from(z, this.model.tanh_z ? Math.tanh : undefined) : [];
    if (!z && latent_size) throw new Error("this model draws from latents");
    if (n_words) {
      const words = this.arrays["decoder.words"];
      for (let d = 0; d < word_size; d++) {
        let sum = 0;
        for (let w = 0; w <= n_words; w++) if (shares[w]) sum += shares[w] * words[w * word_size + d];
        parts.push(sum);
      }
    }
    return parts.length ? parts : null;
  }

  /** The state of a sketch before its first move. */
  start(constant) {
    const h = this.size;
    const bias = Float64Array.from(this.arrays["decoder.cell.b"]);
    const state = { h: new Float64Array(h), c: new Float64Array(h), bias };
    if (!constant) return state;
    const w = this.arrays["decoder.cell.w_const"], start_w = this.arrays["decoder.start_w"];
    const start = Float64Array.from(this.arrays["decoder.start_b"]);
    for (let k = 0; k < constant.length; k++) {
      const v = constant[k];
      for (let g = 0, at = k * 4 * h; g < 4 * h; g++) bias[g] += v * w[at + g];
      for (let g = 0, at = k * 2 * h; g < 2 * h; g++) start[g] += v * start_w[at + g];
    }
    for (let i = 0; i < h; i++) {
      state.c[i] = Math.tanh(start[i]);
      state.h[i] = Math.tanh(start[h + i]);
    }
    return state;
  }

  copy(state) {
    return { h: state.h.slice(), c: state.c.slice(), bias: state.bias };
  }

  /** Feed one move to each state, null for the start token; raw outputs (3 + 6M) each. */
  step(states, moves) {
    const result = [];
    for (let first = 0; first < states.length; ) {
      const rest = states.length - first, n = rest > 2 ? Math.min(rest, TOGETHER) : 1;
      result.push(...this.stepSome(states.slice(first, first + n), moves.slice(first, first + n)));
      first += n;
    }
    return result;
  }

  stepSome(states, moves) {
    const n = states.length, h = this.size, lanes = n > 1 ? TOGETHER : 1, x = this.x;
    x.fill(0);
    for (let k = 0; k < n; k++) {
      const row = states[k].h, move = moves[k];
      for (let i = 0, at = k; i < h; i++, at += lanes) x[at] = row[i];
      if (move) {
        x[h * lanes + k] = move[0];
        x[(h + 1) * lanes + k] = move[1];
      }
      x[(h + 2 + (move ? move[2] : DOWN)) * lanes + k] = 1;
    }
    product(this.w, x, this.gates, this.gate_rows, this.width, lanes);
    for (let k = 0; k < n; k++) {
      const { c, bias } = states[k], row = states[k].h, g = this.gates;
      for (let i = 0, at = k * this.gate_rows; i < h; i++, at++) {
        const input = sigmoid(g[at] + bias[i]);
        const forget = sigmoid(g[at + h] + bias[h + i]);
        const output = sigmoid(g[at + 2 * h] + bias[2 * h + i]);
        c[i] = input * Math.tanh(g[at + 3 * h] + bias[3 * h + i]) + forget * c[i];
        row[i] = output * Math.tanh(c[i]);
      }
      for (let i = 0, at = k; i < h; i++, at += lanes) x[at] = row[i];
    }
    product(this.out_w, x, this.out, this.out_rows, h, lanes);
    const out_b = this.arrays["decoder.out_b"], raws = [];
    for (let k = 0; k < n; k++) {
      const raw = this.out.slice(k * this.out_rows, k * this.out_rows + this.n_out);
      for (let o = 0; o < this.n_out; o++) raw[o] += out_b[o];
      raws.push(raw);
    }
    return raws;
  }
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

/** A matrix as `product` reads it: blocks of eight rows, in a block column by column, zeros at the end. */
function packed(rows, width, value) {
  const w = new Float32Array(Math.ceil(rows / 8) * 8 * width);
  for (let j = 0; j < rows; j++)
    for (let i = 0, at = (j - (j % 8)) * width + (j % 8); i < width; i++, at += 8) w[at] = value(j, i);
  return w;
}

/** y[lane][row] = sum over i of w[row][i] x[i][lane]: w packed, rows by eights, x (width, lanes). */
function product(w, x, y, rows, width, lanes) {
  if (lanes === 1) {
    for (let j = 0, o = 0; j < rows; j += 8) {
      let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
      for (let i = 0; i < width; i++, o += 8) {
        const v = x[i];
        a += w[o] * v; b += w[o + 1] * v; c += w[o + 2] * v; d += w[o + 3] * v;
        e += w[o + 4] * v; f += w[o + 5] * v; g += w[o + 6] * v; h += w[o + 7] * v;
      }
      y[j] = a; y[j + 1] = b; y[j + 2] = c; y[j + 3] = d;
      y[j + 4] = e; y[j + 5] = f; y[j + 6] = g; y[j + 7] = h;
    }
    return;
  }
  for (let j = 0; j < rows; j += 2) { // two rows, four sketches
    let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
    for (let k = 0, o = (j - (j % 8)) * width + (j % 8); k < 4 * width; k += 4, o += 8) {
      const v = w[o], u = w[o + 1], x0 = x[k], x1 = x[k + 1], x2 = x[k + 2], x3 = x[k + 3];
      a += v * x0; b += v * x1; c += v * x2; d += v * x3;
      e += u * x0; f += u * x1; g += u * x2; h += u * x3;
    }
    y[j] = a; y[rows + j] = b; y[2 * rows + j] = c; y[3 * rows + j] = d;
    y[j + 1] = e; y[rows + j + 1] = f; y[2 * rows + j + 1] = g; y[3 * rows + j + 1] = h;
  }
}

// ---- the mixture --------------------------------------------------------------------------

function logSumExp(values, from, to) {
  let top = -Infinity, sum = 0;
  for (let k = from; k < to; k++) top = Math.max(top, values[k]);
  for (let k = from; k < to; k++) sum += Math.exp(values[k] - top);
  return top + Math.log(sum);
}

/** Nats of a move under raw outputs. Source: Ha & Eck 2017, equations 3 to 5. */
function logLikelihood(raw, m, [dx, dy, pen]) {
  const log_pen = raw[pen] - logSumExp(raw, 0, 3);
  if (pen === END) return log_pen;
  const each = new Float64Array(m), log_pi = logSumExp(raw, 3, 3 + m);
  for (let k = 0; k < m; k++) {
    const [pi, mean_x, mean_y, log_sx, log_sy, r] = [0, 1, 2, 3, 4, 5].map((j) => raw[3 + j * m + k]);
    const x = (dx - mean_x) * Math.exp(-log_sx), y = (dy - mean_y) * Math.exp(-log_sy);
    // 1 - rho^2 = 1 / cosh(r)^2, which stays exact where rho rounds to 1.
    const log_cosh = Math.abs(r) + Math.log1p(Math.exp(-2 * Math.abs(r))) - Math.LN2;
    const across = (x - Math.tanh(r) * y) * Math.exp(log_cosh);
    each[k] = pi - log_pi - Math.log(2 * Math.PI) - log_sx - log_sy + log_cosh - 0.5 * (across ** 2 + y ** 2);
  }
  return log_pen + logSumExp(each, 0, m);
}

/** A move drawn from raw outputs. Source: Ha & Eck 2017, equation 8; a temperature of the pen's own.
 *  open: the drawing may not end here. */
function choose(raw, m, chance, { temperature, penTemperature }, open) {
  const pen = softmaxDraw(raw, 0, open ? 2 : 3, penTemperature, chance);
  const k = softmaxDraw(raw, 3, 3 + m, temperature, chance);
  const spread = Math.sqrt(temperature), rho = Math.tanh(raw[3 + 5 * m + k]);
  const a = chance.normal() * spread, b = chance.normal() * spread;
  const dx = raw[3 + m + k] + a * Math.exp(raw[3 + 3 * m + k]);
  const dy = raw[3 + 2 * m + k] + (rho * a + Math.sqrt(1 - rho * rho) * b) * Math.exp(raw[3 + 4 * m + k]);
  return [dx, dy, pen];
}

function softmaxDraw(logits, from, to, temperature, chance) {
  let best = from, top = -Infinity;
  for (let k = from; k < to; k++) {
    const value = logits[k] / temperature - Math.log(-Math.log(chance.uniform()));
    if (value > top) [best, top] = [k, value];
  }
  return best - from;
}

/** Random numbers of a seed (sfc32); the same seed gives the same. */
class Chance {
  constructor(seed) {
    this.s = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, 0x9e3779b9, 1];
    for (let i = 0; i < 16; i++) this.bits();
  }
  bits() {
    const s = this.s, t = (((s[0] + s[1]) | 0) + s[3]) | 0;
    s[3] = (s[3] + 1) | 0;
    s[0] = s[1] ^ (s[1] >>> 9);
    s[1] = (s[2] + (s[2] << 3)) | 0;
    s[2] = (((s[2] << 21) | (s[2] >>> 11)) + t) | 0;
    return t >>> 0;
  }
  /** In (0, 1). */
  uniform() {
    return (this.bits() + 0.5) / 2 ** 32;
  }
  normal() {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }
  /** An index, as often as it weighs. */
  index(weights) {
    let rest = this.uniform() * weights.reduce((a, b) => a + b, 0);
    for (let k = 0; k < weights.length; k++) if ((rest -= weights[k]) < 0) return k;
    return weights.length - 1;
  }
  /** n indices, each as often as its weight has it, give or take one (systematic resampling). */
  spread(weights, n) {
    const step = weights.reduce((a, b) => a + b, 0) / n, result = [];
    let at = this.uniform() * step, k = 0, passed = weights[0];
    for (; result.length < n; at += step) {
      while (passed < at && k < weights.length - 1) passed += weights[++k];
      result.push(k);
    }
    return result;
  }
}

// ---- latents and words --------------------------------------------------------------------

/** A latent (Z,) from where the drawings of a word lie; from N(0, I) where nobody knows. */
function latent(decoder, word, chance, tau) {
  const { model, arrays } = decoder, size = model.latent_size;
  if (!size) return null;
  const normal = Float64Array.from({ length: size }, () => chance.normal());
  const weight = arrays["latent.weight"];
  if (!weight) return normal;
  const k_all = weight.length / model.words.length, scale = arrays["latent.scale"];
  const k = chance.index(Array.from(weight.subarray(word * k_all, (word + 1) * k_all)));
  const z = Float64Array.from(arrays["latent.mean"].subarray((word * k_all + k) * size, (word * k_all + k + 1) * size));
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let j = 0, at = (word * size + i) * size; j <= i; j++) sum += scale[at + j] * normal[j];
    z[i] += Math.sqrt(tau) * sum;
  }
  return z;
}

/** Shares of words that a model is told, moved away from no word by the guidance; null for none. */
function sharesOf(model, word, guidance) {
  if (!model.n_words) return null;
  const shares = new Float64Array(model.n_words + 1);
  if (word === null) shares[model.n_words] = 1;
  else {
    shares[word] = guidance;
    shares[model.n_words] = 1 - guidance;
  }
  return shares;
}

/** A sketch about to be drawn: its state, the word it is taken for, and its raw outputs. */
function begin(decoder, word, chance, tau, guidance) {
  const z = latent(decoder, word === null ? 0 : word, chance, tau);
  const state = decoder.start(decoder.constant(z, sharesOf(decoder.model, word, guidance)));
  return { state, word, nats: 0, raw: null };
}

function anyWord(model, chance) {
  return model.words.length ? chance.index(model.counts) : null;
}

/** A beginning in data units as the network reads it: clipped and scaled. */
function toModel(moves, scale) {
  const clip = (v) => Math.max(-CLIP, Math.min(CLIP, v)) / scale;
  return moves.map(([dx, dy, pen]) => [clip(dx), clip(dy), pen]);
}

// ---- suggestions --------------------------------------------------------------------------

/** Go on from a beginning, several times. Yields messages, and often, so that it can be left.
 *
 *  The latent of a whole drawing is not known from its beginning. Candidates are drawn from where
 *  drawings lie, of the word or of any, and each counts the more, the more it makes the decoder expect
 *  the beginning; those that count are gone on from.
 *
 *  ask: { beginning: moves in data units, word: its number or null for any, n, seed, temperature,
 *         maxPoints, oneStroke }
 *  Messages: { words: [[number, share]...] }, then { moves: [[k, dx, dy, pen]...] } in data units,
 *  k from 0 to n - 1, a pen of END without a move; at last { done: true, nats: [...] }, how likely each is
 *  a prediction, -Infinity for one that was cut.
 */
function* suggest(decoder, ask) {
  const { model } = decoder, chance = new Chance(ask.seed);
  const beginning = toModel(ask.beginning, model.scale_factor);
  const heat = { temperature: ask.temperature, penTemperature: 0.5 + 0.5 * ask.temperature };
  let sketches = [];
  if (!beginning.length) {
    for (let k = 0; k < ask.n; k++) {
      const word = ask.word === null ? anyWord(model, chance) : ask.word;
      sketches.push(begin(decoder, word, chance, ask.temperature ** 2, model.guidance));
    }
    advance(decoder, sketches, () => null);
  } else {
    sketches = yield* explain(decoder, beginning, ask, chance);
  }
  yield { words: sketches.map((sketch) => sketch.word) };
  const nats = sketches.map(() => -Infinity);
  let live = sketches.map((sketch, k) => ({ ...sketch, k, age: 0, strokes: 0, nats: 0 }));
  while (live.length) {
    const moves = [];
    for (const one of live) {
      one.move = choose(one.raw, model.n_mixtures, chance, heat, one.age === 0);
      one.nats += logLikelihood(one.raw, model.n_mixtures, one.move);
      if (one.move[2] === END) nats[one.k] = one.nats / (one.age + 1);
      if (++one.age > ask.maxPoints) one.move = [0, 0, END];
      if (one.move[2] === UP) one.strokes++;
      const [dx, dy, pen] = one.move;
      moves.push([one.k, dx * model.scale_factor, dy * model.scale_factor, pen]);
      if (ask.oneStroke && one.strokes && pen !== END) {
        one.move = [0, 0, END];
        moves.push([one.k, 0, 0, END]);
        nats[one.k] = one.nats / one.age;
      }
    }
    yield { moves };
    live = live.filter((one) => one.move[2] !== END);
    advance(decoder, live, (one) => one.move);
  }
  yield { done: true, nats };
}

function advance(decoder, sketches, move) {
  const raws = decoder.step(sketches.map((one) => one.state), sketches.map(move));
  raws.forEach((raw, k) => (sketches[k].raw = raw));
}

/** Sketches that begin so: candidates, chosen by how well they explain it. */
function* explain(decoder, beginning, ask, chance) {
  const { model } = decoder, open = ask.word === null && model.words.length > 0;
  const known = model.latent_size > 0 || (model.n_words > 0 && open);
  const wanted = known ? Math.max(CANDIDATES, open ? A_WORD * model.words.length : 0) : 1;
  const many = Math.max(Math.min(wanted, 4), Math.min(wanted, Math.floor(STEPS / (beginning.length + 1))));
  // every word as often, however many drawings of it there were: none must lack a fitting latent
  const words = open ? chance.spread(model.words.map(() => 1), many) : new Array(many).fill(ask.word);
  const candidates = words.map((word) => begin(decoder, word, chance, 1, 1));
  for (const move of [null, ...beginning]) {
    for (let first = 0; first < candidates.length; first += TOGETHER) {
      const some = candidates.slice(first, first + TOGETHER);
      if (move)
        for (const one of some) one.nats += logLikelihood(one.raw, model.n_mixtures, move);
      advance(decoder, some, () => move);
      yield null;
    }
  }
  const top = Math.max(...candidates.map((one) => one.nats));
  const weights = candidates.map((one) => Math.exp(model.trust * (one.nats - top)) || 0);
  const chosen = chance.spread(weights, ask.n).map((k) => candidates[k]);
  return chosen.map(({ state, word, raw }) => ({ state: decoder.copy(state), word, raw }));
}

// ---- simplification -----------------------------------------------------------------------

/** Walk along a stroke in steps of 1 from its first point, and append its last. Points [x, y]. */
function resample(points) {
  const result = [points[0].slice(0, 2)];
  let walked = 0, next = 1;
  for (let k = 1; k < points.length; k++) {
    const [x0, y0] = points[k - 1], [x1, y1] = points[k];
    const step = Math.sqrt((x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0));
    while (step > 0 && next <= walked + step) {
      const share = (next - walked) / step;
      result.push([x0 * (1 - share) + x1 * share, y0 * (1 - share) + y1 * share]);
      next++;
    }
    walked += step;
  }
  result.push(points[points.length - 1].slice(0, 2));
  return result;
}

/** Douglas-Peucker by the distance to the line through the ends, or to the point where they meet. */
function thin(points, epsilon) {
  const keep = new Array(points.length).fill(false), work = [[0, points.length - 1]];
  keep[0] = keep[points.length - 1] = true;
  while (work.length) {
    const [first, last] = work.pop(), [x0, y0] = points[first];
    const dx = points[last][0] - x0, dy = points[last][1] - y0, norm = Math.sqrt(dx * dx + dy * dy);
    let furthest = -1, where = first;
    for (let k = first + 1; k < last; k++) {
      const qx = points[k][0] - x0, qy = points[k][1] - y0;
      const far = norm > 0 ? Math.abs(qx * dy - qy * dx) / norm : Math.sqrt(qx * qx + qy * qy);
      if (far > furthest) [furthest, where] = [far, k];
    }
    if (furthest > epsilon) {
      keep[where] = true;
      work.push([first, where], [where, last]);
    }
  }
  return points.filter((_, k) => keep[k]);
}

function roundHalfEven(v) {
  const low = Math.floor(v), rest = v - low;
  if (rest !== 0.5) return Math.round(v);
  return low % 2 === 0 ? low : low + 1;
}

/** Quick, Draw!'s simplification of one stroke that is at its place and size already. */
function simplify(points, epsilon) {
  return thin(resample(points), epsilon).map((point) => point.map(roundHalfEven));
}

// ---- in a worker --------------------------------------------------------------------------

/** Answers { model, weights } with { ready }, then asks with the messages of `suggest`, each with the
 *  number of its ask; a later ask, or { stop }, ends an earlier one. */
function serve(post, now, later) {
  let decoder = null, running = null;
  function slice() {
    if (!running) return;
    const until = now() + 12;
    const { id, steps } = running;
    let moves = [];
    while (running && now() < until) {
      const { value, done } = steps.next();
      if (done) {
        running = null;
        break;
      }
      if (!value) continue;
      if (value.moves) moves.push(...value.moves);
      else {
        if (moves.length) post({ id, moves });
        moves = [];
        post({ id, ...value });
      }
    }
    if (moves.length) post({ id, moves });
    if (running) later(slice);
  }
  return (message) => {
    if (message.model) {
      decoder = new Decoder(message.model, unpack(message.model, message.weights));
      post({ ready: true });
    } else if (message.stop) running = null;
    else {
      const idle = running === null;
      running = { id: message.id, steps: suggest(decoder, message) };
      if (idle) later(slice);
    }
  };
}

if (typeof document === "undefined" && typeof postMessage === "function") {
  const answer = serve((m) => postMessage(m), () => performance.now(), (f) => setTimeout(f, 0));
  onmessage = (event) => answer(event.data);
}
