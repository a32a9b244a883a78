// Suggestions, simplification, and the worker: part of the script that decoder.js begins.

// ---- suggestions --------------------------------------------------------------------------

/** Complete a prefix, several times. Yields messages, and null often, so that it can be left.
 *
 *  The latent of a whole drawing is not known from its prefix. Candidates are sampled from the latent
 *  prior, of the word or of any, and weighted by the likelihood of the prefix. The first suggestion is
 *  the best of a few candidates of the word that the prefix looks like, so that it is there soon; for
 *  each further one more candidates are tried.
 *
 *  ask: { prefix: moves in data units, word: its number or null for any, walk: as in `begin`, n, seed,
 *         temperature, maxPoints, oneStroke }
 *  Messages, k from 0 to n - 1: { words: [[k, number or null]...] } of what begins, { moves: [[k, dx, dy,
 *  pen]...] } in data units, a pen of END without a move, { ended: [[k, nats, share, finished]...] }: how
 *  likely each is a prediction, -Infinity for one that was cut, how much it looks like its word, null
 *  without a recogniser, and whether the model ended the drawing there; at last { done: true }.
 */
function* suggest(decoder, ask, recogniser = null) {
  const found = ask.prefix.length ? explain(decoder, ask, recogniser) : fresh(decoder, ask);
  let n = 0;
  for (const sketches of found) {
    if (sketches) {
      const numbered = sketches.map((sketch) => ({ ...sketch, k: n, random: randomOf(ask.seed, n++) }));
      yield { words: numbered.map(({ k, word }) => [k, word]) };
      yield* complete(decoder, numbered, ask, recogniser);
    } else yield null;
  }
  yield { done: true };
}

/** Each suggestion has random numbers of its own, so that a walk changes it little by little. */
function randomOf(seed, k) {
  return new Random(seed + 2 ** 32 * (k + 1));
}

function* fresh(decoder, ask) {
  const { model } = decoder, sketches = [];
  for (let k = 0; k < ask.n; k++) {
    const random = randomOf(ask.seed, ask.n + k);
    const word = ask.word === null ? anyWord(model, random) : ask.word;
    sketches.push(begin(decoder, word, random, ask.temperature ** 2, model.guidance, ask.walk));
  }
  advance(decoder, sketches, () => null);
  yield sketches;
}

/** Draw sketches to their end. */
function* complete(decoder, sketches, ask, recogniser) {
  const { n_mixtures, scale_factor } = decoder.model;
  const heat = { temperature: ask.temperature, penTemperature: 0.5 + 0.5 * ask.temperature };
  let live = sketches.map((one) => ({ ...one, age: 0, lifted: false, nats: 0, drawn: [...ask.prefix] }));
  while (live.length) {
    const moves = [], ended = [];
    for (const one of live) {
      const move = choose(one.raw, n_mixtures, one.random, heat, one.age === 0), finished = move[2] === END;
      if (!one.lifted) one.nats += logLikelihood(one.raw, n_mixtures, move);
      if (finished || one.lifted || one.age >= ask.maxPoints) {
        const whole = finished || one.lifted;
        const share = recogniser && (whole && one.word !== null ? recogniser.shares(one.drawn)[one.word] : 0);
        ended.push([one.k, whole ? one.nats / (one.age + !one.lifted) : -Infinity, share, finished]);
        moves.push([one.k, 0, 0, END]);
        one.move = null;
        continue;
      }
      one.age++;
      one.lifted = ask.oneStroke && move[2] === UP; // one more step says whether the drawing ends there
      one.move = move;
      one.drawn.push([move[0] * scale_factor, move[1] * scale_factor, move[2]]);
      moves.push([one.k, ...one.drawn.at(-1)]);
    }
    yield { moves };
    if (ended.length) yield { ended };
    live = live.filter((one) => one.move);
    advance(decoder, live, (one) => one.move);
  }
}

function advance(decoder, sketches, move) {
  const raws = decoder.step(sketches.map((one) => one.state), sketches.map(move));
  raws.forEach((raw, k) => (sketches[k].raw = raw));
}

/** Sketches of a prefix, a few at a time: sampled from the candidates so far by its likelihood. */
function* explain(decoder, ask, recogniser) {
  const { model } = decoder, random = new Random(ask.seed);
  const prefix = toModel(ask.prefix, model.scale_factor);
  const open = ask.word === null && model.words.length > 0;
  const known = model.latent_size > 0 || (model.n_words > 0 && open);
  // of any word: those that it looks like, where the model has a recogniser
  const seen = open && recogniser ? Array.from(recogniser.shares(ask.prefix), Math.sqrt) : null;
  const a_word = open && !seen ? A_WORD * model.words.length : 0;
  const wanted = known ? Math.max(seen ? SEEN : CANDIDATES, a_word) : 1;
  const within = (steps, least, most) => Math.max(least, Math.min(most, Math.floor(steps / (prefix.length + 1))));
  const n_first = within(SOON, 1, Math.min(wanted, TOGETHER)), n_more = within(STEPS, 4, wanted) - n_first;
  const likeliest = seen ? seen.indexOf(Math.max(...seen)) : null;
  const first = Array.from({ length: n_first }, () => (!open ? ask.word : (likeliest ?? anyWord(model, random))));
  // else every word as often, however many drawings of it there were: none must lack a fitting latent
  const more = open ? random.spread(seen || model.words.map(() => 1), n_more) : new Array(n_more).fill(ask.word);
  const pool = [];
  for (let k = 0; k < (known ? ask.n : 1); k++) {
    const words = k ? more.filter((_, i) => i % (ask.n - 1) === k - 1) : first;
    const candidates = words.map((word) => begin(decoder, word, random, 1, 1, ask.walk));
    for (const move of [null, ...prefix]) {
      for (let from = 0; from < candidates.length; from += TOGETHER) {
        const some = candidates.slice(from, from + TOGETHER);
        if (move) for (const one of some) one.nats += logLikelihood(one.raw, model.n_mixtures, move);
        advance(decoder, some, () => move);
        yield null;
      }
    }
    pool.push(...candidates);
    const top = Math.max(...pool.map((one) => one.nats));
    const chosen = pool[random.index(pool.map((one) => Math.exp(model.trust * (one.nats - top)) || 0))];
    yield Array.from({ length: known ? 1 : ask.n }, () => ({ ...chosen, state: decoder.copy(chosen.state) }));
  }
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
