"""The training set of the `home` model: windows of joints as a pose estimator would give them, by activity.

    python -m wtmr_core.tracking.training_set OUT [--recordings DIR] [--seed N] [--sequences N]

writes `OUT/<part>/<activity>/<source>_<person>_<number>.skeleton`, which trains as `dataset=skeletons`: windows of 16
steps at 10 Hz, labelled with the activity at their middle. The sources are

- scenes of `scripts`, played by random bodies and seen by cameras 0.7–2.4 m high, 2–6 m away, in every direction;
- in DIR/utkinect, recordings of a Kinect (Xia, Chen, Aggarwal, "View invariant human action recognition using
  histograms of 3D joints", CVPRW 2012), seen by such cameras too;
- in DIR/jhmdb_skeletons, joints annotated by hand in films (Jhuang et al., "Towards understanding action recognition",
  ICCV 2013).

All are projected to a picture and get the errors of pose estimators: jitter, swapped sides, misplaced limbs, hidden
legs. `train` and `test` share no people: `test` has bodies of its own, two performers of UTKinect, and J-HMDB's test
clips.

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

TEST_SHARE = 5  # one in five synthetic people is in the test part
VIEWS = 2  # cameras that see a sequence
KINECT_TESTED, KINECT_FPS, FILM_FPS = (4, 8), 15.0, 25.0
#: most windows of an activity from each source in the train part; test has a fifth of that
MOST = {"scene": 2000, "kinect": 400, "film": 400}

_LIMBS = (L_SHOULDER, L_ELBOW, L_WRIST, L_HIP, L_KNEE, L_ANKLE)
#: NTU's joint for each of COCO's 17; the five of the face lie in the head
_COCO = [HEAD] * 5 + [joint for limb in _LIMBS for joint in (limb, MIRROR[limb])]
_SWAPPED = [0, 2, 1, 4, 3, *(n for left in range(5, 17, 2) for n in (left + 1, left))]
_ARMS_AND_LEGS = ((7, 9), (8, 10), (13, 15), (14, 16), (15,), (16,), (9,), (10,))
_BELOW = (13, 14, 15, 16)


@dataclass(frozen=True)
class Sequence:
    """A person's joints over time, with the activity in each frame.

    Attributes:
        name: source, person and clip
        test: whether it belongs to the test part
        joints: NTU's 25, or 26 with the nose: (t, j, 3) in metres with the floor at y = 0, or (t, j, 2) in a picture, y
            up
        activities: (t,), "" where it is none of the classes
    """

    name: str
    test: bool
    joints: np.ndarray
    activities: np.ndarray


def synthetic(seed: int, count: int) -> Iterator[Sequence]:
    """Generate scenes of `scripts`, each with a body of its own; four in ten hold a fall."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        scenes = scripts.FALLS if number % 5 < 2 else scripts.DAILY
        scene, person = scenes[rng.integers(len(scenes))], body.random_person(rng)
        phases = scene(rng)
        times = np.arange(0, sum(phase.seconds for phase in phases), 1 / RATE)
        joints, activities = motions.perform(person, phases, times, rng)
        yield Sequence(f"scene_{number:04}", number // 5 % TEST_SHARE == 3, joints, activities)


def kinect(folder: Path) -> Iterator[Sequence]:
    """Read the recordings of UTKinect; height of the hips and lean of the trunk tell sitting down from sitting."""
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
    """The activity in each frame of an action of UTKinect.

    Args:
        action: its name
        height: (t,) of the hips, 1 when upright
        lean: (t,) cosine of the trunk's angle from upright
    """
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


#: actions of J-HMDB that are an activity at home throughout, and those that are one in their middle
_FILMED = {"walk": "walking", "clap": "standing", "wave": "standing", "throw": "standing"}
_FILMED_MIDDLE = {"sit": "sitting down", "stand": "standing up", "pick": "bending"}


def films(folder: Path) -> Iterator[Sequence]:
    """Read the clips of J-HMDB whose actions occur at home."""
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


def observed(sequence: Sequence, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Show a sequence to a random camera and an imperfect pose estimator.

    Returns:
        COCO's 17 joints (t, 17, 2), y down, in body lengths; and whether most of the body is in the picture (t,)
    """
    joints, inside = sequence.joints, np.ones(len(sequence.joints), bool)
    if joints.shape[-1] == 3:
        points, inside = _projected(joints, rng)
    else:
        points = joints * [1, -1]
    coco = points[:, _COCO]
    if joints.shape[1] > body.NOSE:
        coco[:, 0] = points[:, body.NOSE]
    if sequence.name.startswith("film") and rng.random() < 0.5:  # data sets differ in which side they call left
        coco = coco[:, _SWAPPED]
    trunk = np.linalg.norm(coco[:, 5:7].mean(1) - coco[:, 11:13].mean(1), axis=-1)
    legs = np.linalg.norm(np.diff(coco[:, [11, 13, 15]], axis=1), axis=-1).sum(1)
    return faulty(coco / max(np.quantile((trunk + legs)[inside], 0.8) if inside.any() else 0, 1e-6), rng), inside


def _projected(joints: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Project joints (t, j, 3) into a random camera: (t, j, 2), and whether more than half are in the picture (t,).

    Joints outside the picture are moved to its edge, where pose estimators guess them.
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
    """Add the errors of pose estimators: jitter, sides swapped for a while, limbs misplaced or on one another, hidden
    legs, single frames far off.

    Args:
        points: (t, 17, 2) in body lengths
        rng: generator of the errors
    """
    points, count = points.copy(), len(points)

    def spells(chance: float, longest: int) -> Iterator[slice]:
        for _ in range(rng.poisson(chance * count / 10)):
            first = rng.integers(0, count)
            yield slice(first, first + rng.integers(1, longest + 1))

    for spell in spells(0.5, 8):
        swapped = np.arange(17)
        part = [np.arange(5, 17), np.arange(11, 17), np.arange(5, 11)][rng.integers(3)]
        swapped[part] = np.array(_SWAPPED)[part]
        points[spell] = points[spell][:, swapped]
    for spell in spells(0.5, 8):
        limb = list(_ARMS_AND_LEGS[rng.integers(len(_ARMS_AND_LEGS))])
        if rng.random() < 0.5:
            points[spell, limb] = points[spell][:, np.array(_SWAPPED)[limb]]
        else:
            points[spell, limb] += rng.normal(0, 0.2, (1, len(limb), 2))
    if rng.random() < 0.12:  # hidden legs
        shrunk = rng.uniform(0.2, 0.8)
        hips = points[:, 11:13].mean(1, keepdims=True)
        points[:, _BELOW] = hips + shrunk * (points[:, _BELOW] - hips) + rng.normal(0, 0.05, (count, 4, 2))
    for spell in spells(0.15, 2):
        points[spell] = points[spell] * rng.uniform(0.7, 1.2) + rng.normal(0, 0.12, points[spell].shape)
    spread = rng.uniform(0.006, 0.03) * np.where(np.isin(np.arange(17), (7, 8, 9, 10, 13, 14, 15, 16)), 1.5, 1)
    drift = np.cumsum(rng.normal(0, 0.3, points.shape), 0)
    drift -= np.linspace(0, 1, count)[:, None, None] * drift[-1]
    return points + (rng.normal(0, 1, points.shape) + 0.3 * drift) * spread[:, None]


# -- the set on disk


def write(out: Path, recordings: Path | None = None, seed: int = 0, sequences: int = 1500) -> Counter:
    """Write the training set.

    Args:
        out: a new or empty folder
        recordings: folder of UTKinect and J-HMDB, None for scenes alone
        seed: of everything random
        sequences: number of scenes

    Returns:
        the number of windows by part, source and activity

    Raises:
        FileExistsError: where `out` holds files.
        FileNotFoundError: where `recordings` lacks a set.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} holds files: name a new folder for the training set")
    sources = {"scene": synthetic(seed, sequences)}
    if recordings is not None:
        sources |= {"kinect": kinect(recordings / "utkinect"), "film": films(recordings / "jhmdb_skeletons")}
    written = Counter()
    for source, people in sources.items():
        views, stride = (VIEWS, 2) if source == "scene" else (6, 2) if source == "kinect" else (1, 1)
        rows: dict[tuple[str, str], list[tuple[str, np.ndarray]]] = {}
        for number, sequence in enumerate(people):
            for view in range(views):
                rng = np.random.default_rng([seed, number, view, len(source)])
                points, inside = observed(sequence, rng)
                clips = windows(skeleton(points))
                for step in range(rng.integers(stride), len(clips), stride):
                    if inside[step] and (activity := str(sequence.activities[step])):
                        part = "test" if sequence.test else "train"
                        name = f"{sequence.name}_{view}-{step:03}"
                        rows.setdefault((part, activity), []).append((name, clips[step]))
        for (part, activity), clips in sorted(rows.items()):
            most = MOST[source] if part == "train" else MOST[source] // TEST_SHARE
            rng = np.random.default_rng([seed, len(clips)])
            chosen = rng.permutation(len(clips))[:most]
            for number in sorted(chosen):
                name, joints = clips[number]
                _write_skeleton(out / part / activity / f"{name}.skeleton", joints)
            written[part, source, activity] = len(chosen)
    (out / "groups.txt").write_text("((scene|kinect|film)_[^_]+)_\n", encoding="utf-8")
    return written


def _write_skeleton(file: Path, joints: np.ndarray) -> None:
    """Write joints (t, 25, 3) of one body in NTU's text format; fields that are not known are 0."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [str(len(joints))]
    for frame in joints:
        lines += ["1", "1 0 0 0 0 0 0 0 0 2", str(len(frame))]
        lines += [f"{x:.4f} {y:.4f} {z:.0f} 0 0 0 0 0 0 0 0 2" for x, y, z in frame]
    file.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m wtmr_core.tracking.training_set", description="write the training set of `home`"
    )
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--recordings", type=Path, help="the folder that holds utkinect and jhmdb_skeletons")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sequences", type=int, default=1500, help="number of synthetic scenes")
    options = parser.parse_args()
    counts = write(options.out, options.recordings, options.seed, options.sequences)
    for (part, source, activity), count in counts.items():
        print(f"{part:5} {source:6} {activity:13} {count:5,}")


if __name__ == "__main__":
    main()
