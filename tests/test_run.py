"""The folder of a run: which folders are runs, and how one is begun and resumed."""

import shutil
from dataclasses import replace

import pytest
from trainers import CPU, QUICK, SMALL, corpus_in, trainer_of

from sketchrnn_cli.errors import BadConfig, BadFile
from sketchrnn_cli.training import run as run_folder
from sketchrnn_cli.training import state
from sketchrnn_cli.training.process_group import ProcessGroup


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return corpus_in(tmp_path_factory.mktemp("corpus"))


def request_of(corpus, out, **more):
    return run_folder.Request(
        sources=[str(corpus.path)],
        out=out,
        **{"model": {"decoder_size": 24}, "training": {"steps": 3}, **more},
    )


def opened(request):
    """The plan of a request, whose run is closed again."""
    with run_folder.opened(request, ProcessGroup(), lambda model, training: None) as (plan, _):
        return plan


def test_a_folder_of_drawings_with_settings_in_it_is_no_run(tmp_path):
    (tmp_path / "config.toml").write_text("[tool]\n")
    (tmp_path / "cats.ndjson").write_text("")
    assert not run_folder.is_run(tmp_path)
    with pytest.raises(BadFile, match="does not look like a run"):
        run_folder.refuse(tmp_path, overwrite=True)
    assert (tmp_path / "cats.ndjson").exists()


@pytest.mark.parametrize("name", ["state", "metrics.jsonl", "model.safetensors"])
def test_settings_and_one_more_piece_make_a_run(tmp_path, name):
    (tmp_path / name).mkdir()
    assert not run_folder.is_run(tmp_path)
    (tmp_path / "config.toml").write_text("")
    assert run_folder.is_run(tmp_path)


def test_a_run_that_has_learned_nothing_does_not_block_the_next_try(tmp_path, corpus, monkeypatch):
    monkeypatch.chdir(tmp_path)
    request = request_of(corpus, None)
    first = opened(request)
    assert run_folder.is_unstarted(first.run)  # as after a disk that was full
    (first.run / "state" / ".step-000000000.safetensors.abcd_123.part").write_bytes(b"half")
    assert opened(request).run == first.run
    trainer = trainer_of(first.run, corpus)
    trainer.save()  # the state of step 0
    assert opened(request).run == first.run
    trainer.progress.step = 1
    trainer.save()
    assert not run_folder.is_unstarted(first.run)
    assert opened(request).run == first.run.with_name("drawings-2")
    with pytest.raises(BadFile, match="exists already"):
        opened(request_of(corpus, first.run))


def test_a_run_with_something_else_in_it_has_started(tmp_path, corpus):
    plan = opened(request_of(corpus, tmp_path / "run"))
    (plan.run / "notes.txt").write_text("of mine")
    assert not run_folder.is_unstarted(plan.run)
    with pytest.raises(BadFile, match="exists already"):
        opened(request_of(corpus, plan.run))


@pytest.mark.parametrize("given", [True, False])
def test_a_rate_given_on_resume_counts_in_full_and_gives_the_tries_back(tmp_path, corpus, given):
    plan = opened(request_of(corpus, tmp_path / "run"))
    trainer = run_folder.start(plan, corpus, CPU, ProcessGroup(), print)
    trainer.progress.step = 7
    trainer.progress.rate_scale, trainer.progress.rollbacks = 0.125, 3
    trainer.save()
    training = {"learning_rate": 0.002} if given else {}
    plan = opened(request_of(corpus, plan.run, training=training, model={}, resume=True))
    again = run_folder.start(plan, corpus, CPU, ProcessGroup(), print)
    scale, rollbacks = (1.0, 0) if given else (0.125, 3)
    assert (again.progress.rate_scale, again.progress.rollbacks) == (scale, rollbacks)
    saved, _ = state.load_newest(plan.run)  # so that it stays after a crash
    assert (saved.progress.rate_scale, saved.progress.rollbacks) == (scale, rollbacks)
    if given:
        assert again.learning_rate(0) == 0.002


def test_a_weight_of_latents_without_any_is_refused(tmp_path, corpus):
    sizes = {"decoder_size": 24, "encoder": False}
    given = {"training": {"steps": 3, "kl_weight": 0.5}}
    with pytest.raises(BadConfig, match="--kl-weight: the model has no encoder"):
        opened(request_of(corpus, tmp_path / "run", model=sizes, **given))
    assert not (tmp_path / "run").exists()
    opened(request_of(corpus, tmp_path / "run", model=sizes))
    with pytest.raises(BadConfig, match="--kl-weight: the model has no encoder"):
        opened(request_of(corpus, tmp_path / "run", model={}, resume=True, **given))


@pytest.mark.parametrize("given", ["set", "link", "pattern", "lines", "config"])
def test_a_run_that_holds_what_is_read_is_not_overwritten(tmp_path, corpus, given):
    run = opened(request_of(corpus, tmp_path / "run")).run
    mine = run / "mine.npz"
    shutil.copyfile(corpus.path, mine)
    (run / "mine.ndjson").write_text('{"drawing":[[[0,9],[0,9]]]}\n' * 40, "utf-8")
    (run / "my.toml").write_text("[training]\nsteps = 2\n", "utf-8")
    (tmp_path / "link.npz").symlink_to(mine)
    before = sorted(run.rglob("*"))
    sources = {"link": "link.npz", "pattern": "run/mine.np*", "lines": "run/mine.ndjson"}
    asked = request_of(corpus, run, overwrite=True)
    if given == "config":
        asked = replace(asked, config=run / "my.toml", tables={"training": {"steps": 2}})
    else:
        asked = replace(asked, sources=[str(tmp_path / sources.get(given, "run/mine.npz"))])
    with pytest.raises(BadConfig, match="is in the run that would be overwritten"):
        opened(asked)
    assert sorted(run.rglob("*")) == before


def test_a_run_does_not_lie_among_its_drawings(tmp_path, corpus):
    (tmp_path / "a.ndjson").write_text('{"drawing":[[[0,9],[0,9]]]}\n' * 40, "utf-8")
    with pytest.raises(BadFile, match="is also read, as "):
        opened(replace(request_of(corpus, tmp_path / "run"), sources=[str(tmp_path)]))
    assert not (tmp_path / "run").exists()


def test_a_plan_is_the_same_in_every_process(tmp_path):
    plan = run_folder.Plan(tmp_path, SMALL, QUICK, {"sources": ["a"]}, resuming=True, new_rate=True)
    assert run_folder.Plan.from_bytes(plan.to_bytes()) == plan


@pytest.mark.parametrize(
    ("asked", "size", "seconds"),
    [
        ({}, 160, 180),
        ({"training": {"steps": 9}}, 160, 0),
        ({"training": {"epochs": 2.0}}, 160, 0),
        ({"training": {"time_limit": 7.0}}, 160, 7),
        ({"preset": "base"}, 512, 180),
        ({"tables": {"training": {"steps": 9}}}, 512, 0),
        ({"sources": ["cat.npz"]}, 512, 0),
    ],
    ids=str,
)
def test_without_data_a_run_ends_in_minutes(asked, size, seconds):
    model, training, _ = run_folder.Request(**{"sources": [], "out": None, **asked}).settings()
    assert (model.decoder_size, training.time_limit) == (size, seconds)
