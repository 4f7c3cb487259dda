"""The 25 joints of a body as Kinect v2 gives them and NTU RGB+D numbers them (from 0).

Source: Shahroudy et al., "NTU RGB+D: A large scale dataset for 3D human activity analysis", CVPR 2016, figure 1.
"""

from __future__ import annotations

# fmt: off
(HIPS, WAIST, NECK, HEAD, L_SHOULDER, L_ELBOW, L_WRIST, L_HAND, R_SHOULDER, R_ELBOW, R_WRIST, R_HAND,
 L_HIP, L_KNEE, L_ANKLE, L_FOOT, R_HIP, R_KNEE, R_ANKLE, R_FOOT,
 CHEST, L_TIP, L_THUMB, R_TIP, R_THUMB) = range(25)
JOINTS = 25

#: the joint that each one hangs on; the hips hang on themselves
PARENTS = (
    HIPS, HIPS, CHEST, NECK, CHEST, L_SHOULDER, L_ELBOW, L_WRIST, CHEST, R_SHOULDER, R_ELBOW, R_WRIST,
    HIPS, L_HIP, L_KNEE, L_ANKLE, HIPS, R_HIP, R_KNEE, R_ANKLE, WAIST, L_HAND, L_HAND, R_HAND, R_HAND,
)
#: all but the hips, each after the joint it hangs on
OUTWARDS = (WAIST, CHEST, NECK, HEAD, *range(L_SHOULDER, CHEST), L_TIP, L_THUMB, R_TIP, R_THUMB)
#: (parent, joint) of each bone
BONES = tuple((PARENTS[joint], joint) for joint in OUTWARDS)

#: the joint that stands where each one stands in a mirror: left and right arms, legs, hands exchanged
MIRROR = (
    HIPS, WAIST, NECK, HEAD, R_SHOULDER, R_ELBOW, R_WRIST, R_HAND, L_SHOULDER, L_ELBOW, L_WRIST, L_HAND,
    R_HIP, R_KNEE, R_ANKLE, R_FOOT, L_HIP, L_KNEE, L_ANKLE, L_FOOT, CHEST, R_TIP, R_THUMB, L_TIP, L_THUMB,
)
#: the joints of each body part, along its bones, beginning with the one it is joined on by
PARTS = {
    "trunk": (HIPS, WAIST, CHEST, NECK, HEAD),
    "left arm": (CHEST, L_SHOULDER, L_ELBOW, L_WRIST, L_HAND, L_TIP, L_THUMB),
    "right arm": (CHEST, R_SHOULDER, R_ELBOW, R_WRIST, R_HAND, R_TIP, R_THUMB),
    "left leg": (HIPS, L_HIP, L_KNEE, L_ANKLE, L_FOOT),
    "right leg": (HIPS, R_HIP, R_KNEE, R_ANKLE, R_FOOT),
}
# fmt: on
