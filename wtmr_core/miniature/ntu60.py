"""Miniature NTU RGB+D 60: `.skeleton` files as a Kinect would have written them, and the list of missing ones."""

import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from wtmr_core import skeleton
from wtmr_core.miniature import actions, body
from wtmr_core.miniature.camera import Camera
from wtmr_core.miniature.recording import FPS, episodes_of, generator, seen_in_part, side_by_side, write_truth

# NTU RGB+D's action numbers. Walking alone has none among its 60 actions, so the miniature leaves it out.
ACTIONS = {1: "drink", 6: "pick", 8: "sit", 9: "rise", 10: "clap", 23: "wave", 43: "fall_floor",
                 58: "shake_hands", 59: "walk"}  # fmt: skip
TWO_PERSON = (58, 59)  # shaking hands, walking towards each other
# (setup, performer), by turns in and not in the cross-subject training list
PERFORMERS = ((1, 1), (1, 3), (2, 8), (2, 7), (1, 2), (1, 6), (2, 9), (2, 4))


@dataclass(frozen=True)
class _Sample:
    """One file of mini NTU RGB+D 60."""

    setup: int
    camera: int
    performer: int
    replication: int
    action: int

    @property
    def name(self) -> str:
        s, c, p, r, a = self.setup, self.camera, self.performer, self.replication, self.action
        return f"S{s:03d}C{c:03d}P{p:03d}R{r:03d}A{a:03d}"


def write(root: Path, seed: int, performers: int, workers: int | None) -> None:
    """Write the set to the folder `root`."""
    (root / "nturgb+d_skeletons").mkdir()
    samples = [
        _Sample(s, c, p, r, a) for s, p in PERFORMERS[:performers] for c in (1, 2, 3) for r in (1, 2) for a in ACTIONS
    ]
    # of the two on the missing list one has no file and one has a file without anybody in it
    absent, empty = generator(seed, "ntu60", "missing").choice(len(samples), 2, replace=False)
    missing = sorted((samples[absent].name, samples[empty].name))
    (root / "NTU_RGBD_samples_with_missing_skeletons.txt").write_text(
        f'{len(missing)} of the samples in the miniature "NTU RGB+D" dataset have missing or incomplete '
        "skeleton data.\nIf you are working on skeleton-based analysis, please ignore these files in your "
        "training and testing procedures.\n\n" + "".join(f"{name}\n" for name in missing)
    )
    jobs = [(sample, i == empty) for i, sample in enumerate(samples) if i != absent]
    write_truth(root, side_by_side(partial(_record, root, seed), jobs, workers, "mini ntu60"))


def _record(root: Path, seed: int, job: tuple[_Sample, bool]) -> tuple[list, list]:
    """Write one sample; returns no boxes and, unless nobody is in it, rows for episodes.csv."""
    sample, nobody = job
    # three cameras see one performance: all that happens is sampled before anything a camera adds
    rng = generator(seed, "ntu60", sample.name.replace(f"C{sample.camera:03d}", ""))
    towards = math.pi / 4 * (1 if sample.replication == 1 else -1)  # once to camera 3, once to camera 2
    times = np.arange(rng.integers(20, 41)) / FPS
    people, steps = [], []
    for m in range(2 if sample.action in TWO_PERSON else 1):
        manner = generator(seed, "ntu60", "performer", sample.performer + 100 * m)
        person = body.random_person(manner)
        person = replace(
            person, tempo=person.tempo * rng.uniform(0.8, 1.25), vigour=person.vigour * rng.uniform(0.6, 1.1)
        )
        heading = towards + rng.normal(0, 0.4)
        step, start = (
            seen_in_part(ACTIONS[sample.action], times[-1], heading, rng, miss=0.7),
            tuple(rng.normal(0, 0.2, 2)),
        )
        if sample.action in TWO_PERSON:  # they stand side by side before the camera, and face each other
            side = 1 - 2 * m
            far = 0.4 if sample.action == 58 else 0.35 + actions.walking_speed(person) * times[-1] * 0.6
            start = (
                side * far * math.cos(towards) + start[0] / 4,
                -side * far * math.sin(towards) + start[1] / 4,
            )
            step = replace(step, heading=towards + side * math.pi / 2 + rng.normal(0, 0.1))
        people.append(actions.perform(person, [step], times, rng, start)[:, :25])
        steps.append(step)

    rng = generator(seed, "ntu60", sample.name)
    setup = generator(seed, "ntu60", "setup", sample.setup)
    turn = {1: 0.0, 2: -math.pi / 4, 3: math.pi / 4}[sample.camera]
    camera = Camera((0, 0.9, 0), turn, setup.uniform(3.2, 4.0), setup.uniform(0.8, 1.4), 1.0, (1, 1))
    bodies = [(_sensed(camera.see(joints), rng), np.ones(len(times), bool)) for joints in people]
    if nobody:
        bodies = []
    elif len(bodies) == 1 and rng.random() < 0.1:  # a chair taken for a second body for some frames
        first, last = sorted(rng.integers(2, len(times), 2))
        stray, _ = bodies[0]
        stray = (stray[0] + rng.normal([1.2, 0, 0.5], 0.1, (len(times), 25, 3)), np.ones_like(stray[1]))
        bodies.append((stray, (first <= np.arange(len(times))) & (np.arange(len(times)) < min(last, first + 8))))
    if bodies and rng.random() < 0.06:  # it takes the sensor a frame to see anybody
        bodies[0][1][0] = False
    name = f"nturgb+d_skeletons/{sample.name}.skeleton"
    _write_skeleton(root / name, len(times), bodies, rng)
    return [], [row for m, s in enumerate(steps[: len(bodies)]) for row in episodes_of(name, m, [s], len(times) / FPS)]


def _sensed(joints: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Joints (t, 25, 3) as a sensor reports them, and their states (t, 25): 2 tracked, 1 inferred."""
    jitter = np.full(25, rng.uniform(0.008, 0.024))
    jitter[[6, 7, 10, 11, 21, 22, 23, 24, 15, 19]] *= 2.5  # hands and feet
    joints, state = joints + rng.normal(0, 1, joints.shape) * jitter[:, None], np.full(joints.shape[:2], 2)
    limbs = np.array([(5, 6, 7, 21, 22), (9, 10, 11, 23, 24), (13, 14, 15, 15, 15), (17, 18, 19, 19, 19)])
    for limb in limbs[rng.random(4) < 0.2]:  # lost for a while: it stays where it was last seen, and trembles
        first = rng.integers(0, len(joints) - 4)
        lost = np.arange(first, min(first + rng.integers(4, 12), len(joints)))[:, None]
        joints[lost, limb] = joints[first, limb] + rng.normal(0, 0.04, (len(lost), len(limb), 3))
        state[lost, limb] = 1
    return joints, state


def _write_skeleton(path: Path, frames: int, bodies: list, rng: np.random.Generator) -> None:
    """Write bodies [((joints (t, 25, 3), states (t, 25)), seen (t,)), …] as Kinect v2's text."""
    line = "%.7g " * 11 + "%d\n"
    blocks = []
    for (joints, state), _ in bodies:
        x, y, z = joints[..., 0], joints[..., 1], joints[..., 2]
        flat = np.stack([x / z, -y / z], -1)
        depth, colour = (
            366.4 * flat + (256.3, 208.5),
            1052.0 * flat + (976.4, 567.3),
        )  # pixels, as in real files
        # a bone's turn as the quaternion (w, x, y, z) that takes the y axis to it
        bone = joints - joints[:, skeleton.PARENTS]
        bone /= np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-6)
        turn = np.stack([1 + bone[..., 1], bone[..., 2], np.zeros_like(x), -bone[..., 0]], -1)
        turn /= np.maximum(np.linalg.norm(turn, axis=-1, keepdims=True), 1e-6)
        turn[:, [3, 15, 19, 21, 22, 23, 24]] = 0  # the ends have none
        values = np.concatenate([joints, depth, colour, turn, state[..., None]], -1)  # (t, 25, 12)
        lean = "{:.7g} {:.7g}".format(*rng.normal(0, 0.1, 2))
        head = f"{2**56 + rng.integers(1000, 9999)} 0 1 1 1 1 0 {lean} 2\n25\n"  # Kinect counts from 2^56
        blocks.append([head + line * 25 % tuple(frame) for frame in values.reshape(len(values), -1).tolist()])
    with path.open("w", newline="\n") as file:
        file.write(f"{frames}\n")
        for t in range(frames):
            seen = [block[t] for block, (_, visible) in zip(blocks, bodies, strict=True) if visible[t]]
            file.write(f"{len(seen)}\n" + "".join(seen))
