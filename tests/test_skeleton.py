"""One body: its bones, its mirror and its parts agree with each other."""

from wtmr_core import skeleton
from wtmr_core.skeleton import BONES, JOINTS, MIRROR, OUTWARDS, PARENTS, PARTS


def test_bones_join_every_joint_to_the_hips_and_parents_come_first():
    assert sorted(OUTWARDS) == list(range(1, JOINTS))
    reached = {skeleton.HIPS}
    for parent, joint in BONES:
        assert parent in reached
        reached.add(joint)
    assert reached == set(range(JOINTS)) == set(range(len(PARENTS)))


def test_the_mirror_exchanges_left_and_right():
    names = {value: name for name, value in vars(skeleton).items() if isinstance(value, int) and name != "JOINTS"}
    exchange = {"L": "R", "R": "L"}
    for joint, name in names.items():
        side, _, what = name.partition("_")
        expected = f"{exchange[side]}_{what}" if side in exchange else name
        assert names[MIRROR[joint]] == expected
        assert MIRROR[PARENTS[joint]] == PARENTS[MIRROR[joint]]  # bones go to bones
    assert len(names) == JOINTS


def test_parts_are_bones_in_a_row_and_cover_the_body():
    assert {joint for part in PARTS.values() for joint in part} == set(range(JOINTS))
    for part in PARTS.values():
        for n, joint in enumerate(part[1:], 1):
            assert PARENTS[joint] in part[:n]
    ends = {"trunk": skeleton.HEAD, "left arm": skeleton.L_HAND, "right arm": skeleton.R_HAND,
            "left leg": skeleton.L_FOOT, "right leg": skeleton.R_FOOT}  # fmt: skip
    for name, joint in ends.items():
        assert [part for part, joints in PARTS.items() if joint in joints] == [name]
