"""Miniature HMDB51, NTU RGB+D 60 and SVideoQA, made on first use in the real sets' on-disk formats.

All three show the people of `body`, and whatever reads the real sets reads these. People, clothes, rooms,
viewpoints, speeds and noise vary, and actions are often seen in part, so that classes overlap.
The same seed gives the same bytes, whatever the number of processes: every clip has a generator of its own,
seeded with its name. A set appears whole or not at all. What is true of the recordings is beside them in
`truth/`: `boxes.csv` (clip, frame from 0, person, x, y, w, h in pixels, the visible part) and `episodes.csv`
(clip, person, action, start and end in seconds).
"""

import csv
import json
import math
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import xlwt
from tqdm.auto import tqdm

from wtmr_core.datasets import body
from wtmr_core.datasets import workers as crew
from wtmr_core.datasets.body import Person, Step
from wtmr_core.datasets.camera import Camera, chair, draw_room, show_room
from wtmr_core.datasets.drawing import Figure, Scene
from wtmr_core.locks import locked

VERSION = 5  # raise it when any byte of any set changes: older sets are then made again
PLACES = 5  # of mini SVideoQA: surveillance cameras stay where they are, people come and go
FPS = 15

HMDB51_CLASSES = ("clap", "drink", "fall_floor", "pick", "sit", "stand", "walk", "wave")
FILMS = [f"{place}_{time}" for place in ("Kitchen", "Lounge", "Bedroom", "Hall", "Studio", "Office", "Ward", "Library",
                                         "Corridor", "Pantry")
         for time in ("Morning", "Noon", "Evening", "Night")]  # fmt: skip
# NTU RGB+D's action numbers. Walking alone has none among its 60 actions, so the miniature leaves it out.
NTU60_ACTIONS = {1: "drink", 6: "pick", 8: "sit", 9: "rise", 10: "clap", 23: "wave", 43: "fall_floor",
                 58: "shake_hands", 59: "walk"}  # fmt: skip
TWO_PERSON = (58, 59)  # shaking hands, walking towards each other
# (setup, performer), by turns in and not in the cross-subject training list
PERFORMERS = ((1, 1), (1, 3), (2, 8), (2, 7), (1, 2), (1, 6), (2, 9), (2, 4))
SVIDEOQA_WORDS = {"walking": "walk", "sitting": "seated", "standing": "stand", "waving": "wave",
                  "holding": "hold", "carrying": "carry", "looking": "look", "turning": "turn"}  # fmt: skip


def make(dataset: str, root: Path, seed: int = 0) -> Path:
    """Make the miniature of hmdb51, ntu60 or svideoqa in the folder `root`, unless it is there.

    Raises `ValueError` for another data set and `FileExistsError` where `root` holds files that are not a
    miniature: nothing of anybody's is ever overwritten.

    `make_hmdb51`, `make_ntu60` and `make_svideoqa` do the same and take a size and a number of processes, by
    default one for each core that may be used; the two small sets are done before a second process has started, so they
    take one. A script that calls this needs the `if __name__ == "__main__":` that all spawned processes need.
    """
    makers = {"hmdb51": make_hmdb51, "ntu60": make_ntu60, "svideoqa": make_svideoqa}
    if dataset not in makers:
        raise ValueError(f"there is no miniature of {dataset!r}; there are {', '.join(makers)}")
    return makers[dataset](root, seed)


def make_hmdb51(root: Path, seed: int = 0, per_class: int = 120, workers: int | None = None) -> Path:
    """`<class>/<clip>.avi` (320×240, 15 fps) of 8 classes, three split lists, and two longer videos of rooms.

    Clips of one film share the person, the clothes and the room, and stand on one side of every split.
    """
    if per_class < 4:
        raise ValueError(f"per_class is {per_class}; at least 4 clips are needed to split a class")
    return _make("hmdb51", _write_hmdb51, Path(root), seed, per_class, workers)


def make_ntu60(root: Path, seed: int = 0, performers: int = 8, workers: int | None = 1) -> Path:
    """`nturgb+d_skeletons/S…A….skeleton`: 9 actions, 3 cameras, 2 replications; the list of missing ones."""
    if not 1 <= performers <= len(PERFORMERS):
        raise ValueError(f"performers is {performers}; 1 to {len(PERFORMERS)} can be had")
    return _make("ntu60", _write_ntu60, Path(root), seed, performers, workers)


def make_svideoqa(root: Path, seed: int = 0, sequences: int = 240, workers: int | None = 1) -> Path:
    """`videosequence-NNN/<subject>/<CameraNN>/` with 160×120 JPEGs and a table of questions and answers."""
    return _make("svideoqa", _write_svideoqa, Path(root), seed, sequences, workers)


def _make(dataset: str, write: Callable, root: Path, seed: int, size: int, workers: int | None) -> Path:
    mark = {"dataset": dataset, "version": VERSION, "seed": seed, "size": size}
    if _mark(root) == mark:
        return root
    if root.exists() and _mark(root) is None and any(root.iterdir()):
        raise FileExistsError(f"{root} holds files but no mini.json: choose another folder for the miniature")
    beside = root.with_name(f".{root.name}.part")
    # another process that wants the same set waits here
    remedy = f"make it elsewhere, `wtmr data mini {dataset} --root FOLDER`, and give that folder as root"
    with locked(root.with_name(f".{root.name}.lock"), f"makes the miniature {dataset}", remedy=remedy):
        if _mark(root) != mark:
            shutil.rmtree(beside, ignore_errors=True)  # of one that was killed
            (new := beside / "new").mkdir(parents=True)
            try:
                write(new, seed, size, workers)
                (new / "mini.json").write_text(json.dumps(mark) + "\n", encoding="utf-8")
                if root.exists():
                    root.rename(beside / "old")
                new.rename(root)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
    return root


def _mark(root: Path) -> dict | None:
    """What `mini.json` says of the set in `root`; None where it is not there, or not what this module writes."""
    try:
        return json.loads((root / "mini.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def _rng(seed: int, *key: object) -> np.random.Generator:
    """The generator of one named thing; by CRC, because Python's own hash differs between processes."""
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, key)).encode())])


def _each(work: Callable, jobs: Sequence, workers: int | None, title: str) -> list:
    """[work(job) for job in jobs] in several processes, with a progress bar on stderr."""
    bar = partial(tqdm, total=len(jobs), desc=title, unit="clip")
    processes = crew.number(workers, len(jobs))
    if processes == 1:
        return list(bar(map(work, jobs)))
    with crew.pool(processes) as pool:
        try:
            return list(bar(pool.map(work, jobs, chunksize=2)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _table(path: Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def _write_truth(root: Path, truths: Iterable[tuple[list, list]]) -> None:
    """`boxes.csv`, where there are pictures, and `episodes.csv`, from what every clip's job returned."""
    boxes, episodes = ([row for rows in kind for row in rows] for kind in zip(*truths, strict=True))
    if boxes:
        _table(root / "truth/boxes.csv", ("clip", "frame", "person", "x", "y", "w", "h", "visible"), boxes)
    _table(root / "truth/episodes.csv", ("clip", "person", "action", "start_s", "end_s"), episodes)


# ---- pictures: hmdb51 and svideoqa -------------------------------------------------------


def _episodes(clip: str, person: int, steps: Sequence[Step], seconds: float) -> list[tuple]:
    return [
        (clip, person, s.action, f"{max(s.start, 0):.2f}", f"{min(s.end, seconds):.2f}")
        for s in steps
        if s.end > 0 and s.start < seconds
    ]


def _in_part(action: str, seconds: float, heading: float, rng: np.random.Generator, miss: float) -> Step:
    """An action that begins up to `miss` of the clip before or after the clip does, and may not end in it."""
    start = rng.uniform(-miss, miss) * seconds
    return Step(action, start, start + rng.uniform(0.85, 1.2) * seconds, heading)


def _walk_from(person: Person, step: Step, seconds: float, rng: np.random.Generator) -> tuple[float, float]:
    """Where to begin so that somebody who walks passes the middle of the room halfway."""
    back = body.walking_speed(person) * seconds / 2 if step.action in body.MOVING else 0.0
    x, z = rng.normal(0, 0.2, 2)
    return x + back * math.sin(step.heading), z + back * math.cos(step.heading)


@dataclass(frozen=True)
class _Shot:
    """One clip of mini HMDB51; its name says the rest, as HMDB51's names do."""

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


def _shots(seed: int, per_class: int) -> Iterator[_Shot]:
    films = FILMS[:per_class]
    for action in HMDB51_CLASSES:
        order = _rng(seed, "hmdb51", action).permutation(len(films))
        for i in range(per_class):
            film, number = films[order[i % len(films)]], i // len(films)
            rng = _rng(seed, "hmdb51", film, action, number)
            yield _Shot(
                film=film,
                action=action,
                frames=int(rng.integers(20, 41)),
                facing=float(rng.normal(0, 0.7)),
                moving_camera=bool(rng.random() < 0.2),
                quality=str(rng.choice(["bad", "med", "goo"])),
                number=number,
            )


def _sides(seed: int, per_class: int, split: int) -> dict[str, int]:
    """Every film's side of a split: 1 train, 2 test (three tenths, others in every split), 0 unused."""
    films = _rng(seed, "hmdb51", "splits").permutation(FILMS[:per_class])
    held_out = max(1, round(0.3 * len(films)))
    films = [str(film) for film in np.roll(films, -(split - 1) * held_out)]
    sides = dict.fromkeys(films, 1) | dict.fromkeys(films[:held_out], 2)
    if len(films) == len(FILMS):
        sides[films[-1]] = 0  # a few clips are unused, as in the real lists
    return sides


def _write_hmdb51(root: Path, seed: int, per_class: int, workers: int | None) -> None:
    shots = list(_shots(seed, per_class))
    for action in HMDB51_CLASSES:
        (root / action).mkdir()
    lists, tracking = root / "testTrainMulti_7030_splits", root / "truth/tracking"
    lists.mkdir()
    tracking.mkdir(parents=True)
    for split in (1, 2, 3):
        side = _sides(seed, per_class, split)
        for action in HMDB51_CLASSES:
            names = sorted(f"{s.name} {side[s.film]} \n" for s in shots if s.action == action)
            (lists / f"{action}_test_split{split}.txt").write_text("".join(names))
    # the long videos first: the last to end should be a short one
    jobs = [*range(1, 3), *shots]
    _write_truth(root, _each(partial(_record_hmdb51, root, seed), jobs, workers, "mini hmdb51"))


def _record_hmdb51(root: Path, seed: int, job: _Shot | int) -> tuple[list, list]:
    """Record one clip, or for a number one long video of a room; rows for boxes.csv and episodes.csv."""
    if isinstance(job, int):
        name, quality = f"truth/tracking/room_{job:02d}.avi", "med"
        rng = _rng(seed, "hmdb51", name)
        scene, episodes = _room_with_people(rng, name, people=1 + job)
    else:
        name, quality = f"{job.action}/{job.name}", job.quality
        rng = _rng(seed, "hmdb51", job.name)
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


def _room_with_shot(rng: np.random.Generator, seed: int, shot: _Shot, name: str) -> tuple[Scene, list]:
    film = _rng(seed, "hmdb51", shot.film)
    person, room, turn = body.draw_person(film), draw_room(film), film.uniform(-math.pi, math.pi)
    person = replace(person, tempo=person.tempo * rng.uniform(0.85, 1.2), vigour=person.vigour * rng.uniform(0.7, 1.1))
    turn += rng.normal(0, 0.2)
    times = np.arange(shot.frames) / FPS
    step = _in_part(shot.action, times[-1], turn + shot.facing, rng, miss=0.15)
    start = _walk_from(person, step, times[-1], rng)
    joints = body.perform(person, [step], times, rng, start)

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
        x, z = start if shot.action not in body.MOVING else (1.2, -1.2)
        chairs = chair(x + aside, z, step.heading, tuple(film.uniform(30, 190, 3)))
    # a moving camera goes from one spot of the margin to another
    sweep = rng.uniform(-margin, margin, (2, 2)) * shot.moving_camera
    pan = margin + sweep[0] + np.linspace(0, 1, shot.frames)[:, None] * (sweep[1] - sweep[0])
    scene = Scene(
        *show_room(room, camera, chairs),
        [Figure(person, joints, camera)],
        margin,
        pan.round().astype(int),
    )
    return scene, _episodes(name, 0, [step], shot.frames / FPS)


def _room_with_people(rng: np.random.Generator, name: str, people: int) -> tuple[Scene, list]:
    """Some people who each do one thing after another for 12 s, walking between."""
    times, turn = np.arange(12 * FPS) / FPS, rng.uniform(-math.pi, math.pi)
    camera = Camera((0, 0.8, 0), turn, 6.0, 2.2, 400.0, (320, 240))
    right, away = camera.axes[0], np.array([math.sin(turn), 0, math.cos(turn)])
    figures, episodes = [], []
    for m in range(people):
        person = body.draw_person(rng)
        lane = (m - (people - 1) / 2) * 0.7  # one behind the other, so that they pass and hide each other
        spot = rng.uniform(-1.6, 1.6) * right + lane * away
        position, steps, clock = spot[[0, 2]], [], 0.0
        while clock < times[-1]:
            action = str(rng.choice(["stand", "wave", "pick", "drink", "clap"]))
            steps.append(Step(action, clock, clock + rng.uniform(1.8, 3.0), turn + rng.normal(0, 0.7)))
            side = -np.sign(spot @ right) * rng.uniform(0.4, 1.6)
            goal = side * right + (lane + rng.uniform(-0.2, 0.2)) * away
            way, spot = goal - spot, goal
            clock = steps[-1].end + np.linalg.norm(way) / body.walking_speed(person)
            steps.append(Step("walk", steps[-1].end, clock, math.atan2(-way[0], -way[2])))
        joints = body.perform(person, steps, times, rng, tuple(position))
        figures.append(Figure(person, joints, camera))
        episodes += _episodes(name, m, steps, len(times) / FPS)
    view = show_room(draw_room(rng), camera, clear=1.5)
    return Scene(*view, figures, 0, np.zeros((len(times), 2), int)), episodes


@dataclass(frozen=True)
class _Visit:
    """One subject of a mini SVideoQA sequence."""

    sequence: int
    subject: int
    word: str


def _write_svideoqa(root: Path, seed: int, sequences: int, workers: int | None) -> None:
    words = list(SVIDEOQA_WORDS)
    subjects = [(n, s) for n in range(1, sequences + 1) for s in range(1, 3 if n % 3 else 2)]
    # by turns, so that classes are even; an odd step, so that the two of a sequence do different things
    jobs = [_Visit(n, s, words[(i * 3 + seed) % len(words)]) for i, (n, s) in enumerate(subjects)]
    _write_truth(root, _each(partial(_record_svideoqa, root, seed), jobs, workers, "mini svideoqa"))


def _record_svideoqa(root: Path, seed: int, visit: _Visit) -> tuple[list, list]:
    """Record one subject with two cameras; rows for boxes.csv and episodes.csv."""
    place = _rng(seed, "svideoqa", "place", visit.sequence % PLACES)
    room, turn, apart = draw_room(place), place.uniform(-math.pi, math.pi), place.uniform(0.7, 1.4)
    rng = _rng(seed, "svideoqa", visit.sequence, visit.subject)
    person, action = body.draw_person(rng), SVIDEOQA_WORDS[visit.word]
    times = np.arange(rng.integers(20, 31)) / FPS
    step = _in_part(action, times[-1], turn + rng.normal(apart / 2, 0.8), rng, miss=0.2)
    start = _walk_from(person, step, times[-1], rng)
    joints = body.perform(person, [step], times, rng, start)
    parcel = tuple(rng.uniform(40, 200, 3)) if action in ("hold", "carry") else None
    chairs = ()
    if action == "seated" or (action not in body.MOVING and rng.random() < 0.4):
        chairs = chair(*start, step.heading, tuple(place.uniform(30, 190, 3)))
    boxes, episodes = [], []
    for number in (1, 2):
        name = f"videosequence-{visit.sequence:03d}/subject{visit.subject}/Camera{number:02d}"
        folder = root / name
        folder.mkdir(parents=True)
        distance = rng.uniform(4.5, 6.0)
        focal = rng.uniform(76, 90) * (distance - 1) / person.stature
        camera = Camera((0, 0.85, 0), turn + (number - 1) * apart, distance, rng.uniform(1.2, 2.6), focal, (160, 120))
        view = show_room(room, camera, chairs)
        scene = Scene(*view, [Figure(person, joints, camera, parcel)], 0, np.zeros((len(times), 2), int))
        for i, frame in enumerate(scene.frames(rng, rng.uniform(1, 5), rng.uniform(0.4, 0.8)), 1):
            cv2.imwrite(str(folder / f"frame_{i:04d}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, 88])
        rows = [("How many people are there?", "one"), ("What is the person doing?", visit.word)]
        _write_answers(folder, rows, excel=visit.sequence % 4 == 0)
        boxes += scene.truth(name)
        episodes += _episodes(name, 0, [step], len(times) / FPS)
    return boxes, episodes


def _write_answers(folder: Path, rows: list[tuple[str, str]], excel: bool) -> None:
    rows = [("question", "answer"), *rows]
    if not excel:
        return _table(folder / "qa.csv", rows[0], rows[1:])
    book = xlwt.Workbook()
    sheet = book.add_sheet("qa")
    for at in np.ndindex(len(rows), 2):
        sheet.write(*at, rows[at[0]][at[1]])
    return book.save(str(folder / "qa.xls"))


# ---- skeletons: ntu60 --------------------------------------------------------------------


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


def _write_ntu60(root: Path, seed: int, performers: int, workers: int | None) -> None:
    (root / "nturgb+d_skeletons").mkdir()
    samples = [
        _Sample(s, c, p, r, a)
        for s, p in PERFORMERS[:performers]
        for c in (1, 2, 3)
        for r in (1, 2)
        for a in NTU60_ACTIONS
    ]
    # of the two on the missing list one has no file and one has a file without anybody in it
    absent, empty = _rng(seed, "ntu60", "missing").choice(len(samples), 2, replace=False)
    missing = sorted((samples[absent].name, samples[empty].name))
    (root / "NTU_RGBD_samples_with_missing_skeletons.txt").write_text(
        f'{len(missing)} of the samples in the miniature "NTU RGB+D" dataset have missing or incomplete '
        "skeleton data.\nIf you are working on skeleton-based analysis, please ignore these files in your "
        "training and testing procedures.\n\n" + "".join(f"{name}\n" for name in missing)
    )
    jobs = [(sample, i == empty) for i, sample in enumerate(samples) if i != absent]
    _write_truth(root, _each(partial(_record_ntu60, root, seed), jobs, workers, "mini ntu60"))


def _record_ntu60(root: Path, seed: int, job: tuple[_Sample, bool]) -> tuple[list, list]:
    """Write one sample; no boxes and, unless nobody is in it, rows for episodes.csv."""
    sample, nobody = job
    # three cameras see one performance: all that happens is drawn before anything a camera adds
    rng = _rng(seed, "ntu60", sample.name.replace(f"C{sample.camera:03d}", ""))
    towards = math.pi / 4 * (1 if sample.replication == 1 else -1)  # once to camera 3, once to camera 2
    times = np.arange(rng.integers(20, 41)) / FPS
    people, steps = [], []
    for m in range(2 if sample.action in TWO_PERSON else 1):
        manner = _rng(seed, "ntu60", "performer", sample.performer + 100 * m)
        person = body.draw_person(manner)
        person = replace(
            person, tempo=person.tempo * rng.uniform(0.8, 1.25), vigour=person.vigour * rng.uniform(0.6, 1.1)
        )
        heading = towards + rng.normal(0, 0.4)
        step, start = (
            _in_part(NTU60_ACTIONS[sample.action], times[-1], heading, rng, miss=0.7),
            tuple(rng.normal(0, 0.2, 2)),
        )
        if sample.action in TWO_PERSON:  # they stand side by side before the camera, and face each other
            side = 1 - 2 * m
            far = 0.4 if sample.action == 58 else 0.35 + body.walking_speed(person) * times[-1] * 0.6
            start = (
                side * far * math.cos(towards) + start[0] / 4,
                -side * far * math.sin(towards) + start[1] / 4,
            )
            step = replace(step, heading=towards + side * math.pi / 2 + rng.normal(0, 0.1))
        people.append(body.perform(person, [step], times, rng, start)[:, :25])
        steps.append(step)

    rng = _rng(seed, "ntu60", sample.name)
    setup = _rng(seed, "ntu60", "setup", sample.setup)
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
    return [], [row for m, s in enumerate(steps[: len(bodies)]) for row in _episodes(name, m, [s], len(times) / FPS)]


def _sensed(joints: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Joints (t, 25, 3) as a sensor gives them, and their states (t, 25): 2 tracked, 1 inferred."""
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
        bone = joints - joints[:, body.PARENTS[:25]]
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
