"use strict";
// The decoder of a model, and all of sampling. Knows no page and no clock,
// so it runs in a worker, and in the page itself where workers are not allowed.
//
// Symbols: H decoder size, C numbers that stay the same for a sketch, Z latent size, W words,
// M mixtures, K candidates. A move is [dx, dy, pen] with pen 0 down, 1 up, 2 end; model units
// unless said otherwise.

const DOWN = 0, UP = 1, END = 2;
const CLIP = 1000; // of an offset, data units
const CANDIDATES = 32; // latents that a prefix is tried with
const SEEN = 64; // where a recogniser says of which words
const A_WORD = 8; // as many for each, where it may be of any word
const STEPS = 3000; // of candidates in all, so that a long prefix is tried with fewer
const SOON = 240; // of those that the first suggestion waits for
const TOGETHER = 4; // sketches that one pass over the weights serves

// ---- weights ------------------------------------------------------------------------------

/** The arrays of a model by name, from base64 of float16, float32, or int8 with scales. */
function unpack(model, base64) {
  const text = atob(base64.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const found = {}, table = halfTable();
  let at = 0;
  for (const { name, shape, dtype } of model.arrays) {
    const kind = { float32: Float32Array, float16: Uint16Array, int8: Int8Array }[dtype];
    const end = at + shape.reduce((a, b) => a * b, kind.BYTES_PER_ELEMENT);
    const numbers = new kind(bytes.buffer.slice(at, end));
    found[name] = dtype === "float16" ? new Float32Array(numbers).map((bits) => table[bits]) : numbers;
    at = end;
  }
  const arrays = {};
  for (const { name, shape, dtype } of model.arrays) {
    if (dtype !== "int8") {
      if (!(found[name.replace(/\.scale$/, "")] instanceof Int8Array)) arrays[name] = found[name];
      continue;
    }
    const scales = found[name + ".scale"], columns = scales.length, numbers = new Float32Array(found[name].length);
    for (let from = 0; from < numbers.length; from += columns)
      for (let k = 0; k < columns; k++) numbers[from + k] = found[name][from + k] * scales[k];
    arrays[name] = name === "latent.scale" && shape.length === 2 ? squares(numbers, columns) : numbers;
  }
  return arrays;
}

/** Lower triangles of so many numbers each, row by row, as whole matrices. */
function squares(triangles, columns) {
  const size = Math.floor(Math.sqrt(2 * columns)), n = triangles.length / columns;
  const result = new Float32Array(n * size * size);
  for (let k = 0, from = 0; k < n; k++) {
    for (let row = 0; row < size; row++) {
      result.set(triangles.subarray(from, (from += row + 1)), (k * size + row) * size);
    }
  }
  return result;
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

  /** The conditioning vector of a sketch, constant over time (C,); null where there is none.
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
