"""A camera, and a furnished room as it sees it.

Space is that of `body`: metres, y up, floor at y = 0. Pictures are (h, w, 3) uint8, BGR as in OpenCV. A room is
rendered once per camera by following the ray of every pixel to what it meets.

Axes: h w pixels.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np


@dataclass(frozen=True)
class Camera:
    """A pinhole camera on a tripod, looking at a point on the room's vertical axis through `target`."""

    target: tuple[float, float, float]  # metres: what is in the middle of the picture
    turn: float  # radians: 0 looks along +z, towards +x as it grows
    distance: float  # metres on the floor from the target
    height: float  # metres above the floor
    focal: float  # pixels
    size: tuple[int, int]  # width, height in pixels

    @property
    def position(self) -> np.ndarray:
        """Where it stands, (3,) in metres."""
        x, _, z = self.target
        return np.array([x - self.distance * np.sin(self.turn), self.height, z - self.distance * np.cos(self.turn)])

    @property
    def axes(self) -> np.ndarray:
        """Rows right, up and away (3, 3), in the room's axes."""
        away = np.array(self.target) - self.position
        away = away / np.linalg.norm(away)
        right = np.array([np.cos(self.turn), 0, -np.sin(self.turn)])
        return np.stack([right, np.cross(away, right), away])

    def see(self, points: np.ndarray) -> np.ndarray:
        """Transform room (..., 3) to camera space (..., 3), both in metres: x right, y up, z away."""
        return (points - self.position) @ self.axes.T

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project room (..., 3) to pixels (..., 2), x right and y down, and depth (...) in metres."""
        seen = self.see(points)
        depth = np.maximum(seen[..., 2], 0.1)
        middle = np.array(self.size) / 2
        return middle + self.focal * seen[..., :2] * np.array([1, -1]) / depth[..., None], depth


@dataclass(frozen=True)
class Box:
    """A piece of furniture: a block with its sides along the axes of the room."""

    low: tuple[float, float, float]  # metres
    high: tuple[float, float, float]
    colour: tuple[float, float, float]  # BGR


@dataclass(frozen=True)
class Room:
    """A room around the origin: its floor and walls, and what stands and hangs in it."""

    half: tuple[float, float]  # metres from the middle to the walls, x and z
    floor: tuple[float, float, float]  # BGR
    boards: float  # metres between the joints of the floor
    walls: np.ndarray  # (4, 3) BGR
    stripes: float  # contrast of the wallpaper
    hangings: tuple[tuple[int, float, float, float, float, tuple[float, ...]], ...]  # wall, u, v, w, h, colour
    furniture: tuple[Box, ...]
    grain: np.ndarray = field(repr=False)  # (256, 256) about 0: unevenness of every surface
    light: float = 1.0


def random_room(rng: np.random.Generator) -> Room:
    """Sample a room with furniture along its walls.

    Walls, floor and furniture are rather light, so that people, mostly darker, stand out: a network trained for a
    minute on 160 clips cannot learn to tell people from dark furniture as well.
    """
    half = tuple(rng.uniform(2.6, 4.0, 2))
    colour = lambda low, high: tuple(np.clip(rng.uniform(low, high) + rng.normal(0, 14, 3), 5, 250))  # noqa: E731
    grain = sum(
        cv2.resize(rng.normal(0, 1, (n, n)).astype(np.float32), (256, 256), interpolation=cv2.INTER_CUBIC)
        for n in (8, 32, 256)
    )
    hangings = []
    for wall in range(4):
        for _ in range(rng.integers(0, 2)):
            u, v = rng.uniform(-0.8, 0.5) * half[0], rng.uniform(1.1, 1.6)
            hangings.append((wall, u, v, rng.uniform(0.4, 1.3), rng.uniform(0.4, 1.0), colour(130, 220)))
        if rng.random() < 0.3:  # a door
            hangings.append((wall, rng.uniform(-0.7, 0.4) * half[0], 0.0, 0.9, 2.05, colour(120, 200)))
    furniture = []
    for _ in range(rng.integers(1, 4)):
        across, deep, tall = rng.uniform(0.5, 1.5), rng.uniform(0.3, 0.6), rng.choice([0.5, 0.8, 1.2, 1.9])
        along = rng.uniform(-0.9, 0.6)
        if rng.random() < 0.5:
            x, z, w, d = along * half[0], rng.choice([-half[1], half[1] - deep]), across, deep
        else:
            x, z, w, d = rng.choice([-half[0], half[0] - deep]), along * half[1], deep, across
        furniture.append(Box((x, 0, z), (x + w, tall, z + d), colour(110, 190)))
    wall = colour(165, 215)
    return Room(
        half=half,
        floor=colour(110, 165),
        boards=float(rng.choice([0.12, 0.2, 0.5, 50.0])),
        walls=np.clip(np.array(wall) + rng.normal(0, 8, (4, 3)), 5, 250),
        stripes=float(rng.choice([0, 0, 6, 12])),
        hangings=tuple(hangings),
        furniture=tuple(furniture),
        grain=(grain * rng.uniform(2.0, 4.5)).astype(np.float32),
        light=float(rng.uniform(0.85, 1.05)),
    )


def chair(x: float, z: float, heading: float, colour: tuple[float, float, float]) -> tuple[Box, ...]:
    """A seat behind a person who stands at (x, z), and its back, turned by quarters to fit best."""
    quarter = int(np.round(heading / (np.pi / 2))) % 4
    back = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)][quarter])  # heading 0 faces −z, π/2 faces −x
    side = back[::-1]
    boxes = []
    for near, far, low, high in ((0.22, 0.62, 0.30, 0.44), (0.60, 0.68, 0.1, 0.88)):
        corners = np.array([x, z]) + np.array([near * back - 0.24 * side, far * back + 0.24 * side])
        (x0, z0), (x1, z1) = corners.min(0), corners.max(0)
        boxes.append(Box((x0, low, z0), (x1, high, z1), colour))
    return tuple(boxes)


def render_room(
    room: Room, camera: Camera, boxes: tuple[Box, ...] = (), clear: float = 0.6
) -> tuple[np.ndarray, np.ndarray]:
    """Render the empty room as the camera sees it: picture (h, w, 3) uint8 and depth (h, w) float32 in metres.

    Furniture nearer than `clear` metres behind the target is left out, as a person setting up a camera would clear it
    away; `boxes` always stand. The camera may be outside: it sees through the near walls.
    """
    w, h = camera.size
    x, y = np.meshgrid(np.arange(w) + 0.5 - w / 2, h / 2 - np.arange(h) - 0.5)
    rays = np.stack([x / camera.focal, y / camera.focal, np.ones_like(x)], -1) @ camera.axes  # depth 1 (h, w, 3)
    rays = np.where(np.abs(rays) < 1e-6, 1e-6, rays).astype(np.float32)
    eye = camera.position.astype(np.float32)

    ends = np.array([room.half[0], 2.6, room.half[1]], np.float32)
    exits = (np.where(rays > 0, ends, ends * np.array([-1, 0, -1], np.float32)) - eye) / rays
    depth = exits.min(-1)
    axis = exits.argmin(-1)
    hit = eye + depth[..., None] * rays
    wall = np.where(axis == 0, 0, 2) + (np.take_along_axis(rays, axis[..., None], -1)[..., 0] > 0)  # 0–3
    u, v = np.where(axis == 0, hit[..., 2], hit[..., 0]), hit[..., 1]

    picture = room.walls.astype(np.float32)[wall] + (room.stripes * np.sign(np.sin(u * 18)))[..., None]
    for on, left, low, wide, tall, colour in room.hangings:
        inside = (wall == on) & (axis != 1) & (np.abs(u - left - wide / 2) < wide / 2) & (v > low) & (v < low + tall)
        edge = inside & (
            (np.abs(u - left - wide / 2) > wide / 2 - 0.05) | (np.abs(v - low - tall / 2) > tall / 2 - 0.05)
        )
        picture[inside], picture[edge] = colour, np.array(colour) * 0.55
    picture[(v < 0.1) & (axis != 1)] *= 0.7  # skirting board
    floor = (axis == 1) & (rays[..., 1] < 0)
    plank = np.floor(hit[..., 0] / room.boards)
    joint = (np.abs(hit[..., 0] / room.boards - plank - 0.5) > 0.47) & (room.boards < 10)
    picture[floor] = (np.array(room.floor) + (5 * np.sin(plank * 12.9))[..., None])[floor]
    picture[floor & joint] *= 0.75
    picture[(axis == 1) & ~floor] = 235

    distant = [b for b in room.furniture if camera.see((np.array(b.low) + b.high) / 2)[2] > camera.distance + clear]
    for box in (*distant, *boxes):
        t0, t1 = (np.array(box.low, np.float32) - eye) / rays, (np.array(box.high, np.float32) - eye) / rays
        enter = np.minimum(t0, t1)
        near, face = enter.max(-1), enter.argmax(-1)
        met = (near < np.maximum(t0, t1).min(-1)) & (near > 0.1) & (near < depth + 1e-3)
        shade = np.array([0.75, 1.1, 0.9])[face]
        picture[met] = (np.array(box.colour) * shade[..., None])[met]
        depth = np.where(met, near, depth)
    hit = eye + depth[..., None] * rays
    a, b = (((hit[..., 0] + hit[..., 1]) * 45).astype(int), ((hit[..., 2] - hit[..., 1]) * 45).astype(int))
    picture += room.grain[a % 256, b % 256][..., None]
    picture *= (room.light * (0.75 + 0.35 * np.exp(-((hit[..., 0] / 3) ** 2 + (hit[..., 2] / 3) ** 2))))[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8), depth.astype(np.float32)
