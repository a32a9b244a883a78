// What @magenta/sketch expects after each move: node pdf.js MODEL.gen.json MOVES.json PIXEL_FACTOR
// MOVES: stroke-5 rows in data units over the pixel factor, the start token first.
// Prints a list of {pi, muX, muY, sigmaX, sigmaY, corr, pen}, one for each row.
const fs = require("fs");
const path = require("path");

const modules = path.join(process.cwd(), "node_modules");
const tf = require(path.join(modules, "@tensorflow/tfjs-core"));
const { SketchRNN } = require(path.join(modules, "@magenta/sketch/es5/sketch_rnn"));

tf.setBackend("cpu");
const [file, moves, pixelFactor] = process.argv.slice(2);
const [info, dims, blobs] = JSON.parse(fs.readFileSync(file, "utf8"));
const model = new SketchRNN(file);
model.instantiateFromJSON(info, dims, blobs);
model.setPixelFactor(Number(pixelFactor));

let state = model.zeroState();
const found = JSON.parse(fs.readFileSync(moves, "utf8")).map((row, step) => {
  if (step === 0 && String(row) !== String(model.zeroInput())) throw new Error("no start token");
  state = model.update(row, state);
  const pdf = model.getPDF(state, 1, 1);
  return Object.fromEntries(Object.entries(pdf).map(([k, v]) => [k, Array.from(v)]));
});
console.log(JSON.stringify(found));
