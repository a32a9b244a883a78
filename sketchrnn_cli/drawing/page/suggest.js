// Suggestions, simplification, and the worker: part of the script that decoder.js begins.

// ---- suggestions --------------------------------------------------------------------------

/** Complete a prefix, several times. Yields messages, and often, so that it can be left.
 *
 *  The latent of a whole drawing is not known from its prefix. Candidates are sampled from the latent
 *  prior, of the word or of any, and weighted by the likelihood of the prefix; those that count are
 *  completed.
 *
 *  ask: { prefix: moves in data units, word: its number or null for any, n, seed, temperature,
 *         maxPoints, oneStroke }
 *  Messages: { words: [[number, share]...] }, then { moves: [[k, dx, dy, pen]...] } in data units,
 *  k from 0 to n - 1, a pen of END without a move; at last { done: true, nats: [...], shares }: how likely
 *  each is a prediction, -Infinity for one that was cut, and how much it looks like its word, where the
 *  model has a recogniser.
 */
function* suggest(decoder, ask, recogniser = null) {
  const { model } = decoder, random = new Random(ask.seed);
  const prefix = toModel(ask.prefix, model.scale_factor);
  const heat = { temperature: ask.temperature, penTemperature: 0.5 + 0.5 * ask.temperature };
  let sketches = [];
  if (!prefix.length) {
    for (let k = 0; k < ask.n; k++) {
      const word = ask.word === null ? anyWord(model, random) : ask.word;
      sketches.push(begin(decoder, word, random, ask.temperature ** 2, model.guidance));
    }
    advance(decoder, sketches, () => null);
  } else {
    sketches = yield* explain(decoder, prefix, ask, random, recogniser);
  }
  yield { words: sketches.map((sketch) => sketch.word) };
  const nats = sketches.map(() => -Infinity), drawn = sketches.map(() => [...ask.prefix]);
  let live = sketches.map((sketch, k) => ({ ...sketch, k, age: 0, strokes: 0, nats: 0 }));
  while (live.length) {
    const moves = [];
    for (const one of live) {
      one.move = choose(one.raw, model.n_mixtures, random, heat, one.age === 0);
      one.nats += logLikelihood(one.raw, model.n_mixtures, one.move);
      if (one.move[2] === END) nats[one.k] = one.nats / (one.age + 1);
      if (++one.age > ask.maxPoints) one.move = [0, 0, END];
      if (one.move[2] === UP) one.strokes++;
      const [dx, dy, pen] = one.move;
      moves.push([one.k, dx * model.scale_factor, dy * model.scale_factor, pen]);
      if (pen !== END) drawn[one.k].push(moves.at(-1).slice(1));
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
  const shares = recogniser && sketches.map(({ word }, k) =>
    (word === null || !Number.isFinite(nats[k]) ? 0 : recogniser.shares(drawn[k])[word]));
  yield { done: true, nats, shares };
}

function advance(decoder, sketches, move) {
  const raws = decoder.step(sketches.map((one) => one.state), sketches.map(move));
  raws.forEach((raw, k) => (sketches[k].raw = raw));
}

/** Sketches of a prefix: candidates, sampled by its likelihood. */
function* explain(decoder, prefix, ask, random, recogniser) {
  const { model } = decoder, open = ask.word === null && model.words.length > 0;
  const known = model.latent_size > 0 || (model.n_words > 0 && open);
  // of any word: those that it looks like, where the model has a recogniser
  const seen = open && recogniser ? Array.from(recogniser.shares(ask.prefix), Math.sqrt) : null;
  const a_word = open && !seen ? A_WORD * model.words.length : 0;
  const wanted = known ? Math.max(seen ? SEEN : CANDIDATES, a_word) : 1;
  const many = Math.max(Math.min(wanted, 4), Math.min(wanted, Math.floor(STEPS / (prefix.length + 1))));
  // else every word as often, however many drawings of it there were: none must lack a fitting latent
  const words = open ? random.spread(seen || model.words.map(() => 1), many) : new Array(many).fill(ask.word);
  const candidates = words.map((word) => begin(decoder, word, random, 1, 1));
  for (const move of [null, ...prefix]) {
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
  const chosen = random.spread(weights, ask.n).map((k) => candidates[k]);
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

/** Answers { model, weights } with { ready }, then { look: moves } with { looks: [[word, share]...] }, and
 *  asks with the messages of `suggest`, each with the number of its ask; a later ask, or { stop }, ends an
 *  earlier one. */
function serve(post, now, later) {
  let decoder = null, recogniser = null, running = null;
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
      const arrays = unpack(message.model, message.weights);
      decoder = new Decoder(message.model, arrays);
      if (arrays["recogniser.words_w"]) recogniser = new Recogniser(arrays);
      post({ ready: true });
    } else if (message.look) post({ id: message.id, looks: recogniser ? recogniser.top(message.look, 3) : [] });
    else if (message.stop) running = null;
    else {
      const idle = running === null;
      running = { id: message.id, steps: suggest(decoder, message, recogniser) };
      if (idle) later(slice);
    }
  };
}

if (typeof document === "undefined" && typeof postMessage === "function") {
  const answer = serve((m) => postMessage(m), () => performance.now(), (f) => setTimeout(f, 0));
  onmessage = (event) => answer(event.data);
}
