"""A trained run applied to recordings: as in training, in windows, and refused in words."""

import json
import subprocess
import sys
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import PROJECT, write_frames, write_packets, write_video
from tests.test_training import WRITE, leave_half, small
from wtmr_core import Classifier, description, recording, runs, training
from wtmr_core.datasets.skeleton_file import load
from wtmr_core.datasets.video import ClipFormat, Remark, decoded
from wtmr_core.metrics import probabilities
from wtmr_core.models import build
from wtmr_core.recording import Recording

KINDS = ("hmdb51", "ntu60", "svideoqa")
MOVIES = "hmdb51"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return WRITE["ntu60"](tmp_path_factory.mktemp("ntu60"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of an epoch on each of the small sets: its folder, and the set's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WTMR_CACHE", str(tmp_path_factory.mktemp("cache")))
        sets = {name: WRITE[name](tmp_path_factory.mktemp("sets") / name) for name in KINDS}
        results = tmp_path_factory.mktemp("results")
        views = {"frames": 4, "stored_frames": 8, "views": 2}
        return {name: (training.run(small(name, epochs=1, **views), results, sets[name]), sets[name]) for name in KINDS}


@pytest.fixture(scope="module")
def classifiers(trained):
    return {name: Classifier.load(folder, "cpu") for name, (folder, _) in trained.items()}


def quietly(work, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Remark)
        return work(*arguments, **options)


# -- as in training


def paths_by_name(dataset, root):
    index = training.prepare(small(dataset), root).cache.index
    return dict(zip(index.samples.name, index.paths(), strict=True))


@pytest.mark.parametrize("dataset", KINDS)
def test_a_test_clip_read_from_its_file_gets_what_its_run_said(trained, classifiers, dataset):
    folder, root = trained[dataset]
    run, paths = runs.load(folder), paths_by_name(dataset, root)
    for name, logits in zip(run.names, run.logits, strict=True):
        read = classifiers[dataset].read(paths[name])
        prediction = quietly(classifiers[dataset].predict, read)
        np.testing.assert_allclose(prediction.probabilities, [probabilities(logits)], atol=1e-5)
    assert prediction.classes == run.classes
    assert prediction.labels == [run.classes[logits.argmax()]]


def test_a_run_as_published_on_joints_says_the_same(tmp_path, root):
    folder = training.run(small(protocol="published", epochs=1), tmp_path, root)
    run, paths, classifier = runs.load(folder), paths_by_name("ntu60", root), Classifier.load(folder)
    for name, logits in zip(run.names, run.logits, strict=True):
        prediction = classifier.predict(classifier.read(paths[name]))
        np.testing.assert_allclose(prediction.probabilities, [probabilities(logits)], atol=1e-5)


@pytest.mark.parametrize("dataset", ["hmdb51", "svideoqa"])
def test_frames_given_as_an_array_are_those_of_the_file(trained, classifiers, dataset):
    path = next(iter(paths_by_name(dataset, trained[dataset][1]).values()))
    frames = np.stack([frame[..., ::-1] for _, frame in decoded(path)])  # RGB
    by_file = quietly(classifiers[dataset].predict, classifiers[dataset].read(path))
    by_array = quietly(classifiers[dataset].predict, frames, fps=10)
    np.testing.assert_allclose(by_array.probabilities, by_file.probabilities, atol=1e-6)
    grey = frames[..., :1]
    alike = [quietly(classifiers[dataset].predict, given) for given in (grey, grey[..., 0], grey.repeat(3, axis=-1))]
    for other in alike[1:]:
        np.testing.assert_array_equal(other.probabilities, alike[0].probabilities)


def test_joints_given_as_an_array_are_those_of_the_file(trained, classifiers):
    classifier = classifiers["ntu60"]
    for path in paths_by_name("ntu60", trained["ntu60"][1]).values():
        joints = np.nan_to_num(load(path).joints).swapaxes(0, 1)  # t m j 3
        by_file, by_array = classifier.predict(classifier.read(path)), classifier.predict(joints.astype(float), fps=30)
        np.testing.assert_allclose(by_array.probabilities, by_file.probabilities, atol=1e-6)
        np.testing.assert_array_equal(by_array.ends, by_file.ends)
    alone = joints[:, 0]
    np.testing.assert_array_equal(
        classifier.predict(alone, fps=30).probabilities, classifier.predict(alone[:, None], fps=30).probabilities
    )


@pytest.mark.parametrize("dataset", ["hmdb51", "ntu60"])
@pytest.mark.parametrize("model", ["wtmr", "released-wtmr", "released-wmrc", "released-timesformer"])
def test_features_are_what_the_head_takes(classifiers, dataset, model):
    classifier = classifiers[dataset]
    settings = small(dataset, model=model)
    described = description.of(settings, ["a", "b", "c"], 1.0, "")
    network = build(dataset, model, classes=3, **settings.sizes())
    classifier = Classifier(network, settings, described, torch.device("cpu"))
    given = np.random.default_rng(0)
    given = (
        given.normal(size=(60, 2, 25, 3)) if dataset == "ntu60" else given.integers(0, 255, (60, 32, 32, 3), np.uint8)
    )
    features, prediction = classifier.features(given, fps=20), classifier.predict(given, fps=20)
    assert features.shape[0] == len(prediction.probabilities) == 5
    head = [m for m in network.modules() if isinstance(m, torch.nn.Linear)][-1]
    with torch.inference_mode():
        by_hand = head(torch.from_numpy(features)).softmax(dim=-1).numpy()
    np.testing.assert_allclose(by_hand, prediction.probabilities, atol=1e-5)


# -- windows


def spans(times, end, seconds, stride=None):
    windows = Recording([None] * len(times), np.asarray(times, float), end).windows(seconds, stride)
    return [(w.first, w.stop, round(w.start, 6), round(w.end, 6)) for w in windows]


@pytest.mark.parametrize(
    ("times", "end", "seconds", "stride", "expected"),
    [
        ([0, 1, 2, 3, 4, 5], 6, 4, None, [(0, 6, 0, 6)]),  # 1.5 windows are one
        ([0, 1, 2, 3, 4, 5, 6], 7, 4, None, [(0, 4, 0, 4), (2, 6, 2, 6), (3, 7, 3, 7)]),
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, 4, None, [(0, 4, 0, 4), (2, 6, 2, 6), (4, 8, 4, 8)]),
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, 4, 4, [(0, 4, 0, 4), (4, 8, 4, 8)]),
        ([0, 1, 2, 3, 4, 5, 6, 7], 8.1, 4, 2, [(0, 4, 0, 4), (2, 6, 2, 6), (4, 8, 4.1, 8.1)]),  # not 4 and 4.1
        ([10, 11, 12, 13], 14, 2, 2, [(0, 2, 10, 12), (2, 4, 12, 14)]),  # a recording that begins later
        ([0, 1, 2, 3], 4, 1.5, 1.5, [(0, 2, 0, 1.5), (1, 3, 1.5, 3), (2, 4, 2.5, 4)]),  # shown in both
        ([0, 1, 100, 101], 102, 2, 2, [(0, 2, 0, 2), (2, 4, 100, 102)]),  # nothing begins between
        ([0, 1, 10**12, 10**12 + 1], 10**12 + 2, 2, 2, [(0, 2, 0, 2), (2, 4, 10**12, 10**12 + 2)]),
        ([0, 1, 2, 3, 4, 5], 6, None, None, [(0, 6, 0, 6)]),  # the run knows no length
        ([0], 0, 4, None, [(0, 1, 0, 0)]),
    ],
)  # fmt: skip
def test_windows_by_hand(times, end, seconds, stride, expected):
    assert spans(times, end, seconds, stride) == expected


@pytest.mark.parametrize("fps", [7, 12.5, 23.976, 29.97, 30])
def test_windows_of_many_rates_are_alike_long_and_cover_everything(fps):
    times, seconds = np.arange(400) / fps, 1.7
    windows = spans(times, 400 / fps, seconds)
    assert windows[0][0] == 0
    assert windows[-1][1] == 400
    assert all(after[0] <= before[1] for before, after in pairwise(windows))
    assert all(abs((behind - first) - seconds * fps) <= 2 for first, behind, *_ in windows)
    assert all(round(end - start, 6) == seconds for *_, start, end in windows)


def test_a_long_recording_is_several_windows_each_as_it_is_alone(classifiers):
    classifier = classifiers[MOVIES]
    frames = np.random.default_rng(0).integers(0, 255, (40, 20, 30, 3), np.uint8)
    assert classifier.seconds == pytest.approx(0.6)
    prediction = classifier.predict(frames, fps=10, stride=1.0)
    assert prediction.probabilities.shape == (5, 2)
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(prediction.starts, [0, 1, 2, 3, 3.4])
    np.testing.assert_allclose(prediction.ends, prediction.starts + 0.6)
    alone = [classifier.predict(frames[first : first + 6], fps=10).probabilities[0] for first in (0, 10, 20, 30, 34)]
    np.testing.assert_allclose(prediction.probabilities, alone, atol=1e-5)
    np.testing.assert_allclose(prediction.overall, np.mean(alone, axis=0), atol=1e-5)
    by_times = classifier.predict(frames, times=5 + np.arange(40) / 10, stride=1.0)
    np.testing.assert_allclose(by_times.probabilities, prediction.probabilities, atol=1e-6)
    np.testing.assert_allclose(by_times.starts, 5 + prediction.starts)
    assert len(classifier.predict(frames, fps=10, seconds=4.0).probabilities) == 1
    np.testing.assert_array_equal(classifier(frames, fps=10, stride=1.0), prediction.probabilities)
    many = classifier.predict(frames, fps=10, stride=0.1)  # more than go through the network at a time
    np.testing.assert_allclose(many.probabilities[::10], alone[:4], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fps": 30}, "short: it lasts 0.10 s, the recordings trained on about 0.60 s"),
        ({}, "one window: the recording has no times"),
    ],
)
def test_what_is_odd_about_a_recording_is_said(classifiers, options, said):
    frames = np.zeros((3, 20, 30, 3), np.uint8)
    with pytest.warns(Remark, match=said) as caught:
        assert len(classifiers[MOVIES].predict(frames, **options).probabilities) == 1
    assert caught[0].filename == __file__


def test_a_run_on_frames_without_times_takes_all_as_one_window_unless_told(classifiers):
    classifier, frames = classifiers["svideoqa"], np.zeros((50, 20, 30, 3), np.uint8)
    assert classifier.seconds is None
    with pytest.warns(Remark, match="does not know how long its recordings were; give seconds"):
        assert len(classifier.predict(frames, fps=10).probabilities) == 1
    assert len(classifier.predict(frames, fps=10, seconds=1.0).probabilities) == 9


def test_windows_without_a_body_are_left_out_and_said(classifiers):
    classifier, joints = classifiers["ntu60"], np.random.default_rng(0).normal(size=(90, 2, 25, 3))
    joints[30:60] = 0
    with pytest.warns(Remark, match="windows left out: 1 of 5: no body in any frame"):
        prediction = classifier.predict(joints, fps=30, stride=0.6)
    np.testing.assert_allclose(prediction.starts, [0, 0.6, 1.8, 2.4])
    with pytest.raises(ValueError, match=r"does not serve: no body in any frame \(90 frames\)"):
        classifier.predict(0 * joints, fps=30, seconds=4)


def test_seconds_of_a_file_are_its_own(tmp_path):
    path = write_video(tmp_path / "a.avi", frames=9)
    form = ClipFormat(frames=4, size=16)
    read = recording.read(path, form)
    np.testing.assert_allclose(read.times, np.arange(9) / 10, atol=1e-9)
    assert read.end == pytest.approx(0.9)
    assert recording.length(path, form) == pytest.approx(0.9)
    assert recording.length(tmp_path / "none.avi", form) is None


def test_seconds_that_do_not_rise_go_on_at_the_files_rate(tmp_path):
    grey = np.full((48, 64, 3), 99, np.uint8)
    path = write_packets(tmp_path / "a.mkv", [(at, grey) for at in (0, 100, 100, 50, 900)])
    np.testing.assert_allclose([at for at, _ in decoded(path)], [0, 0.1, 0.2, 0.3, 0.9])


def test_real_recordings(recordings):
    """Seconds of real and of odd videos rise, whatever their containers tell."""
    form = ClipFormat(frames=4, size=16)
    read = recording.read(next((recordings / "homes/subject-1").glob("*.mp4")), form)
    assert (np.diff(read.times) > 0).all()
    assert 3 <= read.end <= 11
    odd = quietly(recording.read, recordings / "odd_videos/decord/unordered.mov", form)
    assert (np.diff(odd.times) > 0).all()


# -- refused in words


FRAMES, JOINTS = np.zeros((9, 20, 30, 3), np.uint8), np.ones((9, 2, 25, 3))


@pytest.mark.parametrize(
    ("dataset", "given", "options", "said"),
    [
        ("hmdb51", JOINTS, {"fps": 30}, r"trained on frames: give \(t, h, w, 3\) .* not float64 of shape \(9,"),
        ("hmdb51", FRAMES[0, 0], {}, r"trained on frames: .*\(30, 3\)"),
        ("hmdb51", FRAMES[:0], {"fps": 30}, "no frames"),
        ("ntu60", FRAMES, {"fps": 30}, "trained on joints: give joints .* not uint8"),
        ("ntu60", JOINTS[:, :, :17], {"fps": 30}, r"expected joints \(t, m, 25, 3\) .*found the shape \(9, 2, 17, 3\)"),
        ("ntu60", JOINTS[..., :2], {"fps": 30}, "expected joints"),
        ("ntu60", JOINTS[:0], {"fps": 30}, "no joints"),
        ("ntu60", JOINTS * np.nan, {"fps": 30}, "not finite; give zeros where a body is not seen"),
        *(("hmdb51", FRAMES, {"fps": fps}, "fps is .*must be a number above 0") for fps in (0, -1, np.nan, "25", True)),
        ("hmdb51", FRAMES, {"fps": 30, "times": range(9)}, "both given"),
        ("hmdb51", FRAMES, {"times": [0, 1]}, "the second of each of the 9 frames"),
        ("hmdb51", FRAMES, {"times": [0] * 9}, "rising"),
        ("hmdb51", FRAMES, {"fps": 30, "seconds": 0}, "seconds is 0"),
        ("hmdb51", FRAMES, {"fps": 30, "stride": -1}, "stride is -1"),
        ("hmdb51", FRAMES, {"fps": 3, "stride": 1e-9}, "stride is 1e-09 s; of windows of 0.6 s it must be 0.0006 or"),
    ],
)  # fmt: skip
def test_what_cannot_be_classified_is_refused(classifiers, dataset, given, options, said):
    with pytest.raises(ValueError, match=said):
        classifiers[dataset].predict(given, **options)


def test_files_that_cannot_be_classified_are_refused(trained, classifiers, tmp_path):
    movies, bodies = classifiers[MOVIES], classifiers["ntu60"]
    skeleton = next(trained["ntu60"][1].rglob("*.skeleton"))
    with pytest.raises(ValueError, match="holds joints, but the run was trained on frames"):
        movies.read(skeleton)
    with pytest.raises(ValueError, match=r"is no \.skeleton file, but the run was trained on joints"):
        bodies.read(write_video(tmp_path / "a.avi"))
    with pytest.raises(FileNotFoundError):
        movies.read(tmp_path / "none.avi")
    (tmp_path / "b.avi").write_bytes(b"no video" * 99)
    with pytest.raises(ValueError, match=r"b\.avi: no frame decodes$"):
        movies.read(tmp_path / "b.avi")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="folder: no frames"):
        movies.read(tmp_path / "folder")
    with pytest.raises(ValueError, match="fps is 0"):
        movies.read(write_frames(tmp_path / "frames", [1, 2, 3]), fps=0)
    (tmp_path / "a.skeleton").write_bytes(skeleton.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"a\.skeleton: cut short"):
        bodies.read(tmp_path / "a.skeleton")


def test_a_folder_that_is_no_trained_run_is_refused(trained, root, tmp_path, monkeypatch):
    with pytest.raises(runs.RunError, match="there is no run folder"):
        Classifier.load(tmp_path / "none")
    with pytest.raises(runs.RunError, match="holds no finished run"):
        Classifier.load(leave_half(root, tmp_path / "half", monkeypatch))
    with pytest.raises(runs.RunError, match="device is nowhere"):
        Classifier.load(trained["ntu60"][0], "nowhere")
    if not torch.cuda.is_available():
        with pytest.raises(runs.RunError, match="torch sees 0 GPUs"):
            Classifier.load(trained["ntu60"][0], "cuda:3")


def rewritten(folder, metadata):
    """The weights of a run with other metadata, and without sums, which would not hold."""
    save_file(load_file(folder / runs.WEIGHTS), folder / runs.WEIGHTS, metadata)
    (folder / runs.SUMS).unlink(missing_ok=True)


@pytest.fixture
def folder(root, tmp_path):
    return training.run(small(epochs=1), tmp_path, root)


def test_weights_without_a_description_are_read(folder):
    joints = np.random.default_rng(0).normal(size=(18, 2, 25, 3))
    with_it = Classifier.load(folder).predict(joints, fps=30)
    rewritten(folder, None)
    without = Classifier.load(folder)
    assert without.seconds is None
    with pytest.warns(Remark, match="does not know how long"):
        prediction = without.predict(joints, fps=30)
    np.testing.assert_array_equal(prediction.probabilities, with_it.probabilities)
    assert without.description["licence"] == "academic use only (NTU RGB+D)"


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ({"format": 2}, "is of format 2, and this wtmr_core reads format 1: use the one that wrote it"),
        ({"classes": ["sit"]}, "its classes are not those of the run"),
    ],
)
def test_weights_of_another_format_or_run_are_refused(folder, harm, said):
    rewritten(folder, description.metadata(Classifier.load(folder).description | harm))
    with pytest.raises(runs.RunError, match=said):
        Classifier.load(folder)


@pytest.mark.parametrize("text", ["{", "[1]", "null"])
def test_a_damaged_description_is_named(folder, text):
    rewritten(folder, {description.KEY: text})
    with pytest.raises(runs.RunError, match=r"model\.safetensors is damaged"):
        Classifier.load(folder)


def test_weights_that_are_absent_or_damaged_are_named(folder):
    whole = (folder / runs.WEIGHTS).read_bytes()
    for content in (b"", whole[: len(whole) // 2], whole[:-1] + bytes([whole[-1] ^ 1])):
        (folder / runs.WEIGHTS).write_bytes(content)
        with pytest.raises(runs.RunError, match=r"model\.safetensors is damaged"):
            Classifier.load(folder)
    (folder / runs.WEIGHTS).unlink()
    with pytest.raises(runs.RunError, match="has no weights"):
        Classifier.load(folder)


# -- what the weights say


def test_the_weights_say_what_they_are(trained):
    from safetensors import safe_open

    with safe_open(trained["hmdb51"][0] / runs.WEIGHTS, "np") as weights:
        assert list(weights.metadata()) == ["wtmr"]
        told = json.loads(weights.metadata()["wtmr"])
    assert (told["format"], told["dataset"], told["model"], told["classes"]) == (1, "hmdb51", "wtmr", ["sit", "walk"])
    assert told["licence"] == "CC BY 4.0 (HMDB51)"
    assert told["input"] == {
        "modality": "frames", "frames": 4, "stored_frames": 8, "views": 2, "choice": "uniform", "size": 32,
        "channels": 1, "fit": "the whole frame, squashed to a square", "mean": [0.485], "std": [0.229], "seconds": 0.6,
    }  # fmt: skip
    joints = Classifier.load(trained["ntu60"][0]).description["input"]
    assert (joints["modality"], joints["bodies"], joints["unit"], joints["seconds"]) == ("joints", 2, "metre", 0.6)


def test_licences(tmp_path):
    assert description.licence("svideoqa", tmp_path) == "not known (SVideoQA)"
    assert description.licence("somebodys", tmp_path) == description.OWN
    (tmp_path / "LICENCE.txt").touch()
    assert description.licence("hmdb51", tmp_path) == "CC BY 4.0 (HMDB51); see LICENCE.txt beside them"
    (tmp_path / "mini.json").touch()
    assert description.licence("hmdb51", tmp_path) == description.MINIATURE


def test_the_length_of_training_recordings_is_the_median_of_some(tmp_path):
    form = ClipFormat(frames=4, size=16)
    paths = [write_video(tmp_path / f"{n}.avi", frames=n) for n in (4, 20, 5)]
    assert description.typical_length([*paths, tmp_path / "gone.avi"], form) == 0.5
    assert description.typical_length([write_frames(tmp_path / "frames", [1, 2])], form) is None
    assert description.typical_length([], form) is None


def test_the_package_alone_takes_no_torch():
    code = "import sys, wtmr_core; assert 'torch' not in sys.modules; from wtmr_core import Classifier; Classifier.load"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)
    with pytest.raises(ImportError):
        from wtmr_core import Classifer  # noqa: F401
