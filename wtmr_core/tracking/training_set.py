"""The training set of the `home` model: windows of a person's joints as a pose estimator gives them, by activity.

    python -m wtmr_core.tracking.training_set OUT [--recordings DIR] [--seed N] [--sequences N]

writes `OUT/<part>/<activity>/<source>_<person>_<number>.skeleton`, a data set of one's own (`dataset=skeletons`), of
windows of 16 steps at 10 Hz, labelled by what is done at their middle. Its sources:

- scenes of `scripts`, played by bodies that differ and seen by cameras 0.7–2.4 m high from 2–6 m in every direction;
- in DIR/utkinect, recordings of a Kinect (Xia, Chen, Aggarwal, "View invariant human action recognition using
  histograms of 3D joints", CVPRW 2012), seen by such cameras too;
- in DIR/jhmdb_skeletons, joints marked by hand in films (Jhuang et al., "Towards understanding action recognition",
  ICCV 2013).

All are projected to a picture and get the faults of pose estimators: jitter, sides swapped, a limb elsewhere, legs
that cannot be seen. `train` and `test` hold other people: bodies of their own, two performers of UTKinect, and
J-HMDB's test clips.

Axes: t frame, j joint.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wtmr_core.datasets.skeleton_file import load
from wtmr_core.miniature import body
from wtmr_core.miniature.camera import Camera
from wtmr_core.skeleton import HEAD, L_ANKLE, L_ELBOW, L_HIP, L_KNEE, L_SHOULDER, L_WRIST, MIRROR
from wtmr_core.tracking import motions, scripts
from wtmr_core.tracking.poses import RATE, skeleton, stretches, windows

TEST_SHARE = 5  # one synthetic person in so many is of the test part
VIEWS = 2  # cameras that see a sequence
KINECT_TESTED, KINECT_FPS, FILM_FPS = (4, 8), 15.0, 25.0
#: of each activity, windows kept of each source in the train part; test has a fifth as many
MOST = {"scene": 2000, "kinect": 400, "film": 400}

_LIMBS = (L_SHOULDER, L_ELBOW, L_WRIST, L_HIP, L_KNEE, L_ANKLE)
#: NTU's joint for each of COCO's 17; the five of the face lie in the head
_COCO = [HEAD] * 5 + [joint for limb in _LIMBS for joint in (limb, MIRROR[limb])]
_SWAPPED = [0, 2, 1, 4, 3, *(n for left in range(5, 17, 2) for n in (left + 1, left))]
_ARMS_AND_LEGS = ((7, 9), (8, 10), (13, 15), (14, 16), (15,), (16,), (9,), (10,))
_BELOW = (13, 14, 15, 16)


@dataclass(frozen=True)
class Sequence:
    """A person's joints through time, 25 or 26 of NTU's numbering: 3D in metres, floor at y = 0 (t, j, 3), or already
    in a picture, y up (t, j, 2). `activities` (t,), "" where it is none of those that are learnt."""

    name: str
    test: bool
    joints: np.ndarray
    activities: np.ndarray


def synthetic(seed: int, count: int) -> Iterator[Sequence]:
    """Scenes of `scripts` in turn, each by a body of its own; four in ten hold a fall."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        scenes = scripts.FALLS if number % 5 < 2 else scripts.DAILY
        scene, person = scenes[rng.integers(len(scenes))], body.random_person(rng)
        phases = scene(rng)
        times = np.arange(0, sum(phase.seconds for phase in phases), 1 / RATE)
        joints, activities = motions.perform(person, phases, times, rng)
        yield Sequence(f"scene_{number:04}", number // 5 % TEST_SHARE == 3, joints, activities)


def kinect(folder: Path) -> Iterator[Sequence]:
    """The recordings of UTKinect in `folder`. What is sitting down and what is seated already is told by the height of
    the hips and the lean of the trunk."""
    classes = (folder / "classes.txt").read_text(encoding="utf-8").split()
    for file in sorted((folder / "nturgb+d_skeletons").glob("*.skeleton")):
        action, performer = classes[int(file.stem[17:20]) - 1], int(file.stem[9:12])
        joints = load(file).joints[0] * [-1, 1, 1]  # its pictures are mirrored
        joints = joints - [*joints[:, [14, 18]].mean((0, 1))[[0]], joints[..., 1].min(), joints[:, 0, 2].mean()]
        (_, joints), *_ = stretches(np.arange(len(joints)) / KINECT_FPS, joints)
        trunk = joints[:, 20] - joints[:, 0]
        lean = trunk[:, 1] / np.linalg.norm(trunk, axis=1)
        height = joints[:, 0, 1] - joints[:, [14, 18], 1].mean(1)
        yield Sequence(
            f"kinect_P{performer:03}-{file.stem[12:16]}",
            performer in KINECT_TESTED,
            joints,
            _by_height(action, height / np.quantile(height, 0.9), lean),
        )


def _by_height(action: str, height: np.ndarray, lean: np.ndarray) -> np.ndarray:
    """The activity in each frame of an `action` of UTKinect: `height` (t,) of the hips, 1 upright; cosine `lean`."""
    upright = (height > 0.92) & (lean > 0.92)
    if action in ("walk", "carry"):
        return np.full(len(height), "walking")
    if action == "pickUp":
        return np.where((lean < 0.85) | (height < 0.8), "bending", np.where(upright, "standing", ""))
    if action not in ("sitDown", "standUp"):
        return np.full(len(height), "standing")
    changes = np.abs(np.gradient(height)) + np.abs(np.gradient(lean))
    moving = np.convolve(changes, np.ones(3) / 3, mode="same") > 0.03
    low = np.where(height < 0.85, "sitting", "")
    return np.where(
        upright, "standing", np.where(moving, "sitting down" if action == "sitDown" else "standing up", low)
    )


#: actions of J-HMDB that are an activity at home throughout, and those that are in their middle
_FILMED = {"walk": "walking", "clap": "standing", "wave": "standing", "throw": "standing"}
_FILMED_MIDDLE = {"sit": "sitting down", "stand": "standing up", "pick": "bending"}


def films(folder: Path) -> Iterator[Sequence]:
    """The clips of J-HMDB in `folder` whose actions are done at home."""
    classes = (folder / "classes.txt").read_text(encoding="utf-8").split()
    for file in sorted((folder / "nturgb+d_skeletons").glob("*.skeleton")):
        action = classes[int(file.stem[17:20]) - 1]
        if not (activity := _FILMED.get(action) or _FILMED_MIDDLE.get(action)):
            continue
        joints = load(file).joints[0, :, :, :2]
        (_, joints), *_ = stretches(np.arange(len(joints)) / FILM_FPS, joints)
        share = np.linspace(0, 1, len(joints))
        named = (action in _FILMED) | (np.abs(share - 0.5) < 0.15)
        yield Sequence(f"film_{file.stem}", int(file.stem[9:12]) == 3, joints, np.where(named, activity, ""))


# -- seen by a camera, and by a pose estimator


def seen(sequence: Sequence, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """COCO's 17 joints (t, 17, 2), y down, in lengths of a body, as a pose estimator tells them from the pictures of a
    camera drawn at random; and in which frames (t,) most of the body is in the picture."""
    joints, inside = sequence.joints, np.ones(len(sequence.joints), bool)
    if joints.shape[-1] == 3:
        points, inside = _projected(joints, rng)
    else:
        points = joints * [1, -1]
    coco = points[:, _COCO]
    if joints.shape[1] > body.NOSE:
        coco[:, 0] = points[:, body.NOSE]
    if sequence.name.startswith("film") and rng.random() < 0.5:  # whose left is whose differs between sets
        coco = coco[:, _SWAPPED]
    trunk = np.linalg.norm(coco[:, 5:7].mean(1) - coco[:, 11:13].mean(1), axis=-1)
    legs = np.linalg.norm(np.diff(coco[:, [11, 13, 15]], axis=1), axis=-1).sum(1)
    return faulty(coco / max(np.quantile((trunk + legs)[inside], 0.8) if inside.any() else 0, 1e-6), rng), inside


def _projected(joints: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Joints (t, j, 3) in the pictures of a camera (t, j, 2), and in which frames more than half of them are in it.

    What lies outside the picture is put on its edge: there, pose estimators guess.
    """
    middle = np.median(joints[:, 0], axis=0) + rng.normal(0, 0.3, 3)
    camera = Camera(
        (middle[0], rng.uniform(0.4, 1.2), middle[2]),
        rng.uniform(-np.pi, np.pi),
        rng.uniform(2.0, 6.0),
        rng.uniform(0.7, 2.4),
        1.0,
        (0, 0),
    )
    points, depth = camera.project(joints)
    points = points * [-1, 1]  # the camera sees as Kinect does, in a mirror
    half = np.tan(np.deg2rad(rng.uniform(20, 32))) * np.array([rng.choice([4 / 3, 16 / 9]), 1])
    inside = (np.abs(points) < half).all(-1) & (depth > 0.5)
    edge = np.clip(points, -half, half) + rng.normal(0, 0.04, points.shape) / np.median(depth)
    return np.where(inside[..., None], points, edge), inside.mean(1) > 0.5


def faulty(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Poses (t, 17, 2) in lengths of a body, with what pose estimators get wrong: jitter, sides swapped for a while, a
    limb elsewhere or on the other one, hidden legs, single frames far off."""
    points, count = points.copy(), len(points)

    def while_(chance: float, longest: int) -> Iterator[slice]:
        for _ in range(rng.poisson(chance * count / 10)):
            first = rng.integers(0, count)
            yield slice(first, first + rng.integers(1, longest + 1))

    for here in while_(0.5, 8):
        swapped = np.arange(17)
        some = [np.arange(5, 17), np.arange(11, 17), np.arange(5, 11)][rng.integers(3)]
        swapped[some] = np.array(_SWAPPED)[some]
        points[here] = points[here][:, swapped]
    for here in while_(0.5, 8):
        limb = list(_ARMS_AND_LEGS[rng.integers(len(_ARMS_AND_LEGS))])
        if rng.random() < 0.5:
            points[here, limb] = points[here][:, np.array(_SWAPPED)[limb]]
        else:
            points[here, limb] += rng.normal(0, 0.2, (1, len(limb), 2))
    if rng.random() < 0.12:  # hidden legs
        shrunk = rng.uniform(0.2, 0.8)
        hips = points[:, 11:13].mean(1, keepdims=True)
        points[:, _BELOW] = hips + shrunk * (points[:, _BELOW] - hips) + rng.normal(0, 0.05, (count, 4, 2))
    for here in while_(0.15, 2):
        points[here] = points[here] * rng.uniform(0.7, 1.2) + rng.normal(0, 0.12, points[here].shape)
    spread = rng.uniform(0.006, 0.03) * np.where(np.isin(np.arange(17), (7, 8, 9, 10, 13, 14, 15, 16)), 1.5, 1)
    drift = np.cumsum(rng.normal(0, 0.3, points.shape), 0)
    drift -= np.linspace(0, 1, count)[:, None, None] * drift[-1]
    return points + (rng.normal(0, 1, points.shape) + 0.3 * drift) * spread[:, None]


# -- the set on disk


def write(out: Path, recordings: Path | None = None, seed: int = 0, sequences: int = 1500) -> Counter:
    """Write the set into the folder `out`, which must not hold files yet; how many windows there are by part, source
    and activity. Raises `FileExistsError` for a folder with files, `FileNotFoundError` for sets not in `recordings`."""
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} holds files: name a new folder for the training set")
    sources = {"scene": synthetic(seed, sequences)}
    if recordings is not None:
        sources |= {"kinect": kinect(recordings / "utkinect"), "film": films(recordings / "jhmdb_skeletons")}
    written = Counter()
    for source, people in sources.items():
        views, every = (VIEWS, 2) if source == "scene" else (6, 2) if source == "kinect" else (1, 1)
        rows: dict[tuple[str, str], list[tuple[str, np.ndarray]]] = {}
        for number, sequence in enumerate(people):
            for view in range(views):
                rng = np.random.default_rng([seed, number, view, len(source)])
                points, inside = seen(sequence, rng)
                clips = windows(skeleton(points))
                for step in range(rng.integers(every), len(clips), every):
                    if inside[step] and (activity := str(sequence.activities[step])):
                        part = "test" if sequence.test else "train"
                        name = f"{sequence.name}_{view}-{step:03}"
                        rows.setdefault((part, activity), []).append((name, clips[step]))
        for (part, activity), clips in sorted(rows.items()):
            most = MOST[source] if part == "train" else MOST[source] // TEST_SHARE
            rng = np.random.default_rng([seed, len(clips)])
            kept = rng.permutation(len(clips))[:most]
            for number in sorted(kept):
                name, joints = clips[number]
                _write_skeleton(out / part / activity / f"{name}.skeleton", joints)
            written[part, source, activity] = len(kept)
    (out / "groups.txt").write_text("((scene|kinect|film)_[^_]+)_\n", encoding="utf-8")
    return written


def _write_skeleton(file: Path, joints: np.ndarray) -> None:
    """Write joints (t, 25, 3) of one body as NTU's text; what a camera does not tell of a joint is 0."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [str(len(joints))]
    for frame in joints:
        lines += ["1", "1 0 0 0 0 0 0 0 0 2", str(len(frame))]
        lines += [f"{x:.4f} {y:.4f} {z:.0f} 0 0 0 0 0 0 0 0 2" for x, y, z in frame]
    file.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def main() -> None:
    ask = argparse.ArgumentParser(
        prog="python -m wtmr_core.tracking.training_set", description="write the set of `home`"
    )
    ask.add_argument("out", type=Path)
    ask.add_argument("--recordings", type=Path, help="the folder that holds utkinect and jhmdb_skeletons")
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--sequences", type=int, default=1500, help="synthetic scenes")
    given = ask.parse_args()
    for (part, source, activity), count in write(given.out, given.recordings, given.seed, given.sequences).items():
        print(f"{part:5} {source:6} {activity:13} {count:5,}")


if __name__ == "__main__":
    main()
