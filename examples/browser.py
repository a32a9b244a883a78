"""From words to a browser: a page that draws with you, and a model for Google's sketch-rnn-js.

    python examples/browser.py [WORD]

Open `draw.html` in any browser; it needs no network. `word.vae.json` is one word of the built-in
model in the form that sketch-rnn-js reads, and `browser.svg` is what it draws. In a shell:

    sketchrnn export -o draw.html
    sketchrnn export --word owl --guidance 2 -o word.vae.json
    sketchrnn sample --model word.vae.json -n 8 --temp 0.2 -o browser.svg
"""

import sys

from sketchrnn_cli.cli import export, sample

word = sys.argv[1] if len(sys.argv) > 1 else "owl"
export.export("draw.html", overwrite=True)
export.export("word.vae.json", word=word, guidance=2, overwrite=True)
sample.sample(model="word.vae.json", count=8, temp="0.2", out="browser.svg")
