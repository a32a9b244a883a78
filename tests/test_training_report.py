"""What a person reads at the end of a run: what is still to do, how far it is, what is kept."""

import dataclasses
from types import SimpleNamespace

import pytest
from trainers import QUICK, SMALL, corpus_in, trainer_of

from sketchrnn_cli.cli import terminal as terminals
from sketchrnn_cli.cli import training_fits, training_report
from sketchrnn_cli.cli.terminal import Terminal
from sketchrnn_cli.inference import latent_prior
from sketchrnn_cli.inference.recogniser import Recogniser
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.training import loop
from sketchrnn_cli.training import recogniser as fitting


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return corpus_in(tmp_path_factory.mktemp("corpus"))


class Lines(Terminal):
    """A terminal whose lines are kept."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def _print(self, text):
        self.lines.append(str(text))


def finished(run, corpus):
    trainer = trainer_of(run, corpus)
    list(loop.events(trainer))
    return trainer


@pytest.mark.parametrize(
    ("ending", "says"),
    [
        (
            loop.Ending(10, "steps", validates=True),
            "finishing at step 10: validating, saving, drawing samples, fitting the latent prior",
        ),
        (
            loop.Ending(7, "stopped", validates=True),
            "stopping at step 7: validating, saving, drawing samples",
        ),
        (
            loop.Ending(7, "stopped", validates=False),
            "stopping at step 7: saving, drawing samples",
        ),
    ],
)
def test_what_is_left_to_do_is_said(tmp_path, corpus, ending, says):
    terminal = Lines()
    report = training_report.Report(terminal, trainer_of(tmp_path / "run", corpus))
    terminal.lines.clear()
    report.tell(ending)
    assert terminal.lines == [says]


@pytest.mark.parametrize(("n_words", "steps"), [(0, 800), (1, 800), (5, 1400), (345, 5600)])
def test_the_more_words_the_later_drawings_can_be_named(n_words, steps):
    corpus = SimpleNamespace(words=("word",) * n_words)
    assert training_report.named_after(SimpleNamespace(is_warm=False, corpus=corpus)) == steps
    assert training_report.named_after(SimpleNamespace(is_warm=True, corpus=corpus)) == 0


def test_a_log_says_now_and_then_how_far_it_is(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(terminals.time, "monotonic", lambda: clock[0])
    terminal, passed = Lines(), []
    for item in terminal.track(range(1000), what="fitting", total=1000):
        clock[0] += 0.125
        passed.append(item)
    assert passed == list(range(1000))
    assert len(terminal.lines) == 12
    assert terminal.lines[0] == "fitting: 80 of 1,000"


def test_the_prior_is_fitted_to_a_bounded_share_of_every_word(tmp_path, corpus, monkeypatch):
    trainer, terminal, asked = finished(tmp_path / "run", corpus), Lines(), []
    fit_model = latent_prior.fit_model

    def counted(network, drawings, **more):
        asked.append(list(drawings))
        return fit_model(network, asked[-1], **more)

    monkeypatch.setattr(latent_prior, "fit_model", counted)
    monkeypatch.setattr(training_fits, "FITTED", 2 * len(corpus.words))
    monkeypatch.setattr(training_fits, "FITTED_PER_WORD", 1)
    training_fits.fit_latents(trainer, terminal)
    words = [word for word, _ in asked[0]]
    assert sorted(words) == sorted(2 * list(range(len(corpus.words))))
    n = len(trainer.train_indices)
    assert f"fitting the latent prior to {len(words)} of {n} drawings" in terminal.lines
    monkeypatch.setattr(training_fits, "FITTED_PER_WORD", 3)
    training_fits.fit_latents(trainer, terminal)
    assert len(asked[1]) == 3 * len(corpus.words)
    before = (trainer.run / "model.safetensors").read_bytes()
    training_fits.fit_latents(trainer, terminal)
    assert (trainer.run / "model.safetensors").read_bytes() == before


def test_a_run_that_saw_enough_ends_with_a_recogniser(tmp_path, corpus, monkeypatch):
    model = dataclasses.replace(SMALL, n_words=len(corpus.words), word_size=4)
    trainer, terminal = trainer_of(tmp_path / "run", corpus, model=model), Lines()
    list(loop.events(trainer))
    path = trainer.run / "model.safetensors"
    before = checkpoint.load(path)
    training_fits.fit_recogniser(trainer, terminal)
    assert terminal.lines == []
    assert Recogniser.of(checkpoint.load(path)) is None
    monkeypatch.setattr(fitting, "FEWEST", 50)
    monkeypatch.setattr(fitting, "FEWEST_PER_WORD", 1)
    training_fits.fit_recogniser(trainer, terminal)
    n = len(trainer.train_indices)
    assert terminal.lines == [f"fitting the recogniser: 80 looks at {n} drawings"]
    after = checkpoint.load(path)
    assert Recogniser.of(after).words == tuple(corpus.words)
    assert all((after.weights[name] == array).all() for name, array in before.weights.items())
    training_fits.fit_recogniser(trainer, terminal)  # it stays
    assert len(terminal.lines) == 1


def test_an_end_at_once_says_what_is_kept(tmp_path, corpus):
    trainer, terminal = finished(tmp_path / "run", corpus), Lines()
    training_report.say_what_is_kept(terminal, trainer)
    assert terminal.lines == [
        "warning: ended at once; kept: the state of step 10 and the best model so far; resume: "
        f"sketchrnn train -o {trainer.run} --resume"
    ]


def test_a_run_without_an_encoder_has_no_prior_to_fit(tmp_path, corpus):
    model = dataclasses.replace(SMALL, encoder=False)
    trainer, terminal = trainer_of(tmp_path / "run", corpus, QUICK, model), Lines()
    report = training_report.Report(terminal, trainer)
    terminal.lines.clear()
    report.tell(loop.Ending(10, "steps", validates=True))
    assert terminal.lines == ["finishing at step 10: validating, saving, drawing samples"]
    training_fits.fit_latents(trainer, terminal)
    assert len(terminal.lines) == 1
