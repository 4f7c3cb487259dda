"""A trained network as ONNX: what onnxruntime makes of it, what the file says of itself, and what is refused."""

import json
import os
import sys

import numpy as np
import pytest
import torch

from tests.test_training import WRITE, small
from wtmr_core import Classifier, export, runs, training
from wtmr_core.data import inputs
from wtmr_core.export import TOLERANCE
from wtmr_core.models import bodies

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("onnxscript", reason="the extra onnx is not installed")


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    return {name: WRITE[name](tmp_path_factory.mktemp("sets") / name) for name in ("hmdb51", "ntu60")}


@pytest.mark.parametrize("dataset", ["hmdb51", "ntu60"])
@pytest.mark.parametrize("model", ["wtmr", "released-wtmr", "released-wmrc", "released-timesformer"])
def test_onnxruntime_says_what_the_classifier_says(sets, tmp_path, dataset, model):
    folder = training.run(small(dataset, model=model, epochs=1), tmp_path, sets[dataset])
    file = export.export(folder, tmp_path / "network.onnx")
    classifier, session = Classifier.load(folder, "cpu"), onnxruntime.InferenceSession(str(file))
    rng = np.random.default_rng(1)
    for count in (1, 5):
        clips = rng.normal(size=(count, *classifier.form.shape)).astype(np.float32)
        if dataset == "ntu60":
            clips[0, :, 1] = 0  # one body, beside clips of two
        else:
            clips = (128 + 50 * clips).clip(0, 255).astype(np.uint8)
        x = inputs(torch.from_numpy(clips), classifier.settings, None, augmented=False)
        with torch.inference_mode():
            wanted = classifier.network(x).numpy()
        np.testing.assert_allclose(session.run(None, {"clips": x.numpy()})[0], wanted, atol=TOLERANCE)
    told = onnx.load(file)
    assert {prop.key: json.loads(prop.value) for prop in told.metadata_props} == {"wtmr": classifier.description}
    assert [value.type.tensor_type.shape.dim[0].dim_param for value in (*told.graph.input, *told.graph.output)] == [
        "b",
        "b",
    ]
    content = file.read_bytes()
    assert os.path.dirname(bodies.__file__).encode() not in content
    assert os.listdir(tmp_path).count("network.onnx") == 1


@pytest.fixture(scope="module")
def folder(sets, tmp_path_factory):
    settings = small("ntu60", model="released-wmrc", epochs=1)
    return training.run(settings, tmp_path_factory.mktemp("results"), sets["ntu60"])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda patch: patch.setattr(export, "TOLERANCE", -1), r"differ from torch's by .*: not exported"),
        (
            lambda patch: patch.setattr(export, "_write", lambda *a: a[2].write_bytes(b"no network")),
            "cannot run the exp",
        ),
        (lambda patch: patch.setattr(torch.onnx, "export", lambda *_, **__: 1 / 0), r"cannot be exported with torch"),
        (
            lambda patch: patch.setitem(sys.modules, "onnxruntime", None),
            r"\(onnxruntime\): pip install 'wtmr-core\[onnx",
        ),
    ],
    ids=["other logits", "no network", "torch cannot", "no package"],
)
def test_what_is_not_the_network_is_not_kept(folder, tmp_path, monkeypatch, harm, said):
    (tmp_path / "network.onnx").write_text("an older one")
    harm(monkeypatch)
    with pytest.raises(runs.RunError, match=said):
        export.export(folder, tmp_path / "network.onnx")
    assert os.listdir(tmp_path) == ["network.onnx"]
    assert (tmp_path / "network.onnx").read_text() == "an older one"


def test_an_opset_that_cannot_be_had_and_a_folder_that_is_not_there_are_said(folder, tmp_path):
    with pytest.raises(runs.RunError, match="opset 99"):
        export.export(folder, tmp_path / "a.onnx", opset=99)
    with pytest.raises(runs.RunError, match="there is no folder"):
        export.export(folder, tmp_path / "none" / "a.onnx")
    assert os.listdir(tmp_path) == []


def test_the_networks_own_functions_are_put_back():
    before = bodies.bodies_present

    def failing():
        with export._without_branches():
            assert bodies.bodies_present is not before
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert bodies.bodies_present is before
