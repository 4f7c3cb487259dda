"""Maps of frozen layers: the cache holds what the layers give, and training on it is training on clips."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from tests.conftest import write_frames, write_hmdb51
from wtmr_core import Classifier, checkpoint, datasets, description, export, maps, regression, runs, training
from wtmr_core.data import inputs
from wtmr_core.datasets.clips import CacheError
from wtmr_core.models import backbones
from wtmr_core.settings import Settings
from wtmr_core.state import State

NAME = "test_resnet"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "test_resnet.pth"
    torch.save(backbones.timm.create_model(NAME).state_dict(), path)
    return str(path)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_hmdb51(tmp_path_factory.mktemp("hmdb51"))


def small(weights: str, **changes) -> Settings:
    values = {"dataset": "hmdb51", "scale": "mini", "size": 64, "frames": 2, "stored_frames": 4, "colour": True,
              "backbone": NAME, "backbone_weights": weights, "backbone_stage": 16, "backbone_frozen": 16,
              "backbone_views": 3, "epochs": 3, "batch_size": 8, "width": 8, "depth": 1, "heads": 2,
              "conv_channels": (3, 4), "device": "cpu", "workers": 1, "threads": 1}  # fmt: skip
    values |= changes
    if values.get("model") in ("linear", "logistic"):
        values = {k: v for k, v in values.items() if k not in ("width", "depth", "heads", "conv_channels")}
    if values.get("model") == "logistic":
        del values["epochs"]
    return Settings.of(values)


def mapped(settings, root):
    data = training.prepare(settings, root)
    return data, maps.mapped(data, settings, datasets.cache_home(), torch.device("cpu"))


def test_the_cache_holds_what_the_frozen_layers_give(weights, root):
    settings = small(weights)
    data, with_maps = mapped(settings, root)
    clips = len(data.labels)
    network = checkpoint.new_network(settings, len(data.cache.index.classes)).eval()
    assert with_maps.maps.shape == (3 * clips, 4, network.backbone.frozen_width, 4, 4)
    pictures = torch.from_numpy(np.array(data.cache.clips[:5]))
    frames = inputs(pictures, settings, None, augmented=False)
    shown = inputs(torch.from_numpy(np.array(with_maps.maps[:5])), settings, None, augmented=False)
    with torch.inference_mode():
        expected = network.backbone.frozen_maps(frames.flatten(0, 1)).unflatten(0, shown.shape[:2])
    torch.testing.assert_close(shown, expected, atol=1e-3, rtol=1e-3)  # in half precision
    assert network(shown).shape == network(frames).shape
    first, second, third = np.split(np.asarray(with_maps.maps, np.float32), 3)
    assert np.abs(first - second).max() > 0.01
    assert np.abs(second - third).max() > 0.01


def test_maps_are_computed_once_and_depend_on_what_they_are_made_of(weights, root, monkeypatch):
    _, first = mapped(small(weights), root)
    before = np.array(first.maps)
    monkeypatch.setattr(maps, "_map", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(mapped(small(weights, seed=3, lr=0.1), root)[1].maps, before)
    for changes in ({"backbone_views": 2}, {"zoom": 0.3}, {"backbone_frozen": 8}, {"size": 96}):
        with pytest.raises(pytest.fail.Exception, match="computed again"):
            mapped(small(weights, **changes), root)
    one = small(weights, backbone_views=0)
    data, same = mapped(one, root)
    assert same is data


def test_damaged_maps_are_computed_again(weights, root):
    settings = small(weights, backbone_views=1)
    _, first = mapped(settings, root)
    before, file = np.array(first.maps), first.maps.filename
    with open(file, "r+b") as stream:
        stream.seek(-100, 2)
        stream.write(b"x" * 50)
    np.testing.assert_array_equal(mapped(settings, root)[1].maps, before)


def test_views_to_train_on_are_augmented_ones_of_the_same_clip(weights, root):
    data, with_maps = mapped(small(weights), root)
    clips, rows = len(data.labels), np.arange(6)
    sampled = np.stack([with_maps.augmented_rows(rows, torch.Generator().manual_seed(s)) for s in range(20)])
    assert (sampled % clips == rows).all()
    assert set(sampled.ravel() // clips) == {1, 2}
    assert data.augmented_rows(rows, torch.Generator()) is rows
    plain = mapped(small(weights, backbone_views=1), root)[1]
    assert plain.augmented_rows(rows, torch.Generator()) is rows


def test_maps_beyond_half_precision_are_refused(weights, root, monkeypatch):
    monkeypatch.setattr(backbones.Backbone, "frozen_maps", lambda self, x: x.new_full((len(x), 2, 4, 4), 1e6))
    with pytest.raises(ValueError, match=r"half precision cannot hold the maps of .*backbone_views 0"):
        mapped(small(weights, size=128), root)


def test_a_full_disk_is_said(weights, root, monkeypatch):
    settings = small(weights, backbone_views=4)
    data = training.prepare(settings, root)
    monkeypatch.setattr(maps.Store, "fill", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(CacheError, match=r"the maps of test_resnet cannot be cached.*WTMR_CACHE.*backbone_views"):
        maps.mapped(data, settings, datasets.cache_home(), torch.device("cpu"))


@pytest.mark.parametrize("changes", [{}, {"backbone_frozen": 8, "backbone_start": 1}, {"model": "linear"}])
def test_a_run_on_maps_is_whole_and_resumes_to_the_same_numbers(weights, root, tmp_path, changes, monkeypatch):
    settings = small(weights, **changes)
    whole = training.run(settings, tmp_path / "whole", root)
    one_epoch, epochs = training.one_epoch, []

    def stops(state, data, epoch, bar):
        if epoch == 2 and not epochs:
            epochs.append(epoch)
            raise KeyboardInterrupt
        return one_epoch(state, data, epoch, bar)

    monkeypatch.setattr(training, "one_epoch", stops)
    with pytest.raises(KeyboardInterrupt):
        training.run(settings, tmp_path / "cut", root)
    cut = training.run(settings, tmp_path / "cut", root)
    one, two = runs.load(whole), runs.load(cut)
    np.testing.assert_array_equal(one.logits, two.logits)
    assert description.read(one, settings)["backbone"]["sha256"] == backbones.origin(NAME, weights)["sha256"]
    assert "test_resnet" in (whole / "README.md").read_text(encoding="utf-8")


def test_a_backbone_that_starts_later_has_its_weights_until_then(weights, root, tmp_path):
    start = backbones.Backbone(NAME, 16, weights=weights, frozen=8).state_dict()
    ends = []
    for late in (1, 2):
        settings = small(weights, backbone_frozen=8, epochs=2, backbone_start=late, ema_decay=0.0, backbone_lr=0.5)
        run = runs.load(training.run(settings, tmp_path / "results", root))
        trained = checkpoint.trained_network(run).backbone.state_dict()
        ends.append({key for key, value in start.items() if not torch.equal(value, trained[key])})
    assert ends[0]
    assert all(key.startswith("layers.layer3") for key in ends[0])
    assert not ends[1]


ADDED = {"residual": True, "width": 192, "heads": 4}  # as many as its map has channels


@pytest.mark.parametrize("changes", [{}, ADDED, {"model": "linear"}])
def test_the_classifier_of_such_a_run_takes_a_video(weights, root, tmp_path, changes):
    folder = training.run(small(weights, epochs=1, **changes), tmp_path / "results", root)
    classifier = Classifier.load(folder, device="cpu")
    frames = write_frames(tmp_path / "clip", [10, 60, 110, 160])
    assert classifier(classifier.read(frames, fps=4)).shape[1] == len(classifier.classes)


@pytest.mark.parametrize("changes", [{}, ADDED, {"model": "linear"}])
def test_such_a_run_can_be_exported(weights, root, tmp_path, changes):
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    folder = training.run(small(weights, epochs=1, **changes), tmp_path / "results", root)
    assert export.export(folder, tmp_path / "network.onnx").is_file()


def test_logistic_is_scikit_learns_regression(weights, root, tmp_path):
    settings = small(weights, model="logistic", backbone_views=1, frames=4, weight_decay=0.3)
    folder = training.run(settings, tmp_path / "results", root)
    run, data = runs.load(folder), mapped(settings, root)[1]
    features = np.asarray(data.maps, np.float64).mean(axis=(1, 3, 4))
    train, test = data.parts["train"], data.parts["test"]
    x = (features - features[train].mean(axis=0)) / features[train].std(axis=0).clip(1e-2)
    model = LogisticRegression(C=1 / (0.3 * len(train)), max_iter=2000).fit(x[train], data.labels[train])
    np.testing.assert_allclose(
        torch.from_numpy(run.logits).softmax(dim=1), model.predict_proba(x[test]), atol=0.02
    )  # maps are means of half precision, norms have an epsilon
    assert run.metrics["epochs"] == 1


def test_a_class_without_clips_is_never_named(weights, root):
    """Fitted to two of three classes, on all of the clips."""
    assert regression._NEVER < -50
    settings = small(weights, model="logistic", backbone_views=1)
    data = mapped(settings, root)[1]
    state = State(settings, 3, training.accelerator(settings))
    assert regression.fit(state, data)["train_accuracy"] > 0.5
    with torch.inference_mode():
        logits = state.bare_network(inputs(torch.from_numpy(np.array(data.maps)), settings, None, augmented=False))
    assert logits.shape[1] == 3
    assert set(logits.argmax(dim=1).tolist()) == {0, 1}
