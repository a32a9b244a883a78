"""Someone at the drawing page, with a mouse or a finger."""

import dataclasses
import json
import math

import networks
import numpy as np

from sketchrnn_cli.drawing.page import encoded, listed

ARC = [(0.2 + 0.6 * t, 0.7 - 0.5 * math.sin(math.pi * t)) for t in np.linspace(0, 1, 25)]
LINE = [(0.25, 0.8), (0.5, 0.82), (0.75, 0.8)]


class Person:
    """Someone at the page, with a mouse or a finger."""

    def __init__(self, page, address):
        self.page = page
        self.faults, self.asked_for = [], []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda m: m.type == "error" and self.faults.append(m.text))
        page.on("dialog", lambda dialog: (self.faults.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: self.asked_for.append(request.url))
        page.goto(address)
        self.wait()

    def wait(self):
        """Until all suggestions are there."""
        self.page.wait_for_selector("#offers[aria-busy=false]", state="attached", timeout=60_000)

    def place(self, x, y):
        """Where a point of the paper, 0 to 1, is on the screen."""
        box = self.page.locator("#canvas").bounding_box()
        margin, whole = 0.09, 1.18
        return (
            box["x"] + box["width"] * (x + margin) / whole,
            box["y"] + box["height"] * (y + margin) / whole,
        )

    def draw(self, points):
        mouse = self.page.mouse
        mouse.move(*self.place(*points[0]))
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.place(*point))
        mouse.up()

    def touch(self, points):
        session = self.page.context.new_cdp_session(self.page)

        def send(kind, where):
            at = [{"x": x, "y": y} for x, y in where]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

        send("touchStart", [self.place(*points[0])])
        for point in points[1:]:
            send("touchMove", [self.place(*point)])
        send("touchEnd", [])
        session.detach()

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def choose(self, word, box="#word"):
        """Type a word and take it."""
        self.page.fill(box, word)
        self.page.keyboard.press("Enter")

    def saved(self, name, folder):
        self.press("Save")
        with self.page.expect_download() as download:
            self.press(name)
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path

    def strokes(self, folder):
        """The drawing, by saving it."""
        text = self.saved("NDJSON", folder).read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def ink(self):
        """Share of the canvas that is not blank."""
        data = self.page.locator("#canvas").evaluate(
            """(c) => {
              const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
              let n = 0;
              for (let i = 3; i < d.length; i += 4) if (d[i]) n++;
              return n / (d.length / 4);
            }"""
        )
        return float(data)


FITTED = {"fit": True, "simplified": True, "epsilon": 2.0, "max_points": 120, "min_points": 1}
WORDS = ("ant", "bee", "cow")


def knowing(model, seed=3):
    """The same model, which knows where the latents of its words lie."""
    size, n = model.config.latent_size, len(model.words)
    rng = np.random.default_rng(seed)
    fitted = {
        "latent.share": np.array([0.5, 0.25, 0.25], np.float32)[:n],
        "latent.weight": np.array([[0.3, 0.7], [1, 0], [0.5, 0.5]], np.float32)[:n],
        "latent.mean": rng.normal(size=(n, 2, size)).astype(np.float32),
        "latent.scale": np.tril(rng.normal(size=(n, size, size))).astype(np.float32),
    }
    return dataclasses.replace(model, weights=model.weights | fitted)


def worded(**kept):
    kept = {"n_words": 3, "words": WORDS, "preparation": FITTED, **kept}
    return networks.tiny(**kept)


def packed(model, arrays):
    """What the page's script gets: facts with the list of arrays, and base64."""
    return {**model, "arrays": listed(arrays)}, encoded(arrays)


SUGGEST = """([model, weights, ask]) => {
  const decoder = new Decoder(model, unpack(model, weights));
  return Array.from(suggest(decoder, ask)).filter((message) => message);
}"""


def asked(**changes):
    return {
        "prefix": [], "word": 0, "n": 6, "seed": 5, "temperature": 0.4, "maxPoints": 60,
        "oneStroke": False, **changes,
    }  # fmt: skip


def ended_of(messages):
    """Nats, share, and whether the model ended it, of each suggestion."""
    return {k: rest for message in messages for k, *rest in message.get("ended", [])}
