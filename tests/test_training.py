"""The loop, its batches and its states."""

import dataclasses
import json

import numpy as np
import pytest
import reference
import synthetic
import torch

from sketchrnn_cli.errors import BadCheckpoint, BadConfig, BadFile
from sketchrnn_cli.inference import score
from sketchrnn_cli.inference.conditioning import to_model
from sketchrnn_cli.inference.engine import Engine
from sketchrnn_cli.model import checkpoint
from sketchrnn_cli.model.config import ModelConfig
from sketchrnn_cli.sketches import build as building
from sketchrnn_cli.sketches.formats import ndjson
from sketchrnn_cli.training import batches, latents, loop, schedules, state
from sketchrnn_cli.training import metrics as log
from sketchrnn_cli.training.config import (
    DEFAULT_STEPS,
    TrainingConfig,
    parse_duration,
    read_toml,
    to_toml,
)

CPU = torch.device("cpu")
SMALL = ModelConfig(encoder_size=12, latent_size=6, decoder_size=24, n_mixtures=3)
QUICK = TrainingConfig(batch_size=8, log_every=2, save_every=4, valid_every=5, steps=10)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    lines = [ndjson.to_line(sketch) for sketch in synthetic.generate(6, seed=1)]
    (folder / "drawings.ndjson").write_bytes(b"".join(lines))
    return building.open_or_build([str(folder / "drawings.ndjson")], folder / "drawings.npz")


def trainer_of(run, corpus, config=QUICK, model=SMALL):
    run.mkdir(exist_ok=True)
    return loop.Trainer(run, corpus, model, config, device=CPU)


def resumed(run, corpus, config=QUICK, model=SMALL):
    trainer = trainer_of(run, corpus, config, model)
    saved, complaints = state.load_newest(run)
    trainer.restore(saved)
    log.truncate(run, trainer.progress.step)
    return trainer, complaints


def metrics_without_clock(run):
    clock = ("seconds", "sketches_per_second")
    return [{k: v for k, v in record.items() if k not in clock} for record in log.read(run)]


# batches


def ones(n):
    """n drawings of ten moves (1, 1)."""
    return batches.FlatSketches(
        np.ones((10 * n, 2), np.float32),
        np.zeros(10 * n, bool),
        np.full(n, 10),
        np.arange(n),
        np.zeros(n, int),
    )


def test_every_epoch_shows_every_drawing_once_in_a_new_order():
    shown = np.concatenate(
        [batches.positions_of(step, n=23, batch_size=10, seed=4) for step in range(23)]
    )
    epochs = shown.reshape(10, 23)
    for epoch in epochs:
        assert sorted(epoch) == list(range(23))
    assert len({tuple(epoch) for epoch in epochs}) == 10


def test_batches_of_like_lengths_show_every_drawing_once_an_epoch():
    lengths = np.random.default_rng(0).integers(1, 250, 230)

    def positions(step, window=8):
        return batches.positions_of(
            step, n=230, batch_size=10, seed=4, lengths_of=lengths.__getitem__, window=window
        )

    epochs = np.concatenate([positions(step) for step in range(4 * 23)]).reshape(4, 230)
    for epoch in epochs:
        assert sorted(epoch) == list(range(230))
    spread = [np.ptp(lengths[positions(step)]) for step in range(16)]
    assert max(spread) < 80
    assert np.mean([np.ptp(lengths[positions(step, window=1)]) for step in range(16)]) > 170
    # a window's batches do not come from short to long
    means = [lengths[positions(step)].mean() for step in range(8)]
    assert means != sorted(means)


def test_every_drawing_is_as_likely_at_every_step_whatever_its_length():
    lengths = np.arange(1, 41)  # known by its position
    counts = np.zeros((4, 40))
    for seed in range(2000):
        for step in range(4):
            chosen = batches.positions_of(
                step, n=40, batch_size=10, seed=seed, lengths_of=lengths.__getitem__, window=4
            )
            counts[step, chosen] += 1
    # each is in a step's batch with probability 1/4: 500 times, give or take five deviations
    assert np.abs(counts - 500).max() < 5 * np.sqrt(2000 * 3 / 16)


def test_a_batch_across_two_epochs_is_dealt_like_any_other():
    shown = [
        batches.positions_of(
            step, n=23, batch_size=10, seed=4, lengths_of=np.arange(23).__getitem__, window=16
        )
        for step in range(23)
    ]
    for epoch in np.concatenate(shown).reshape(10, 23):
        assert sorted(epoch) == list(range(23))


def test_a_byte_at_the_threshold_is_decided_by_another():
    kept = batches._kept(np.random.SFC64(3), 0.3, 1000, 1000)
    assert kept.mean() == pytest.approx(round(0.3 * 2**16) / 2**16, abs=5 * 0.46 / 1000)


def test_a_batch_larger_than_the_set_repeats_it():
    positions = batches.positions_of(0, n=3, batch_size=10, seed=0)
    assert np.bincount(positions).tolist() in ([3, 3, 4], [3, 4, 3], [4, 3, 3])


def test_positions_depend_on_the_seed():
    a, b = (batches.positions_of(0, n=100, batch_size=100, seed=seed) for seed in (0, 1))
    assert (a != b).any()


def test_some_drawings_are_chosen_from_everywhere():
    indices = np.arange(500, 1500)
    chosen = batches.some(indices, 100, seed=1)
    assert len(set(chosen.tolist())) == 100
    assert (np.diff(chosen) > 0).all()
    assert np.histogram(chosen, bins=5, range=(500, 1500))[0].min() >= 8
    assert (batches.some(indices, 100, seed=1) == chosen).all()
    assert batches.some(indices, 1000, seed=1) is indices


def test_gather_clips_and_scales(corpus):
    indices = corpus.indices("train")[:5]
    flat = batches.gather(corpus, indices, scale_factor=2.0)
    expected = [corpus.moves_of(i) for i in indices]
    assert flat.lengths.tolist() == [len(moves) for moves in expected]
    moves = np.concatenate(expected)
    np.testing.assert_allclose(flat.offsets, np.clip(moves[:, :2], -1000, 1000) / 2)
    assert (flat.lifts == (moves[:, 2] > 0)).all()


def dropped_one_by_one(moves, draws, probability):
    """Magenta's loop over one drawing's points, written out."""
    kept, count, before_lifts = [], 0, True
    for (dx, dy, lift), draw in zip(moves, draws, strict=True):
        count = 0 if lift or before_lifts else count + 1
        if not lift and not before_lifts and count > 2 and draw < probability:
            kept[-1] = [kept[-1][0] + dx, kept[-1][1] + dy, kept[-1][2]]
        else:
            kept.append([dx, dy, lift])
            before_lifts = bool(lift)
    return np.asarray(kept)


@pytest.mark.parametrize("seed", range(10))
def test_point_dropping_is_that_of_the_textbook_loop(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 40, 12)
    offsets = rng.normal(size=(lengths.sum(), 2)).astype(np.float32)
    lifts = rng.random(len(offsets)) < 0.1
    words = rng.integers(0, 3, 12)
    flat = batches.FlatSketches(offsets, lifts, lengths, np.arange(12), words)
    result = batches.augment(
        flat, random_scale=0.0, point_dropping=0.4, rng=np.random.default_rng(seed)
    )
    replay = np.random.default_rng(seed)
    replay.uniform(-1, 1, (12, 2))
    draws = replay.random(len(offsets), dtype=np.float32)
    moves = np.column_stack([offsets, lifts])
    cuts = np.cumsum(lengths)[:-1]
    slow = [
        dropped_one_by_one(m, d, 0.4)
        for m, d in zip(np.split(moves, cuts), np.split(draws, cuts), strict=True)
    ]
    assert result.lengths.tolist() == [len(s) for s in slow]
    assert result.lengths.sum() < lengths.sum()
    flat_slow = np.concatenate(slow)
    np.testing.assert_allclose(result.offsets, flat_slow[:, :2], atol=1e-5)
    assert (result.lifts == (flat_slow[:, 2] > 0)).all()


def test_random_scale_stretches_a_whole_drawing_by_at_most_its_share():
    flat = ones(3)
    rng = np.random.default_rng(0)
    offsets = batches.augment(flat, random_scale=0.15, point_dropping=0.0, rng=rng).offsets
    per_sketch = offsets.reshape(3, 10, 2)
    assert (per_sketch == per_sketch[:, :1]).all()
    assert 0.85 <= offsets.min() < 1 < offsets.max() <= 1.15
    assert len(np.unique(offsets)) == 6


def test_packed_rows_are_the_drawings_step_by_step():
    rng = np.random.default_rng(3)
    lengths = np.array([3, 7, 1, 7])
    sketches = [rng.normal(size=(n, 3)).astype(np.float32) for n in lengths]
    for sketch in sketches:
        sketch[:, 2] = rng.random(len(sketch)) < 0.4
    flat = np.concatenate(sketches)
    batch = batches.pack(
        batches.FlatSketches(flat[:, :2], flat[:, 2] > 0, lengths, np.arange(4), np.arange(5, 9)),
        device=CPU,
    )
    assert batch.packing.batch_sizes == (4, 4, 3, 3, 2, 2, 2, 2)
    assert batch.moves_packing.batch_sizes == (4, 3, 3, 2, 2, 2, 2)
    for rank, k in enumerate([1, 3, 0, 2]):  # longest first, ties in order
        rows = reference.stroke5(sketches[k])
        starts = batch.packing.starts[: lengths[k] + 1]
        inputs = batch.inputs[[start + rank for start in starts]].numpy()
        np.testing.assert_allclose(inputs, [[0, 0, 1, 0, 0], *rows])
        offsets = batch.offsets[[start + rank for start in starts]].numpy()
        np.testing.assert_allclose(offsets, [*rows[:, :2], [0, 0]])
        pen = batch.pen[[start + rank for start in starts]].tolist()
        assert pen == [*(rows[:, 3] > 0).astype(int), 2]
        starts = batch.moves_packing.starts[: lengths[k]]
        picked = [start + rank for start in starts]
        np.testing.assert_allclose(batch.moves[picked].numpy(), rows)
        np.testing.assert_allclose(batch.backwards[picked].numpy(), rows[::-1])


def test_dropout_keeps_its_share_and_is_scaled_to_keep_the_mean():
    config = ModelConfig(decoder_size=400, encoder_size=300, dropout=0.25)
    flat = ones(5)
    batch = batches.pack(flat, device=CPU)
    noise = batches.noise_of(batch, config, seed=1, dropout=True, device=CPU)
    assert noise.decoder.shape == (55, 400)
    assert noise.encoder.shape == (100, 300)
    assert noise.keep == 0.75
    for mask in (noise.decoder, noise.encoder):
        assert mask.double().mean().item() == pytest.approx(0.75, abs=0.02)
    ahead, back = noise.encoder.view(10, 2, 5, 300).unbind(1)
    assert (ahead != back).any()
    again = batches.noise_of(batch, config, seed=1, dropout=True, device=CPU)
    assert (again.decoder == noise.decoder).all()
    assert (again.latent == noise.latent).all()


# schedules and settings


def test_schedules_are_magentas():
    config = TrainingConfig(learning_rate=1e-3, kl_weight_decay=0.99995)
    assert schedules.learning_rate(config, 0, 10**9) == 1e-3
    assert schedules.learning_rate(config, 500, 10**9) == pytest.approx(
        0.00099 * 0.9999**500 + 1e-5
    )
    assert schedules.kl_weight(config, 0) == pytest.approx(0.01)
    assert schedules.kl_weight(config, 1000) == pytest.approx(0.5 - 0.49 * 0.99995**1000)


def test_the_rate_rises_over_the_warm_up_and_falls_along_half_a_cosine():
    config = TrainingConfig(
        learning_rate=1e-2, min_learning_rate=1e-4, schedule="cosine", warm_up=9, steps=100
    )
    rates = [schedules.learning_rate(config, step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(1e-3)
    assert rates[9] == pytest.approx(1e-4 + 0.0099 * (0.5 + 0.5 * np.cos(np.pi * 0.09)))
    assert rates[50] == pytest.approx(1e-4 + 0.0099 / 2)
    assert rates[100] == pytest.approx(1e-4)
    assert all(a > b for a, b in zip(rates[9:], rates[10:], strict=False))
    with pytest.raises(BadConfig, match="give steps or epochs"):
        TrainingConfig(schedule="cosine", time_limit=60.0)


def test_decay_pulls_matrices_alone(tmp_path, corpus):
    weights = []
    for decay in (0.0, 0.5):
        config = dataclasses.replace(QUICK, learning_rate=0.01, weight_decay=decay)
        trainer = trainer_of(tmp_path / f"run-{decay}", corpus, config)
        before = trainer.network.weights()
        trainer.take_step()
        weights.append(trainer.network.weights())
    for name, kept in weights[0].items():
        pulled = kept - 0.01 * 0.5 * before[name] * (kept.ndim > 1)
        np.testing.assert_allclose(weights[1][name], pulled, atol=1e-7, err_msg=name)


def test_a_floor_of_each_dimension_frees_those_below_alone(tmp_path, corpus):
    losses = []
    for floor_of in ("mean", "each"):
        config = dataclasses.replace(
            QUICK, kl_floor=0.05, kl_floor_of=floor_of, kl_weight=0.5, kl_weight_start=0.5
        )
        trainer = trainer_of(tmp_path / floor_of, corpus, config)
        with torch.no_grad():
            trainer.network.encoder.mu_b[0] = 3.0  # one dimension far above the floor
        losses.append(trainer.take_step().tolist())
    (mean, l_r, l_kl), (each, _, _) = losses
    assert mean == pytest.approx(l_r + 0.5 * l_kl, rel=1e-5)
    others = (6 * l_kl - 4.5) / 5  # of the five below
    assert others < 0.05
    assert each == pytest.approx(l_r + 0.5 * (4.5 + 5 * 0.05) / 6, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), ("2min", 120)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "ten", "10x", "-3m", "0", "m"])
def test_durations_that_are_none(text):
    with pytest.raises(BadConfig, match="time"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number from 1"),
        ({"learning_rate": float("nan")}, "learning_rate must be from"),
        ({"kl_wait": 0.5}, "unknown training setting 'kl_wait': did you mean kl_weight?"),
        ({"point_dropping": 1.5}, "point_dropping must be from 0 to 0.99"),
    ],
)
def test_bad_training_settings_die_at_birth(values, says):
    with pytest.raises(BadConfig, match=says.replace("?", r"\?")):
        TrainingConfig.from_dict(values)


def test_the_last_step_is_the_first_limit_reached():
    assert TrainingConfig(steps=50, epochs=2, batch_size=10).last_step(100) == 20
    assert TrainingConfig(epochs=1, batch_size=8).last_step(20) == 3
    assert TrainingConfig().last_step(100) == DEFAULT_STEPS
    assert TrainingConfig(time_limit=5.0).last_step(100) > 10**9


def test_settings_survive_toml(tmp_path):
    path = tmp_path / "config.toml"
    path.write_bytes(to_toml(SMALL, QUICK, {"sources": ["a.npz"]}))
    tables = read_toml(path)
    assert ModelConfig.from_dict(tables["model"]) == SMALL
    assert TrainingConfig.from_dict(tables["training"]) == QUICK
    assert tables["data"] == {"sources": ["a.npz"]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("batch_size = 3", r"batch_size belongs under \[training\]"),
        ("[trainin]\nsteps = 3", "did you mean training"),
        ("model = 3", r"model must be a table"),
    ],
)
def test_toml_with_something_else_in_it(tmp_path, text, says):
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(BadConfig, match=says):
        read_toml(tmp_path / "x.toml")


def test_a_file_that_is_not_toml(tmp_path):
    (tmp_path / "x.toml").write_text("<html>")
    with pytest.raises(BadFile, match=r"x.toml: not TOML"):
        read_toml(tmp_path / "x.toml")


# the loop


def test_two_hundred_steps_on_twenty_drawings_halve_the_loss(tmp_path):
    lines = [ndjson.to_line(synthetic.draw("star", 0, k)) for k in range(20)]
    (tmp_path / "stars.ndjson").write_bytes(b"".join(lines))
    stars = building.open_or_build([str(tmp_path / "stars.ndjson")], tmp_path / "stars.npz")
    config = TrainingConfig(
        batch_size=20, steps=200, log_every=1, valid_every=200, learning_rate=0.004
    )
    model = ModelConfig(encoder_size=24, latent_size=8, decoder_size=48, n_mixtures=4)
    run = tmp_path / "run"
    for _ in trainer_of(run, stars, config, model).events():
        pass
    losses = [record["l_r"] for record in log.read(run) if record["split"] == "train"]
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("stopped_after", [1, 5, 7])
def test_ten_steps_equal_some_steps_then_a_resumed_rest(tmp_path, corpus, encoder, stopped_after):
    model = dataclasses.replace(SMALL, encoder=encoder)
    whole = trainer_of(tmp_path / "whole", corpus, model=model)
    for _ in whole.events():
        pass
    cut = trainer_of(tmp_path / "cut", corpus, model=model)
    for event in cut.events():  # killed: no last save
        if isinstance(event, loop.Stepped) and event.step == stopped_after:
            break
    again, _ = resumed(tmp_path / "cut", corpus, model=model)
    assert again.progress.step <= stopped_after
    for _ in again.events():
        pass
    for name, array in whole.arrays().items():
        assert array.tobytes() == again.arrays()[name].tobytes(), name
    assert metrics_without_clock(tmp_path / "whole") == metrics_without_clock(tmp_path / "cut")
    a, b = (checkpoint.load(tmp_path / name) for name in ("whole", "cut"))
    assert a.training == b.training
    assert all((a.weights[name] == b.weights[name]).all() for name in a.weights)


def test_the_model_that_is_kept_averages_the_last_weights(tmp_path, corpus):
    config = dataclasses.replace(QUICK, average=0.5)
    trainer = trainer_of(tmp_path / "run", corpus, config)
    average = trainer.network.weights()
    for event in trainer.events():
        if isinstance(event, loop.Stepped):
            share = min(0.5, event.step / (event.step + 9))
            for name, weight in trainer.network.weights().items():
                average[name] = share * average[name] + (1 - share) * weight
    last = trainer.network.weights()
    with trainer.averaged():
        shown = trainer.network.weights()
    saved = checkpoint.load(tmp_path / "run").weights
    for name in average:
        np.testing.assert_allclose(shown[name], average[name], atol=1e-6)
        assert (trainer.network.weights()[name] == last[name]).all()
        assert (saved[name] == shown[name]).all()
    assert any((shown[name] != last[name]).any() for name in last)


def test_stopping_saves_between_the_rhythm_too(tmp_path, corpus):
    whole = trainer_of(tmp_path / "whole", corpus)
    for _ in whole.events():
        pass
    cut = trainer_of(tmp_path / "cut", corpus)
    events = list(cut.events(should_stop=lambda: cut.progress.step == 3))
    assert events[-1] == loop.Finished(3, "stopped")
    assert (tmp_path / "cut" / "model.safetensors").is_file()
    again, _ = resumed(tmp_path / "cut", corpus)
    assert again.progress.step == 3
    for _ in again.events():
        pass
    for name, array in whole.arrays().items():
        assert array.tobytes() == again.arrays()[name].tobytes(), name


def test_the_best_model_is_the_one_with_the_lowest_validation_loss(tmp_path, corpus):
    config = dataclasses.replace(QUICK, steps=40, learning_rate=0.02)
    for _ in trainer_of(tmp_path / "run", corpus, config).events():
        pass
    scored = [r for r in log.read(tmp_path / "run") if r["split"] == "valid"]
    best = min(scored, key=lambda record: record["loss"])
    saved = checkpoint.load(tmp_path / "run")
    assert saved.training["step"] == best["step"]
    assert saved.training["valid"]["l_r"] == best["l_r"]
    assert saved.scale_factor == corpus.scale_factor
    assert saved.words == corpus.words
    assert saved.preparation == corpus.preparation.to_dict()


def test_validation_is_the_exact_loss_of_the_slow_reference(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus, model=dataclasses.replace(SMALL, encoder=False))
    metrics = trainer.validate()
    weights = {n: v.astype(np.float64) for n, v in trainer.network.weights().items()}
    nats = []
    for index in corpus.indices("valid"):
        moves = corpus.moves_of(index).astype(np.float64)
        moves[:, :2] /= corpus.scale_factor
        nats.append(reference.sketch_nats(weights, moves))
    assert metrics.l_r == pytest.approx(np.mean(nats) / corpus.n_max, rel=1e-4)
    assert metrics.l_kl == 0
    assert metrics.split == "valid"


def test_validation_floors_what_training_floors(tmp_path, corpus):
    metrics = {}
    for floor_of in ("mean", "each"):
        config = TrainingConfig(kl_floor=0.2, kl_floor_of=floor_of, kl_weight=1.0)
        trainer = trainer_of(tmp_path / floor_of, corpus, config)
        with torch.no_grad():  # dimensions on both sides of the floor
            trainer.network.encoder.mu_b.copy_(torch.linspace(0, 2, SMALL.latent_size))
            trainer.average = [p.detach().clone() for p in trainer.network.parameters()]
        metrics[floor_of] = trainer.validate()
    mean, each = metrics["mean"], metrics["each"]
    assert mean.l_kl == each.l_kl > 0.2
    assert mean.loss == pytest.approx(mean.l_r + mean.l_kl, rel=1e-6)
    assert each.loss > mean.loss + 0.01  # of dimensions below the floor 0.2 nats each


def test_some_drawings_come_without_their_word_the_same_ones_again(corpus):
    config = TrainingConfig(batch_size=8, word_dropout=0.3)
    train, untold = corpus.indices("train"), []
    for step in range(60):
        sketches = batches.training_sketches(corpus, train, config, step)
        again = batches.training_sketches(corpus, train, config, step)
        np.testing.assert_array_equal(sketches.words, again.words)
        whole = batches.training_sketches(
            corpus, train, dataclasses.replace(config, word_dropout=0.0), step
        )
        told = sketches.words != len(corpus.words)
        np.testing.assert_array_equal(sketches.words[told], whole.words[told])
        assert whole.words.max() < len(corpus.words)
        untold.append(~told)
    assert 0.2 < np.mean(untold) < 0.4


def test_a_model_that_is_told_words_learns_which_is_which(tmp_path, corpus):
    model = dataclasses.replace(SMALL, n_words=len(corpus.words), encoder=False)
    config = TrainingConfig(batch_size=16, steps=150, valid_every=150, save_every=150)
    trainer = trainer_of(tmp_path / "run", corpus, config, model)
    for _ in trainer.events():
        pass
    network = Engine(checkpoint.load(tmp_path / "run"))
    indices = corpus.indices("train")
    moves = [to_model(corpus.moves_of(i), corpus.scale_factor) for i in indices]
    words = [corpus.word_of(i) for i in indices]
    turned = [corpus.words[(corpus.words.index(w) + 1) % len(corpus.words)] for w in words]
    right, none, wrong = (
        score.log_likelihood(network, moves, None, words=told).mean()
        for told in (words, None, turned)
    )
    assert right > none + 1
    assert none > wrong


def test_latents_are_fitted_to_the_posteriors_of_the_training_drawings(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # weights that spread the drawings
        for parameter in trainer.network.encoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.5)
    weights = {n: v.astype(np.float64) for n, v in trainer.network.weights().items()}
    rng, indices = np.random.default_rng(0), corpus.indices("train")
    words = corpus.word_ids[indices]
    z = np.empty((len(indices), 400, 6))
    for k, index in enumerate(indices):
        moves = corpus.moves_of(index).astype(np.float64)
        moves[:, :2] /= corpus.scale_factor
        mu, presig = reference.encode(weights, moves)
        z[k] = mu + np.exp(presig / 2) * rng.normal(size=(400, len(mu)))
    fitted = latents.fit(trainer.network.encoder, corpus, indices, device=CPU)
    size = z.std((0, 1)).max()
    within = z.copy()
    for word in range(len(corpus.words)):
        mean = z[words == word].mean((0, 1))
        np.testing.assert_allclose(fitted["latent.mean"][word, 0], mean, atol=0.05 * size)
        assert fitted["latent.share"][word] == pytest.approx((words == word).mean())
        within[words == word] -= mean
    assert fitted["latent.weight"].tolist() == [[1]] * len(corpus.words)
    for scale in fitted["latent.scale"]:
        np.testing.assert_array_equal(scale, np.tril(scale))
        np.testing.assert_array_equal(scale, fitted["latent.scale"][0])
    covariance = scale @ scale.T
    np.testing.assert_allclose(covariance, np.cov(within.reshape(-1, 6).T), atol=0.05 * size**2)
    for _ in trainer.events():
        pass
    saved = checkpoint.load(tmp_path / "run").weights
    assert saved["latent.scale"].shape == (len(corpus.words), 6, 6)
    assert "latent.scale" not in trainer.network.weights()


def test_a_loss_that_is_not_finite_rolls_back_and_lowers_the_rate(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus)
    take_step, spoilt = trainer.take_step, []

    def spoil():
        values = take_step()
        if trainer.progress.step == 7 and not spoilt:
            spoilt.append(True)
            with torch.no_grad():
                trainer.network.decoder.out_b.fill_(torch.nan)
            return values * torch.nan
        return values

    trainer.take_step = spoil
    events = list(trainer.events())
    rolled = [event for event in events if isinstance(event, loop.RolledBack)]
    assert [(event.at, event.to, event.left) for event in rolled] == [(8, 4, 2)]
    assert events[-1] == loop.Finished(10, "steps")
    assert trainer.progress.rate_scale == 0.5
    assert all(p.isfinite().all() for p in trainer.network.parameters())
    steps = [r["step"] for r in log.read(tmp_path / "run") if r["split"] == "train"]
    assert steps == [2, 4, 6, 8, 10]


def test_training_stops_after_three_rollbacks(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus)
    take_step = trainer.take_step

    def spoil():
        return take_step() * (torch.nan if trainer.progress.step == 6 else 1)

    trainer.take_step = spoil
    with pytest.raises(loop.Diverged, match="not finite at step 6, after 3 rollbacks"):
        list(trainer.events())
    kept, _ = state.load_newest(tmp_path / "run")
    assert kept.progress.step == 4
    assert kept.progress.rate_scale == 0.125


def test_a_set_without_validation_drawings_keeps_the_newest_model(tmp_path, corpus):
    trainer = trainer_of(tmp_path / "run", corpus)
    trainer.valid_indices = trainer.valid_indices[:0]
    for _ in trainer.events():
        pass
    assert checkpoint.load(tmp_path / "run").training["step"] == 10


# states


def arrays():
    return {"model.w": np.arange(6, dtype=np.float32), "mean.w": np.ones(6, np.float32)}


def test_the_last_two_states_are_kept_and_the_newest_is_read(tmp_path):
    for step in (3, 20, 100):
        state.save(tmp_path, state.Progress(step=step, best_loss=0.5), arrays())
    names = sorted(path.name for path in (tmp_path / "state").iterdir())
    assert names == ["step-000000020.safetensors", "step-000000100.safetensors"]
    saved, complaints = state.load_newest(tmp_path)
    assert saved.progress == state.Progress(step=100, best_loss=0.5)
    assert complaints == []
    assert (saved.arrays["model.w"] == arrays()["model.w"]).all()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_state_gives_way_to_the_one_before(tmp_path, share):
    for step in (3, 20):
        newest = state.save(tmp_path, state.Progress(step=step), arrays())
    data = newest.read_bytes()
    newest.write_bytes(data[: int(len(data) * share)])
    saved, complaints = state.load_newest(tmp_path)
    assert saved.progress.step == 3
    assert len(complaints) == 1
    assert newest.name in complaints[0]


def test_a_flipped_bit_in_the_weights_is_noticed(tmp_path):
    for step in (3, 20):
        newest = state.save(tmp_path, state.Progress(step=step), arrays())
    data = bytearray(newest.read_bytes())
    data[-5] ^= 4
    newest.write_bytes(data)
    saved, complaints = state.load_newest(tmp_path)
    assert saved.progress.step == 3
    assert "wrong checksum" in complaints[0]


def test_no_whole_state_is_an_error_and_no_state_is_none(tmp_path):
    assert state.load_newest(tmp_path) == (None, [])
    state.save(tmp_path, state.Progress(step=3), arrays()).write_bytes(b"x")
    with pytest.raises(BadCheckpoint, match="no saved state is whole"):
        state.load_newest(tmp_path)


def test_a_state_of_another_model_is_refused(tmp_path, corpus):
    trainer_of(tmp_path / "run", corpus).save()
    other = dataclasses.replace(SMALL, decoder_size=25)
    with pytest.raises(BadConfig, match="other sizes"):
        resumed(tmp_path / "run", corpus, model=other)


def test_metrics_lines_have_the_contracts_keys(tmp_path, corpus):
    for _ in trainer_of(tmp_path / "run", corpus).events():
        pass
    keys = [
        "step",
        "split",
        "loss",
        "l_r",
        "l_kl",
        "learning_rate",
        "kl_weight",
        "sketches_per_second",
        "seconds",
    ]
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 5 + 2
    for line in lines:
        assert list(json.loads(line)) == keys


def test_a_cut_last_line_of_metrics_is_passed_over(tmp_path):
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step":1}\n{"step":2}\n{"st')
    assert [record["step"] for record in log.read(tmp_path)] == [1, 2]
    log.truncate(tmp_path, 1)
    assert (tmp_path / "metrics.jsonl").read_bytes() == b'{"step":1}\n'


def test_a_device_that_is_not_there_says_what_is():
    with pytest.raises(BadConfig, match="--device tpu: not on this machine, which has: cpu"):
        loop.choose_device("tpu")
    assert loop.choose_device("cpu") == CPU


def test_small_products_are_not_shared_between_threads():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        loop.set_threads(None, ModelConfig(decoder_size=160), TrainingConfig())
        assert torch.get_num_threads() == 1
        torch.set_num_threads(2)
        loop.set_threads(None, ModelConfig(), TrainingConfig())
        assert torch.get_num_threads() == 2
        loop.set_threads(1, ModelConfig(), TrainingConfig())
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
