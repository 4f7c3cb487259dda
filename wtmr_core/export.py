"""A trained network as an ONNX file, checked against the network before it is called by its name."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import torch

from wtmr_core import card
from wtmr_core.classifier import Classifier
from wtmr_core.data import inputs
from wtmr_core.files import RunError, replace

CLOSE = 1e-4  # how far logits may be from those of torch
OPSET = 18
_PACKAGES = "onnx, onnxruntime and onnxscript (`pip install 'wtmr-core[onnx]'`)"


def to_onnx(classifier: Classifier, file: Path, opset: int = OPSET) -> float:
    """Write the network of `classifier` to `file`: clips, as `data.inputs` makes them, in, and logits (b, k) out.

    Any number of clips; its metadata holds the run's description (`card.description`). Returns how far its logits are
    at most from torch's. Raises `RunError` where the packages for it are not installed, where the network cannot be
    exported, or where its logits are further off than `CLOSE`; there is then no file.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  (torch's exporter needs it)
    except ImportError as error:
        raise RunError(f"an ONNX file needs {_PACKAGES}; {error.name} is not installed") from error
    network, clips = classifier.network.cpu(), _clips(classifier, 2)
    silent = io.StringIO()
    try:
        with redirect_stdout(silent), redirect_stderr(silent):
            program = torch.onnx.export(
                network, (clips,), dynamo=True, opset_version=opset, input_names=["clips"], output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("b")},), verbose=False,
            )  # fmt: skip
        model = program.model_proto
    except Exception as error:  # the exporter raises many kinds
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RunError(f"{classifier.settings.model} cannot be exported with opset {opset}: {reason}") from error
    onnx.helper.set_model_props(model, card.metadata(classifier.description))
    data = model.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    apart = 0.0
    for count in (1, 3):
        tried = _clips(classifier, count)
        with torch.inference_mode():
            wanted = network(tried).numpy()
        (given,) = session.run(None, {"clips": tried.numpy()})
        apart = max(apart, float(np.abs(given - wanted).max()))
    if not apart <= CLOSE:
        raise RunError(f"the exported network gives logits up to {apart:.2g} apart from torch's, more than {CLOSE:g}")
    replace(file, lambda beside: beside.write_bytes(data))
    return apart


def _clips(classifier: Classifier, count: int) -> torch.Tensor:
    """Random clips as the network takes them, the same each time."""
    form, random = classifier.form, np.random.default_rng(0)
    shape = (count, *form.shape)
    clips = random.integers(0, 256, shape) if form.size else random.normal(0, 0.5, shape)
    return inputs(torch.from_numpy(clips.astype(form.dtype)), classifier.settings, None, augmented=False)
