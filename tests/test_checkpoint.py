"""The network of a finished run: its weights come back, and what it weighs can be drawn."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.test_training import WRITE, small
from wtmr_core import checkpoint, runs, training
from wtmr_core.data import inputs


@pytest.mark.parametrize("dataset", ["hmdb51", "ntu60", "svideoqa"])
def test_a_trained_network_says_what_its_run_said_and_shows_its_weights(tmp_path, dataset):
    settings = small(dataset, epochs=1, frames=4, stored_frames=8)
    root = WRITE[dataset](tmp_path / "set")
    run = runs.load(training.run(settings, tmp_path, root))
    data = training.prepare(settings, root)
    network, rows = checkpoint.trained_network(run), data.parts["test"]
    x = inputs(torch.from_numpy(data.cache.clips[rows]), settings, None, augmented=False)
    with torch.inference_mode():
        np.testing.assert_allclose(network(x).numpy(), run.logits, rtol=1e-4, atol=1e-5)

    clip, weights = checkpoint.region_weights(run, data, rows[0])
    if dataset == "ntu60":
        np.testing.assert_array_equal(clip, x[0].numpy())
        assert weights[:, :5].mean(axis=1) == pytest.approx(1, abs=1e-5)
    else:
        stored = data.cache.clips[rows[0]]
        np.testing.assert_array_equal(clip, stored[1::2].squeeze())  # the middle of each stretch of two
        two = checkpoint.region_weights(replace(run, settings=run.settings | {"views": 2}), data, rows[0])[0]
        np.testing.assert_array_equal(two, stored[::2].squeeze())  # the first of two views
        assert weights.shape == (4, 4)
        assert weights.mean(axis=1) == pytest.approx(1, abs=1e-5)


def test_a_run_without_its_weights_is_said(tmp_path):
    root = WRITE["ntu60"](tmp_path / "set")
    run = runs.load(training.run(small(epochs=1), tmp_path, root))
    (run.folder / runs.WEIGHTS).unlink()
    with pytest.raises(runs.RunError, match="has no weights"):
        checkpoint.trained_network(run)


@pytest.mark.parametrize("changes", [{"model": "released-wtmr"}, {"cnn": False}])
def test_a_network_without_regions_weighs_none(tmp_path, changes):
    root = WRITE["ntu60"](tmp_path / "set")
    settings = small(epochs=1, **changes)
    run = runs.load(training.run(settings, tmp_path, root))
    with pytest.raises(runs.RunError, match="weighs no regions"):
        checkpoint.region_weights(run, training.prepare(settings, root), 0)
