// The mixture, random numbers, latents and labels: part of the script that decoder.js begins.

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
function choose(raw, m, random, { temperature, penTemperature }, open) {
  const pen = softmaxDraw(raw, 0, open ? 2 : 3, penTemperature, random);
  const k = softmaxDraw(raw, 3, 3 + m, temperature, random);
  const spread = Math.sqrt(temperature), rho = Math.tanh(raw[3 + 5 * m + k]);
  const a = random.normal() * spread, b = random.normal() * spread;
  const dx = raw[3 + m + k] + a * Math.exp(raw[3 + 3 * m + k]);
  const dy = raw[3 + 2 * m + k] + (rho * a + Math.sqrt(1 - rho * rho) * b) * Math.exp(raw[3 + 4 * m + k]);
  return [dx, dy, pen];
}

function softmaxDraw(logits, from, to, temperature, random) {
  let best = from, top = -Infinity;
  for (let k = from; k < to; k++) {
    const value = logits[k] / temperature - Math.log(-Math.log(random.uniform()));
    if (value > top) [best, top] = [k, value];
  }
  return best - from;
}

/** Random numbers of a seed (sfc32); the same seed gives the same. */
class Random {
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

/** A latent (Z,) from the latent prior of a word; from N(0, I) where the model has none. */
function latent(decoder, word, random, tau) {
  const { model, arrays } = decoder, size = model.latent_size;
  if (!size) return null;
  const normal = Float64Array.from({ length: size }, () => random.normal());
  const weight = arrays["latent.weight"];
  if (!weight) return normal;
  const k_all = weight.length / model.words.length, scale = arrays["latent.scale"];
  const k = random.index(Array.from(weight.subarray(word * k_all, (word + 1) * k_all)));
  const z = Float64Array.from(arrays["latent.mean"].subarray((word * k_all + k) * size, (word * k_all + k + 1) * size));
  for (let i = 0; i < size; i++) {
    let sum = 0;
    for (let j = 0, at = (word * size + i) * size; j <= i; j++) sum += scale[at + j] * normal[j];
    z[i] += Math.sqrt(tau) * sum;
  }
  return z;
}

/** Label shares of a conditional model, extrapolated by the guidance scale; null for none. */
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

/** Between two latents around the origin, as inference/interpolation.py has it; t is 0 at a, 1 at b. */
function slerp(a, b, t) {
  const dot = (u, v) => u.reduce((sum, x, i) => sum + x * v[i], 0);
  const [long_a, long_b] = [a, b].map((v) => Math.sqrt(dot(v, v)));
  const u = a.map((x) => x / long_a), v = b.map((x) => x / long_b), cosine = dot(u, v);
  const across = v.map((x, i) => x - cosine * u[i]), sine = Math.sqrt(dot(across, across));
  if (!(sine > 1e-6)) return a.map((x, i) => (1 - t) * x + t * b[i]);
  const angle = t * Math.atan2(sine, cosine), length = (1 - t) * long_a + t * long_b;
  return u.map((x, i) => length * (Math.cos(angle) * x + (Math.sin(angle) * across[i]) / sine));
}

/** A sketch about to be drawn: its state, the word it is taken for, and its raw outputs.
 *  walk: { other, at } where it is between two words: at 0 the first, at 1 the other. */
function begin(decoder, word, random, tau, guidance, walk = null) {
  const { model } = decoder;
  let z = latent(decoder, word === null ? 0 : word, random, tau), shares = sharesOf(model, word, guidance);
  if (walk) {
    const there = latent(decoder, walk.other, random, tau), all = sharesOf(model, walk.other, guidance);
    if (z) z = slerp(z, there, walk.at);
    shares = shares.map((share, k) => (1 - walk.at) * share + walk.at * all[k]);
    if (walk.at >= 0.5) word = walk.other;
  }
  return { state: decoder.start(decoder.constant(z, shares)), word, nats: 0, raw: null };
}

function anyWord(model, random) {
  return model.words.length ? random.index(model.counts) : null;
}

/** A prefix in data units as the network reads it: clipped and scaled. */
function toModel(moves, scale) {
  const clip = (v) => Math.max(-CLIP, Math.min(CLIP, v)) / scale;
  return moves.map(([dx, dy, pen]) => [clip(dx), clip(dy), pen]);
}
