"""The network of a trained run as an ONNX file, which other programs run without torch.

Axes: b clip, t frame, c channel, h w pixels, m body, j joint, r region, k class.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from einops import rearrange, repeat
from torch import Tensor

from wtmr_core import description
from wtmr_core.classifier import Classifier
from wtmr_core.data import inputs
from wtmr_core.files import RunError, replace
from wtmr_core.models import bodies
from wtmr_core.skeleton import PARTS

OPSET = 18  # the version of ONNX's operators that torch's exporter is written in
TOLERANCE = 1e-4  # between the logits of torch and of onnxruntime
EXAMPLE = 3  # clips that the network is followed with; neither 0 nor 1, which torch takes for fixed


def export(run_folder: str | Path, file: str | Path, opset: int = OPSET) -> Path:
    """Write the network of the run in `run_folder` to an ONNX file, whole or not at all; returns the file.

    The network takes `clips`, normalised as by `data.inputs`, any number at a time, and returns `logits` (b, k), whose
    softmax gives the probabilities. The file carries the run's description as metadata under the key `wtmr`. Before it
    is put in its place, onnxruntime runs it on seeded clips, one and several at a time.

    Raises:
        RunError: where packages of the extra `onnx` are missing, the network cannot be exported with `opset`, or
            onnxruntime's logits differ from torch's by more than `TOLERANCE`; and as `Classifier.load`.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise RunError(f"ONNX needs a package that is not here ({error.name}): pip install 'wtmr-core[onnx]'") from None
    classifier, file = Classifier.load(run_folder, "cpu"), Path(file)
    if not file.parent.is_dir():
        raise RunError(f"there is no folder {file.parent}: make it first")

    def save(path: Path) -> None:
        examples = _examples(classifier)
        _write(classifier, examples[0], path, opset)
        _compare(classifier, examples, path)

    replace(file, save)
    return file


def _write(classifier: Classifier, example: Tensor, path: Path, opset: int) -> None:
    import onnx

    try:
        with _quiet(), _without_branches(), torch.no_grad():
            # strict: followed through Python's own code, where the number of clips stays a variable
            batch = {0: torch.export.Dim("b")}
            program = torch.export.export(classifier.network, (example,), dynamic_shapes=(batch,), strict=True)
            torch.onnx.export(
                program,
                f=str(path),
                input_names=["clips"],
                output_names=["logits"],
                dynamo=True,
                opset_version=opset,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # torch raises many kinds, over many lines
        tried = f"torch {torch.__version__} and opset {opset}"
        raise RunError(f"this network cannot be exported with {tried}: {_first_line(error)}") from error
    model = onnx.load(path)
    if opset != (written := model.opset_import[0].version):
        raise RunError(f"this network cannot be exported with opset {opset}: torch writes opset {written}")
    _without_traces(model.graph)
    joints = "b t m j c" if example.ndim == 5 else "b t j c"
    for value, axes in (
        (model.graph.input[0], "b t c h w" if classifier.form.size else joints),
        (model.graph.output[0], "b k"),
    ):
        value.type.tensor_type.shape.dim[0].dim_param, value.doc_string = "b", axes
    onnx.helper.set_model_props(model, description.metadata(classifier.description))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _examples(classifier: Classifier) -> list[Tensor]:
    """Seeded clips as the network takes them, several and one at a time; joints with and without a second body."""
    form, settings = classifier.form, classifier.settings
    generator = torch.Generator().manual_seed(0)

    def taken(clips: Tensor) -> Tensor:
        return inputs(clips, settings, None, augmented=False)

    shape = (EXAMPLE, *form.shape)
    if form.size:
        clips = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
        return [taken(clips), taken(clips[:1])]
    clips = torch.randn(shape, generator=generator)
    alone = clips.clone()
    alone[:, :, 1:] = 0
    mixed = torch.cat([clips[:1], alone[1:], clips[:2]])
    return [taken(batch) for batch in (mixed, clips, alone, clips[:1], alone[:1])]


def _compare(classifier: Classifier, examples: list[Tensor], path: Path) -> None:
    """Raise `RunError` unless onnxruntime gives the logits that torch gives."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is raised, too
    for clips in examples:
        with torch.inference_mode():
            wanted = classifier.network(clips).numpy()
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            (got,) = session.run(None, {"clips": clips.numpy()})
        except Exception as error:  # onnxruntime raises kinds of its own
            raise RunError(
                f"onnxruntime cannot run the exported network ({_first_line(error)}): not exported"
            ) from error
        off = float(np.abs(got - wanted).max()) if got.shape == wanted.shape else float("inf")
        if not off <= TOLERANCE:
            raise RunError(
                f"onnxruntime's logits differ from torch's by {off:.2g}, more than {TOLERANCE:g}: not exported"
            )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _without_traces(graph) -> None:
    """Remove from an ONNX graph where in torch, and in files of this machine, each of its parts came from."""
    del graph.value_info[:]
    for part in (graph, *graph.input, *graph.output, *graph.initializer, *graph.node):
        del part.metadata_props[:]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch's exporter, which reports progress on stdout and through warnings and logs; errors still pass."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


@contextlib.contextmanager
def _without_branches() -> Iterator[None]:
    """Make the CNN of joints treat every clip as it treats a mixed batch.

    How many bodies there are decides which branch it takes and the shapes there, which ONNX cannot express. Here absent
    bodies go through the CNN too and their maps are zeroed afterwards: in evaluation this gives the same numbers.
    """
    substitutes = {"bodies_present": _every_body, "_scattered": _zeroed, "_present": _of_regions}
    originals = {name: getattr(bodies, name) for name in substitutes}
    try:
        for name, function in substitutes.items():
            setattr(bodies, name, function)
        yield
    finally:
        for name, function in originals.items():
            setattr(bodies, name, function)


def _every_body(joints: Tensor) -> tuple[Tensor, Tensor]:
    present = (joints != 0).flatten(3).any(dim=3).any(dim=1)  # (b, m)
    present = torch.cat([torch.ones_like(present[:, :1]), present[:, 1:]], dim=1)
    return rearrange(joints, "b t m j c -> (b m) t j c"), present


def _zeroed(bodies: Tensor, present: Tensor) -> Tensor:
    shape = (-1, *(1 for _ in bodies.shape[1:]))
    return bodies * rearrange(present, "b m -> (b m)").reshape(shape).to(bodies.dtype)


def _of_regions(present: Tensor) -> Tensor:
    return repeat(present, "b m -> b (m r)", r=len(PARTS))
