"""Miniature home: a video of three people in a room for a minute, and its truth.

One rests in bed, one falls and gets up again, one leaves by the door and comes back; they pass behind the sofa and in
front of each other. `home.mp4` is H.264, 640×480, 15 frames a second; `zones.yaml` holds the polygons of bed, sofa,
table and door as `[x, y]` pixels. `truth/` holds `episodes.csv` (person, activity, start_s, end_s), `tracks.txt` (MOT:
frame from 1, person, x, y, w, h, 1, 1, -1, -1 of everybody in view) and `joints.npz`: `joints` (t, m, 17, 2) in pixels,
in COCO's order, `visible` (t, m, 17), `people` (m,) and `seconds` (t,).

Axes: t frame, h w pixels, m body, j joint.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, pairwise, product
from pathlib import Path

import av
import cv2
import numpy as np
import yaml

from wtmr_core import skeleton
from wtmr_core.miniature import body
from wtmr_core.miniature.acts import ACTIVITIES, Script, act
from wtmr_core.miniature.body import Person
from wtmr_core.miniature.camera import Box, Camera, Room, random_room, render_room
from wtmr_core.miniature.drawing import Figure, draw, shown
from wtmr_core.miniature.recording import FPS, generator, write_rows

SIZE = (640, 480)
SECONDS = 60.0
SEEN = 0.3  # share of a person that must be visible to count as seen
_HALL = 1.8  # metres visible beyond the door
_BED = 0.46  # height of the bed in metres
_BEFORE = 0.7  # metres of floor before a piece of furniture that belong to its zone
_HALF = (3.4, 2.6)  # metres from the middle of the room to its walls

# Pictures are mirrored, as Kinect's are: a right hand looks like a left one. COCO's joints from the shoulders to the
# ankles, left before right; those of the face are derived.
_COCO = (skeleton.R_SHOULDER, skeleton.L_SHOULDER, skeleton.R_ELBOW, skeleton.L_ELBOW, skeleton.R_WRIST,
         skeleton.L_WRIST, skeleton.R_HIP, skeleton.L_HIP, skeleton.R_KNEE, skeleton.L_KNEE, skeleton.R_ANKLE,
         skeleton.L_ANKLE)  # fmt: skip


@dataclass(frozen=True)
class Home:
    """A furnished room and its camera.

    Attributes:
        room: floor, walls and their colours
        camera: the camera
        side: 1, or −1 where the room is mirrored
        furniture: boxes of bed, sofa and table
    """

    room: Room
    camera: Camera
    side: int
    furniture: dict[str, tuple[Box, ...]]

    @property
    def door(self) -> np.ndarray:
        """(4, 3) corners of the doorway in the far wall, in metres, from the lower left around."""
        return np.array([(x * self.side, y, _HALF[1]) for x, y in ((1.0, 0), (2.0, 0), (2.0, 2.05), (1.0, 2.05))])

    def show(self) -> tuple[np.ndarray, np.ndarray]:
        """Render the empty room: picture (h, w, 3) uint8 BGR and depth (h, w) in metres."""
        boxes = [box for piece in self.furniture.values() for box in piece]
        picture, depth = render_room(self.room, self.camera, tuple(boxes))
        wall = self.camera.project(self.door)[1].min()
        opening = cv2.fillConvexPoly(np.zeros_like(depth), self._outline(self.door), 1) * (depth > wall - 0.1) > 0
        floor = self.door[[0, 1, 1, 0]] * [1, 0, 1] + [[0, 0, 0], [0, 0, 0], [0, 0, _HALL], [0, 0, _HALL]]
        ground = cv2.fillConvexPoly(np.zeros_like(depth), self._outline(floor), 1) > 0
        picture[opening] = (0.55 * self.room.walls.mean(0)).astype(np.uint8)
        picture[opening & ground] = (0.6 * np.array(self.room.floor)).astype(np.uint8)
        return picture, depth + _HALL * opening

    def zones(self) -> dict[str, list[list[int]]]:
        """Polygons of bed, sofa, table and door in pixels, each with the floor on which people stand to use it."""
        points = {"door": [*self.door, *(self.door[:2] - [0, 0, 0.4])]}
        for name in ("bed", "sofa", "table"):
            low = np.min([box.low for box in self.furniture[name]], 0)
            corners = [product(*zip(box.low, box.high, strict=True)) for box in self.furniture[name]]
            high = np.max([box.high for box in self.furniture[name]], 0)
            points[name] = [*chain(*corners), (low[0], 0, low[2] - _BEFORE), (high[0], 0, low[2] - _BEFORE)]
        hulls = {name: cv2.convexHull(self._outline(np.array(p)))[:, 0] for name, p in points.items()}
        return {name: np.clip(hull, 0, np.array(SIZE) - 1).tolist() for name, hull in hulls.items()}

    def _outline(self, points: np.ndarray) -> np.ndarray:
        return self.camera.project(points)[0].round().astype(np.int32)


def random_home(rng: np.random.Generator) -> Home:
    """Draw a home at random: colours, side and place of the camera."""
    side, room = int(rng.choice([-1, 1])), random_room(rng)
    window = (3, -0.15 * side - 0.4, 1.1, 0.8, 0.8, (225.0, 215.0, 200.0))
    room = replace(room, half=_HALF, furniture=(), hangings=(window,))
    camera = Camera((0, 0.8, 0.2), rng.normal(0, 0.02), rng.uniform(5.3, 5.5), rng.uniform(1.9, 2.2), 780.0, SIZE)
    wood, linen, cover = (tuple(rng.uniform(low, high, 3)) for low, high in ((60, 110), (170, 215), (90, 160)))

    def box(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], colour: tuple) -> Box:
        (x0, x1), (y0, y1), (z0, z1) = sorted((x[0] * side, x[1] * side)), y, z
        return Box((x0, y0, z0), (x1, y1, z1), colour)

    return Home(
        room,
        camera,
        side,
        {
            "bed": (
                box((-2.4, -0.4), (0.0, 0.28), (0.8, 1.75), wood),
                box((-2.35, -0.45), (0.28, _BED), (0.8, 1.7), linen),
                box((-2.47, -2.4), (0.0, 0.8), (0.75, 1.77), wood),
            ),
            "sofa": (
                box((0.6, 2.1), (0.0, 0.38), (0.75, 1.4), cover),
                box((0.6, 2.1), (0.0, 0.68), (1.4, 1.55), cover),
            ),
            "table": (
                box((-0.6, 0.3), (0.7, 0.75), (2.05, 2.55), wood),
                box((-0.6, -0.53), (0.0, 0.7), (2.05, 2.55), wood),
                box((0.23, 0.3), (0.0, 0.7), (2.05, 2.55), wood),
            ),
        },
    )


def random_people(room: Room, rng: np.random.Generator) -> list[Person]:
    """Draw three people of about average speed, whose clothes differ in colour from the floor and the walls."""
    people, surroundings = [], 0.85 * np.stack([room.floor, *room.walls])
    while len(people) < 3:
        person = replace(body.random_person(rng), tempo=rng.uniform(0.9, 1.1), vigour=rng.uniform(0.85, 1.05))
        clothes = np.array([person.top, person.trousers], float)
        if np.linalg.norm(clothes[:, None] - surroundings, axis=-1).min() > 70:
            people.append(person)
    return people


def scripts(people: list[Person], side: int, rng: np.random.Generator) -> list[Script]:
    """Write the scripts of three people, with pauses of random length.

    Args:
        people: the three bodies
        side: 1, or −1 where the room is mirrored
        rng: generator of the pauses
    """
    first, second, third = people
    at = lambda *spots: [(x * side, z) for x, z in spots]  # noqa: E731
    pause = lambda seconds: seconds * rng.uniform(0.85, 1.15)  # noqa: E731
    hall, door, inside, corner = at((2.6, 3.3), (1.5, 3.2), (1.5, 2.2), (0.4, 1.9))
    rests = Script(first, *at((-1.2, 0.2)), 0.4 * side)
    rests.stand(pause(3), 0.2 * side).walk(*at((-0.6, -0.5))).pick_up().walk(*at((0.1, 0.5), (-0.1, 1.7)))
    rests.stand(pause(4), math.pi).walk(*at((-0.1, 0.5), (-1.4, 0.38))).sit(pause(3), 0.0)
    rests.lie(pause(12), (-0.65 * side, _BED, 1.3), -math.pi / 2 * side).stay(pause(3)).rise()
    rests.walk(*at((-0.1, 0.5), (-0.1, 1.7))).stand(1.0, 0.3 * side)

    falls = Script(second, hall, math.pi / 2 * side).stay(pause(5)).walk(door, inside, corner)
    falls.walk(*at((0.2, 0.0), (1.0, 0.35))).sit(pause(8), 0.0).rise().walk(*at((0.7, -0.8), (-0.4, -1.0), (0.6, -0.4)))
    # away from the furniture
    aside = "on the left" if side > 0 else "on the right"
    pose, heading = [("supine", -1.0), (aside, 0.1)][rng.integers(2)]
    falls.stand(pause(2), heading * side).fall(pause(8), pose)
    falls.stand(pause(2), 0.0).walk(*at((1.0, 0.35))).sit(1.0, 0.0)

    leaves = Script(third, *at((1.75, 0.35)), pose="seated", activity="sitting").stay(pause(9)).rise()
    leaves.walk(*at((1.0, -0.9), (-0.1, -0.9))).pick_up().walk(*at((0.2, 0.6)), corner, inside, door)
    leaves.walk(hall).stand(pause(8), 0.0).walk(door, inside, corner, *at((0.5, 0.3), (1.6, 0.1)))
    leaves.stand(pause(4), 1.0 * side).pick_up().stand(1.0, 0.0)
    return [rests, falls, leaves]


def write(root: Path, seed: int, seconds: float, workers: int | None) -> None:
    """Write the files of the set into a folder.

    Args:
        root: the folder
        seed: of everything random
        seconds: length of the video
        workers: not used; one process writes the set
    """
    rng = generator(seed, "home")
    home, times = random_home(rng), np.arange(round(seconds * FPS)) / FPS
    people = random_people(home.room, rng)
    acted = scripts(people, home.side, rng)
    for script in acted:
        if script.seconds < seconds:
            script.stay(seconds - script.seconds)
    joints = np.stack([act(s.person, s.acts, times, rng) for s in acted], 1)  # (t, m, 26, 3)
    figures = [Figure(person, joints[:, m], home.camera) for m, person in enumerate(people)]
    room = home.show()
    owners = np.stack([shown(room[1], figures, t) for t in range(len(times))])  # (t, h, w): whom a pixel shows
    write_video(root / "home.mp4", _frames(*room, figures, rng))
    (root / "zones.yaml").write_text(yaml.safe_dump(home.zones(), default_flow_style=None), encoding="utf-8")

    seen = _seen(owners, figures)
    rows = [row for m, script in enumerate(acted) for row in episodes(m + 1, script, seen[:, m])]
    write_rows(root / "truth/episodes.csv", ("person", "activity", "start_s", "end_s"), rows)
    low, high = (np.stack([f.boxes[:, :2] + end * f.boxes[:, 2:] for f in figures], 1) for end in (0, 1))
    low, high = np.clip(low, 0, SIZE), np.clip(high, 0, SIZE)
    lines = [
        ",".join([f"{t + 1},{m + 1}", *(f"{v:.1f}" for v in (*low[t, m], *(high - low)[t, m])), "1,1,-1,-1"]) + "\n"
        for t, m in np.argwhere(seen)
    ]
    (root / "truth/tracks.txt").write_text("".join(lines), encoding="utf-8")
    points = np.stack([coco(joints[:, m], person, home.camera) for m, person in enumerate(people)], 1)
    np.savez_compressed(
        root / "truth/joints.npz",
        joints=points.astype(np.float32),
        visible=_visible(points, owners),
        people=np.arange(1, len(people) + 1),
        seconds=times,
    )


def episodes(person: int, script: Script, seen: np.ndarray) -> list[tuple[int, str, str, str]]:
    """The true episodes of a person. Adjacent acts of the same activity are one.

    An episode lasts while the person is in view: a person who leaves walks until the wall hides them, and the time out
    of the room belongs to no episode. Being hidden for up to a second does not interrupt one.

    Args:
        person: id of the person
        script: the person's acts
        seen: (t,) bool, whether the person is in view

    Returns:
        rows of `episodes.csv`
    """
    activities = np.full(len(seen), -1)
    start = 0.0
    for step in script.acts[1:]:
        activities[round(start * FPS) : round((start + step.seconds) * FPS)] = ACTIVITIES.index(step.activity)
        start += step.seconds
    known = seen.copy()
    for last, following in pairwise(np.flatnonzero(seen)):
        known[last:following] |= following - last <= FPS + 1
    activities[~known] = -1
    edges = [0, *np.flatnonzero(np.diff(activities)) + 1, len(activities)]
    return [
        (person, ACTIVITIES[activities[first]], f"{first / FPS:.3f}", f"{last / FPS:.3f}")
        for first, last in pairwise(edges)
        if activities[first] >= 0
    ]


def coco(joints: np.ndarray, person: Person, camera: Camera) -> np.ndarray:
    """Project a body's 26 joints (t, 26, 3) in metres to COCO's 17 in pixels: (t, 17, 2)."""
    head, nose = joints[:, skeleton.HEAD], joints[:, body.NOSE]
    ahead, up = nose - head, head - joints[:, skeleton.NECK]
    right = np.cross(ahead, up)
    right *= person.stature / np.linalg.norm(right, axis=1, keepdims=True)
    eyes = [nose + 0.15 * up + side * 0.02 * right for side in (1, -1)]
    ears = [head + side * 0.045 * right for side in (1, -1)]
    points = np.concatenate([np.stack([nose, *eyes, *ears], 1), joints[:, list(_COCO)]], 1)
    return camera.project(points)[0]


def _frames(picture: np.ndarray, depth: np.ndarray, figures: list[Figure], rng: np.random.Generator) -> Iterator:
    """Draw the frames (h, w, 3) uint8 BGR, with the noise of a sensor and the blur of a lens."""
    noise = [cv2.merge([rng.normal(0, 3, depth.shape).astype(np.int16)] * 3) for _ in range(8)]
    for t in range(len(figures[0].depth)):
        frame = cv2.GaussianBlur(draw(picture, depth, figures, t, ghosts=False), (0, 0), 0.8)
        yield cv2.add(frame, noise[t % len(noise)], dtype=cv2.CV_8U)


def write_video(path: Path, frames: Iterator[np.ndarray]) -> None:
    """Write frames (h, w, 3) uint8 BGR as H.264, at `FPS` frames a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "24", "preset": "veryfast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode())


def _seen(owners: np.ndarray, figures: list[Figure]) -> np.ndarray:
    """Whether at least `SEEN` of each person is visible in each frame: (t, m)."""
    far = np.full(owners.shape[1:], np.inf, np.float32)
    return np.array(
        [
            [(owners[t] == m + 1).sum() >= max(SEEN * (shown(far, [f], t) > 0).sum(), 1) for m, f in enumerate(figures)]
            for t in range(len(owners))
        ]
    )


def _visible(points: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Whether a pixel of their own person shows at each joint (t, m, 17); a person's own limbs hide none."""
    (w, h), (t, m) = SIZE, np.indices(points.shape[:2])
    x, y = np.floor(points).astype(int).transpose(3, 0, 1, 2)
    inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
    return inside & (owners[t[..., None], np.clip(y, 0, h - 1), np.clip(x, 0, w - 1)] == m[..., None] + 1)
