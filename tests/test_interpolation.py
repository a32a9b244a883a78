"""Interpolation between latents."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketchrnn_cli.inference.interpolation import lerp, path, slerp

fractions = st.floats(0, 1)
numbers = st.floats(-10, 10).map(lambda v: round(v, 3))
vectors = st.lists(numbers, min_size=4, max_size=4).map(lambda v: np.array(v, "f4"))


@given(vectors, vectors, fractions)
def test_both_ways_are_finite_and_exact_at_the_ends(a, b, t):
    for way in (lerp, slerp):
        assert np.isfinite(way(a, b, t)).all()
        np.testing.assert_allclose(way(a, b, 0), a, atol=1e-4)
        if not np.allclose(a, -b) and np.linalg.norm(a + b) > 0.1:
            np.testing.assert_allclose(way(a, b, 1), b, atol=1e-4)


@given(vectors, vectors, fractions)
def test_slerp_keeps_the_length_between_those_of_the_ends(a, b, t):
    short, long = sorted((np.linalg.norm(a), np.linalg.norm(b)))
    if short > 0.1:
        assert short - 1e-3 <= np.linalg.norm(slerp(a, b, t)) <= long + 1e-3


def test_slerp_turns_evenly():
    a, b = np.array([2, 0, 0]), np.array([0, 2, 0])
    for t in (0.25, 0.5, 0.75):
        angle = t * np.pi / 2
        wanted = [2 * np.cos(angle), 2 * np.sin(angle), 0]
        np.testing.assert_allclose(slerp(a, b, t), wanted, atol=1e-6)


def test_opposite_latents_turn_and_do_not_pass_through_zero():
    a = np.array([3, 0.5, -1], "f4")
    for t in (0.25, 0.5, 0.75, 1):
        assert np.linalg.norm(slerp(a, -a, t)) == pytest.approx(np.linalg.norm(a), rel=1e-5)
    np.testing.assert_allclose(slerp(a, -a, 1), -a, atol=1e-5)
    np.testing.assert_allclose(slerp(a, -2 * a, 0.5) @ a, 0, atol=1e-4)


def test_parallel_and_zero_latents_are_joined_straight():
    a = np.array([3, 0.5, -1], "f4")
    np.testing.assert_allclose(slerp(a, 3 * a, 0.5), 2 * a, rtol=1e-6)
    np.testing.assert_allclose(slerp(a, 0 * a, 0.5), a / 2, rtol=1e-6)
    np.testing.assert_allclose(slerp(np.array([1.0]), np.array([-1.0]), 0.5), [0], atol=1e-6)


def test_a_path_meets_every_latent():
    z = np.random.default_rng(1).normal(size=(3, 6)).astype("f4")
    frames = np.stack(path(list(z), 4, slerp))
    assert frames.shape == (9, 6)
    np.testing.assert_allclose(frames[::4], z, atol=1e-6)
    assert np.stack(path(list(z[:1]), 4, slerp)).shape == (1, 6)
