"""Miniature HMDB51: class folders of short videos in furnished rooms, three split lists, two longer videos."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from wtmr_core.miniature import actions, body
from wtmr_core.miniature.actions import Step
from wtmr_core.miniature.camera import Camera, chair, random_room, render_room
from wtmr_core.miniature.drawing import Figure, Scene
from wtmr_core.miniature.recording import (
    FPS,
    episodes_of,
    generator,
    seen_in_part,
    side_by_side,
    start_of_walk,
    write_truth,
)

CLASSES = ("clap", "drink", "fall_floor", "pick", "sit", "stand", "walk", "wave")
FILMS = [f"{place}_{time}" for place in ("Kitchen", "Lounge", "Bedroom", "Hall", "Studio", "Office", "Ward", "Library",
                                         "Corridor", "Pantry")
         for time in ("Morning", "Noon", "Evening", "Night")]  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """One clip of mini HMDB51; its name tells the rest, as names do in HMDB51."""

    film: str
    action: str
    frames: int
    facing: float  # radians from facing the camera to the picture's left
    moving_camera: bool
    quality: str
    number: int

    @property
    def name(self) -> str:
        quarter = round(self.facing / (math.pi / 2)) % 4
        camera, view = "cm" if self.moving_camera else "nm", ("fr", "le", "ba", "ri")[quarter]
        return f"{self.film}_{self.action}_f_{camera}_np1_{view}_{self.quality}_{self.number}.avi"


def shots(seed: int, per_class: int) -> Iterator[Shot]:
    """The clips of the set, in order of class and number."""
    films = FILMS[:per_class]
    for action in CLASSES:
        order = generator(seed, "hmdb51", action).permutation(len(films))
        for i in range(per_class):
            film, number = films[order[i % len(films)]], i // len(films)
            rng = generator(seed, "hmdb51", film, action, number)
            yield Shot(
                film=film,
                action=action,
                frames=int(rng.integers(20, 41)),
                facing=float(rng.normal(0, 0.7)),
                moving_camera=bool(rng.random() < 0.2),
                quality=str(rng.choice(["bad", "med", "goo"])),
                number=number,
            )


def _sides(seed: int, per_class: int, split: int) -> dict[str, int]:
    """The side of each film in a split: 1 train, 2 test (three tenths, others in every split), 0 unused."""
    films = generator(seed, "hmdb51", "splits").permutation(FILMS[:per_class])
    held_out = max(1, round(0.3 * len(films)))
    films = [str(film) for film in np.roll(films, -(split - 1) * held_out)]
    sides = dict.fromkeys(films, 1) | dict.fromkeys(films[:held_out], 2)
    if len(films) == len(FILMS):
        sides[films[-1]] = 0  # a few clips are unused, as in the real lists
    return sides


def write(root: Path, seed: int, per_class: int, workers: int | None) -> None:
    """Write the set to the folder `root`."""
    clips = list(shots(seed, per_class))
    for action in CLASSES:
        (root / action).mkdir()
    lists, tracking = root / "testTrainMulti_7030_splits", root / "truth/tracking"
    lists.mkdir()
    tracking.mkdir(parents=True)
    for split in (1, 2, 3):
        side = _sides(seed, per_class, split)
        for action in CLASSES:
            names = sorted(f"{s.name} {side[s.film]} \n" for s in clips if s.action == action)
            (lists / f"{action}_test_split{split}.txt").write_text("".join(names))
    # the long videos first: the last to end should be a short one
    jobs = [*range(1, 3), *clips]
    write_truth(root, side_by_side(partial(_record, root, seed), jobs, workers, "mini hmdb51"))


def _record(root: Path, seed: int, job: Shot | int) -> tuple[list, list]:
    """Record one clip, or for a number one long video of a room; rows for boxes.csv and episodes.csv."""
    if isinstance(job, int):
        name, quality = f"truth/tracking/room_{job:02d}.avi", "med"
        rng = generator(seed, "hmdb51", name)
        scene, episodes = _room_with_people(rng, name, people=1 + job)
    else:
        name, quality = f"{job.action}/{job.name}", job.quality
        rng = generator(seed, "hmdb51", job.name)
        scene, episodes = _room_with_shot(rng, seed, job, name)
    noise, blur = {"bad": (6, 1.1), "med": (3.5, 0.8), "goo": (1.5, 0.5)}[quality]
    # MPEG-4, as the real clips are
    writer = cv2.VideoWriter(str(root / name), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"XVID"), FPS, (320, 240))
    if not writer.isOpened():
        raise OSError(f"OpenCV cannot write {root / name}")
    for frame in scene.frames(rng, noise, blur):
        writer.write(frame)
    writer.release()
    return scene.truth(name), episodes


def _room_with_shot(rng: np.random.Generator, seed: int, shot: Shot, name: str) -> tuple[Scene, list]:
    film = generator(seed, "hmdb51", shot.film)
    person, room, turn = body.random_person(film), random_room(film), film.uniform(-math.pi, math.pi)
    person = replace(person, tempo=person.tempo * rng.uniform(0.85, 1.2), vigour=person.vigour * rng.uniform(0.7, 1.1))
    turn += rng.normal(0, 0.2)
    times = np.arange(shot.frames) / FPS
    step = seen_in_part(shot.action, times[-1], turn + shot.facing, rng, miss=0.15)
    start = start_of_walk(person, step, times[-1], rng)
    joints = actions.perform(person, [step], times, rng, start)

    # the nearest the person comes decides the lens, so that nobody grows out of the picture
    distance, margin = rng.uniform(4.0, 6.0), 16
    nearer = np.ptp(joints[:, 0] @ [math.sin(turn), 0, math.cos(turn)]) / 2
    camera = Camera(
        target=(rng.normal(0, 0.15), 0.85 + rng.normal(0, 0.06), rng.normal(0, 0.15)),
        turn=turn,
        distance=distance,
        height=film.uniform(1.0, 2.0),
        focal=rng.uniform(140, 172) * (distance - nearer) / person.stature,
        size=(320 + 2 * margin, 240 + 2 * margin),
    )
    chairs = ()
    if rng.random() < (0.85 if shot.action in ("sit", "stand") else 0.4):
        aside = 0.0 if shot.action in ("sit", "stand") else rng.choice([-1.0, 0.0, 1.0])
        x, z = start if shot.action not in actions.MOVING else (1.2, -1.2)
        chairs = chair(x + aside, z, step.heading, tuple(film.uniform(30, 190, 3)))
    # a moving camera goes from one spot of the margin to another
    sweep = rng.uniform(-margin, margin, (2, 2)) * shot.moving_camera
    pan = margin + sweep[0] + np.linspace(0, 1, shot.frames)[:, None] * (sweep[1] - sweep[0])
    scene = Scene(
        *render_room(room, camera, chairs),
        [Figure(person, joints, camera)],
        margin,
        pan.round().astype(int),
    )
    return scene, episodes_of(name, 0, [step], shot.frames / FPS)


def _room_with_people(rng: np.random.Generator, name: str, people: int) -> tuple[Scene, list]:
    """Some people who each do one thing after another for 12 s and walk in between."""
    times, turn = np.arange(12 * FPS) / FPS, rng.uniform(-math.pi, math.pi)
    camera = Camera((0, 0.8, 0), turn, 6.0, 2.2, 400.0, (320, 240))
    right, away = camera.axes[0], np.array([math.sin(turn), 0, math.cos(turn)])
    figures, episodes = [], []
    for m in range(people):
        person = body.random_person(rng)
        lane = (m - (people - 1) / 2) * 0.7  # one behind the other, so that they pass and hide each other
        spot = rng.uniform(-1.6, 1.6) * right + lane * away
        position, steps, clock = spot[[0, 2]], [], 0.0
        while clock < times[-1]:
            action = str(rng.choice(["stand", "wave", "pick", "drink", "clap"]))
            steps.append(Step(action, clock, clock + rng.uniform(1.8, 3.0), turn + rng.normal(0, 0.7)))
            side = -np.sign(spot @ right) * rng.uniform(0.4, 1.6)
            goal = side * right + (lane + rng.uniform(-0.2, 0.2)) * away
            way, spot = goal - spot, goal
            clock = steps[-1].end + np.linalg.norm(way) / actions.walking_speed(person)
            steps.append(Step("walk", steps[-1].end, clock, math.atan2(-way[0], -way[2])))
        joints = actions.perform(person, steps, times, rng, tuple(position))
        figures.append(Figure(person, joints, camera))
        episodes += episodes_of(name, m, steps, len(times) / FPS)
    view = render_room(random_room(rng), camera, clear=1.5)
    return Scene(*view, figures, 0, np.zeros((len(times), 2), int)), episodes
