"""Miniature SVideoQA: sequences of pictures from two surveillance cameras, a table of questions and answers each."""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import xlwt

from wtmr_core.miniature import actions, body
from wtmr_core.miniature.camera import Camera, chair, random_room, render_room
from wtmr_core.miniature.drawing import Figure, Scene
from wtmr_core.miniature.recording import (
    FPS,
    episodes_of,
    generator,
    seen_in_part,
    side_by_side,
    start_of_walk,
    write_rows,
    write_truth,
)

PLACES = 5  # surveillance cameras stay where they are, people come and go
WORDS = {"walking": "walk", "sitting": "seated", "standing": "stand", "waving": "wave",
                  "holding": "hold", "carrying": "carry", "looking": "look", "turning": "turn"}  # fmt: skip


@dataclass(frozen=True)
class _Visit:
    """One subject of a mini SVideoQA sequence."""

    sequence: int
    subject: int
    word: str


def write(root: Path, seed: int, sequences: int, workers: int | None) -> None:
    """Write the set to the folder `root`."""
    words = list(WORDS)
    subjects = [(n, s) for n in range(1, sequences + 1) for s in range(1, 3 if n % 3 else 2)]
    # by turns, so that classes are even; an odd step, so that the two of a sequence do different things
    jobs = [_Visit(n, s, words[(i * 3 + seed) % len(words)]) for i, (n, s) in enumerate(subjects)]
    write_truth(root, side_by_side(partial(_record, root, seed), jobs, workers, "mini svideoqa"))


def _record(root: Path, seed: int, visit: _Visit) -> tuple[list, list]:
    """Record one subject with two cameras; returns rows for boxes.csv and episodes.csv."""
    place = generator(seed, "svideoqa", "place", visit.sequence % PLACES)
    room, turn, apart = random_room(place), place.uniform(-math.pi, math.pi), place.uniform(0.7, 1.4)
    rng = generator(seed, "svideoqa", visit.sequence, visit.subject)
    person, action = body.random_person(rng), WORDS[visit.word]
    times = np.arange(rng.integers(20, 31)) / FPS
    step = seen_in_part(action, times[-1], turn + rng.normal(apart / 2, 0.8), rng, miss=0.2)
    start = start_of_walk(person, step, times[-1], rng)
    joints = actions.perform(person, [step], times, rng, start)
    parcel = tuple(rng.uniform(40, 200, 3)) if action in ("hold", "carry") else None
    chairs = ()
    if action == "seated" or (action not in actions.MOVING and rng.random() < 0.4):
        chairs = chair(*start, step.heading, tuple(place.uniform(30, 190, 3)))
    boxes, episodes = [], []
    for number in (1, 2):
        name = f"videosequence-{visit.sequence:03d}/subject{visit.subject}/Camera{number:02d}"
        folder = root / name
        folder.mkdir(parents=True)
        distance = rng.uniform(4.5, 6.0)
        focal = rng.uniform(76, 90) * (distance - 1) / person.stature
        camera = Camera((0, 0.85, 0), turn + (number - 1) * apart, distance, rng.uniform(1.2, 2.6), focal, (160, 120))
        view = render_room(room, camera, chairs)
        scene = Scene(*view, [Figure(person, joints, camera, parcel)], 0, np.zeros((len(times), 2), int))
        for i, frame in enumerate(scene.frames(rng, rng.uniform(1, 5), rng.uniform(0.4, 0.8)), 1):
            cv2.imwrite(str(folder / f"frame_{i:04d}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, 88])
        rows = [("How many people are there?", "one"), ("What is the person doing?", visit.word)]
        _write_answers(folder, rows, excel=visit.sequence % 4 == 0)
        boxes += scene.truth(name)
        episodes += episodes_of(name, 0, [step], len(times) / FPS)
    return boxes, episodes


def _write_answers(folder: Path, rows: list[tuple[str, str]], excel: bool) -> None:
    rows = [("question", "answer"), *rows]
    if not excel:
        return write_rows(folder / "qa.csv", rows[0], rows[1:])
    book = xlwt.Workbook()
    sheet = book.add_sheet("qa")
    for at in np.ndindex(len(rows), 2):
        sheet.write(*at, rows[at[0]][at[1]])
    return book.save(str(folder / "qa.xls"))
