"""A network adapted to one person: the command, the run folder that comes of it, and what is refused."""

import json
import shutil
import warnings

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.special import softmax

from tests.test_training import WRITE, small
from tests.tracking.camera import Camera, box_of
from tests.tracking.test_track import STANDING
from wtmr_core import card, checkpoint, description, runs, training
from wtmr_core.__main__ import main
from wtmr_core.classifier import Classifier
from wtmr_core.tracking import adapt as adapting
from wtmr_core.tracking import adaptation, detectors
from wtmr_core.tracking.adapt import adapt, head_of
from wtmr_core.tracking.log import LogWriter
from wtmr_core.tracking.people import Sighting
from wtmr_core.tracking.track import HOME, track

SIZE = (64, 48)
TURN = 30  # frames, at ten a second, after which the person does something else
FRAMES = 8 * TURN


def joints_of(frame: int) -> np.ndarray:
    """(17, 3) of somebody who stands upright and stoops in turns."""
    body = STANDING - [0, 0.52]
    stooped = frame // TURN % 2
    turn = 0.5 * stooped + 0.05 * np.sin(frame / 9)
    upper = np.arange(17) < 11
    body[upper] = body[upper] @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.column_stack([30 * body + [30, 20], np.full(17, 0.9)])


def detector() -> Camera:
    """One of joints that sees this person."""
    return Camera(lambda frame: joints_of(frame)[None], (100, 100))


@pytest.fixture(autouse=True)
def _camera_and_few_fits(monkeypatch):
    monkeypatch.setattr(detectors, "poses", detector)
    monkeypatch.setattr(detectors, "load", lambda name: detector())
    monkeypatch.setattr(adaptation, "STRENGTHS", (0.03,))
    monkeypatch.setattr(adaptation, "FOLDS", 4)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """A video, light while the person stands upright and dark while they stoop, and its log."""
    folder = tmp_path_factory.mktemp("day")
    video = cv2.VideoWriter(str(folder / "home.avi"), cv2.VideoWriter.fourcc(*"XVID"), 10, SIZE)
    for frame in range(FRAMES):
        video.write(np.full((SIZE[1], SIZE[0], 3), 40 if frame // TURN % 2 else 200, np.uint8))
    video.release()
    with LogWriter(folder / "log", video=str(folder / "home.avi"), size=SIZE, detector="camera", model="home") as log:
        for frame in range(FRAMES):
            log.processed(frame, frame / 10, {1: Sighting(frame, frame / 10, box_of(joints_of(frame)), 0.9)})
        log.finish()
    return folder


def turns(upright: str, stooped: str) -> list[str]:
    return [(upright, stooped)[n % 2] for n in range(FRAMES // TURN)]


def table(path, activities):
    rows = [f"{name},{3 * n + 0.5:.1f},{3 * n + 2.5:.1f}\n" for n, name in enumerate(activities)]
    path.write_text("activity,start_s,end_s\n" + "".join(rows))
    return path


@pytest.fixture
def labels(tmp_path):
    """The network takes this person's standing for walking, and their walking for standing."""
    return table(tmp_path / "labels.csv", turns("standing", "walking"))


def command(day, labels, out, *more, model="home", capsys):
    arguments = ["adapt", model, day / "log", "--labels", labels, "--out", out, *more]
    status = main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


# -- adapted


@pytest.fixture(scope="module")
def adapted(day, tmp_path_factory):
    """The folder of an adapted network, and what `adapt` said."""
    folder = tmp_path_factory.mktemp("adapted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detectors, "poses", detector)
        patch.setattr(adaptation, "STRENGTHS", (0.03,))
        patch.setattr(adaptation, "FOLDS", 4)
        told = adapt(
            "home", [day / "log"], table(folder / "labels.csv", turns("standing", "walking")), folder / "of-anna"
        )
    return folder / "of-anna", told


def test_a_person_whose_way_of_moving_is_not_known_gains(adapted):
    _, told = adapted
    assert told["episodes"] == 8
    assert told["activities"] == {"standing": 4, "walking": 4}
    assert told["before"] < 0.6 < 0.9 < told["after"]
    assert told["chance"] <= 0.05
    assert told["worse"] == 0
    assert told["warnings"] == []


def test_the_folder_is_a_whole_and_signed_run(adapted):
    folder, told = adapted
    assert runs.finished(folder)
    run, old = runs.load(folder), runs.load(HOME)
    assert run.settings == old.settings
    assert run.metrics["adapted"] == [{key: told[key] for key in told if key not in ("folder", "warnings")}]
    assert run.metrics["test"] == old.metrics["test"]  # of the network before, and the card says so
    assert not [path for path in folder.parent.iterdir() if path.name.endswith(".part")]


def test_only_the_rows_of_labelled_activities_differ(adapted):
    folder, _ = adapted
    old, new = load_file(HOME / runs.WEIGHTS), load_file(folder / runs.WEIGHTS)
    assert {key for key in old if not old[key].equal(new[key])} == {"head.weight", "head.bias"}
    classes = runs.load(HOME).classes
    changed = (old["head.weight"] != new["head.weight"]).any(dim=1)
    assert {classes[n] for n in np.flatnonzero(changed)} == {"standing", "walking"}
    assert all(new[key].dtype == old[key].dtype for key in old)


def test_the_weights_and_the_card_say_what_they_are(adapted):
    folder, _ = adapted
    facts = Classifier.load(folder).description
    assert facts["adapted"][0]["episodes"] == 8
    assert facts["licence"].endswith("; recordings of one person, the user's own")
    text = (folder / card.CARD).read_text()
    assert text.startswith("# of-anna\n")
    assert "from `home`, by 8 labelled episodes of one person in\n1 logs (standing 4, walking 4)" in text
    assert "## Figures before it was adapted" in text
    assert text.index("## Adapted to one person") < text.index("## Use")
    assert "wtmr predict of-anna" in text


def test_tracking_with_it_logs_what_the_person_does(adapted, day, tmp_path):
    folder, _ = adapted
    right = {}
    for name, model in (("old", "home"), ("new", folder)):
        track(day / "home.avi", tmp_path / name, model=model)
        log = json.loads((tmp_path / name / "log.json").read_text())
        truth = [("standing", "walking")[frame // TURN % 2] for frame in range(FRAMES)]
        episodes = [(e["activity"], e["start_s"], e["end_s"]) for e in log["episodes"]]
        right[name] = sum(any(a == t and s <= n / 10 < e for a, s, e in episodes) for n, t in enumerate(truth))
    assert log["model"] == str(folder)
    assert right["old"] < 0.6 * FRAMES < 0.8 * FRAMES < right["new"]


def test_an_adapted_network_can_be_adapted_again(adapted, day, tmp_path):
    folder, _ = adapted
    labels = table(tmp_path / "labels.csv", turns("walking", "standing"))  # as others do, after all
    told = adapt(folder, [day / "log"], labels, tmp_path / "again")
    facts = Classifier.load(tmp_path / "again").description
    assert [entry["from"] for entry in facts["adapted"]] == ["home", "of-anna"] == ["home", told["from"]]
    assert facts["licence"].count("the user's own") == 1
    assert (tmp_path / "again" / card.CARD).read_text().count("## Adapted to one person") == 2


def test_the_command_says_what_came_out(day, labels, tmp_path, capsys):
    status, out, err = command(day, labels, tmp_path / "out", capsys=capsys)
    assert (status, err) == (0, "")
    first, second = out.splitlines()
    assert first == str(tmp_path / "out")
    assert second.startswith("8 episodes, each held back in turn: ")
    status, out, _ = command(day, labels, tmp_path / "json", "--json", capsys=capsys)
    assert status == 0
    assert json.loads(out)["folder"] == str(tmp_path / "json")


def test_the_same_labels_give_the_same_weights(adapted, day, labels, tmp_path, capsys):
    command(day, labels, tmp_path / "out", capsys=capsys)
    one, two = (load_file(folder / runs.WEIGHTS) for folder in (adapted[0], tmp_path / "out"))
    assert all(one[key].equal(two[key]) for key in one)


def test_where_the_person_is_not_seen_it_is_told(day, labels, tmp_path, capsys):
    log = shutil.copytree(day / "log", tmp_path / "log")
    rows = (log / "tracks.txt").read_text().splitlines(keepends=True)
    (log / "tracks.txt").write_text("".join(rows[:-TURN]))  # not in the last episode
    status, _, err = command(tmp_path, labels, tmp_path / "out", capsys=capsys)
    assert status == 0
    assert "left out, as the person is not seen enough: walking, 21.5 to 23.5 s" in err
    assert Classifier.load(tmp_path / "out").description["adapted"][0]["episodes"] == 7


# -- networks of every kind


@pytest.mark.parametrize("dataset", ["hmdb51", "ntu60", "svideoqa"])
@pytest.mark.parametrize("model", ["wtmr", "released-wtmr", "released-wmrc", "released-timesformer"])
def test_the_head_of_every_network_gives_its_probabilities_from_its_features(dataset, model):
    settings = small(dataset, model=model, views=1)
    facts = description.of(settings, ["sit", "walk", "fall"], 2.0, "MIT")
    torch.manual_seed(0)
    classifier = Classifier(checkpoint.new_network(settings, 3), settings, facts, torch.device("cpu"))
    values = np.random.default_rng(0).uniform(0.5, 1, (4, *classifier.form.shape))
    clips = (255 * values).astype(np.uint8) if classifier.form.size else values.astype(np.float32)
    expected = softmax(head_of(classifier)(classifier.features_of_clips(clips)), axis=1)
    np.testing.assert_allclose(classifier.of_clips(clips), expected, atol=1e-5)
    assert classifier.features_of_clips(clips[:0]).shape == (0, classifier.head.in_features)
    assert classifier.of_clips(clips[:0]).shape == (0, 3)


def test_a_released_network_of_frames_is_adapted_too(day, tmp_path, monkeypatch, capsys):
    """Which looks at the picture: light is walking, dark is sitting."""
    monkeypatch.setattr(adaptation, "CHANCE", 0.1)  # it takes all for one activity, so that four episodes can gain
    root = WRITE["hmdb51"](tmp_path / "set")
    settings = small("hmdb51", model="released-wmrc", epochs=1, views=1)
    run = training.run(settings, tmp_path / "results", root)
    facts = Classifier.load(run).description
    assert facts["classes"] == ["sit", "walk"]
    capsys.readouterr()  # of the training
    labels = table(tmp_path / "labels.csv", turns("walk", "sit"))
    status, out, err = command(day, labels, tmp_path / "out", "--json", model=run, capsys=capsys)
    assert (status, err) == (0, "")
    assert json.loads(out)["after"] > 0.9
    assert Classifier.load(tmp_path / "out").description["model"] == "released-wmrc"
    assert description.read(runs.load(tmp_path / "out"), Classifier.load(run).settings)["adapted"]


# -- refused


def refused(day, labels, out, *more, capsys, **model):
    status, printed, err = command(day, labels, out, *more, capsys=capsys, **model)
    assert printed == ""
    assert not out.exists() or not any(out.iterdir())
    return status, err


def test_labels_that_contradict_each_other_are_refused(day, tmp_path, capsys):
    names = ["standing", "walking", "bending"] * 2 + ["standing", "walking"]  # each of both postures
    status, err = refused(day, table(tmp_path / "labels.csv", names), tmp_path / "out", capsys=capsys)
    assert status == 1
    assert err.startswith("wtmr: not adapted: on episodes held back the adapted network is right ")


def test_too_few_labels_are_refused_with_how_many_are_needed(day, tmp_path, capsys):
    labels = table(tmp_path / "labels.csv", ["standing", "sitting", "standing"])
    status, err = refused(day, labels, tmp_path / "out", capsys=capsys)
    assert status == 1
    assert "there are 3 episodes, and 2 or more of 1 activity: at least 6 are needed" in err


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ["standing", "cooking"],
            "cooking, 3.5 to 5.5 s: the network does not know 'cooking'; it knows bending, falling",
        ),
        ([], "has no rows: label some episodes"),
        (["standing"] * 9, "the video of"),
    ],
)
def test_labels_that_cannot_be_are_errors(day, tmp_path, capsys, names, said):
    status, err = refused(day, table(tmp_path / "labels.csv", names), tmp_path / "out", capsys=capsys)
    assert status == 2
    assert said in err


def test_a_log_whose_video_is_gone_is_an_error_that_says_what_to_do(day, labels, tmp_path, capsys):
    log = shutil.copytree(day / "log", tmp_path / "log")
    known = json.loads((log / "log.json").read_text())
    known["video"]["name"] = "gone/home.avi"
    (log / "log.json").write_text(json.dumps(known))
    status, err = refused(tmp_path, labels, tmp_path / "out", capsys=capsys)
    assert status == 2
    assert "its video gone/home.avi is not at gone/home.avi" in err
    assert "--video" in err
    assert command(tmp_path, labels, tmp_path / "out", "--video", day, capsys=capsys)[0] == 0


def test_a_folder_with_files_is_left_alone(day, labels, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    assert command(day, labels, tmp_path / "out", capsys=capsys)[0] == 0  # an empty one serves
    before = (tmp_path / "out" / runs.SUMS).read_text()
    status, _, err = command(day, labels, tmp_path / "out", capsys=capsys)
    assert status == 2
    assert "is there already: name a new folder" in err
    assert (tmp_path / "out" / runs.SUMS).read_text() == before


def test_a_folder_without_a_run_and_a_missing_table_are_errors(day, labels, tmp_path, capsys):
    status, err = refused(day, labels, tmp_path / "out", model=tmp_path, capsys=capsys)
    assert (status, "holds no finished run" in err) == (2, True)
    status, err = refused(day, tmp_path / "none.csv", tmp_path / "out", capsys=capsys)
    assert (status, "none.csv: No such file" in err) == (2, True)


def test_what_is_cut_short_while_writing_leaves_nothing(day, labels, tmp_path, monkeypatch, capsys):
    def full(path, tensors, **_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(adapting, "save_file", lambda tensors, path, **_: full(path, tensors))
    status, err = refused(day, labels, tmp_path / "out", capsys=capsys)
    assert status == 2
    assert "No space left" in err
    assert {path.name for path in tmp_path.iterdir()} == {"labels.csv"}


def test_no_warning_is_hidden_from_who_calls(day, labels, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adapt("home", [day / "log"], labels, tmp_path / "out")
