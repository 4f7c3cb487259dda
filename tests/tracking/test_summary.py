"""The paper's summary of a person, worked out by hand."""

from wtmr_core.tracking.people import Episode
from wtmr_core.tracking.summary import summary


def test_a_person_s_day_worked_out_by_hand():
    day = [
        Episode("walking", 0, 3, 3, 0.9),
        Episode("sitting", 3, 20, 12, 0.9),  # unseen for 5 s
        Episode("walking", 20, 22, 2, 0.9),
        Episode("falling", 22, 22.5, 0.5, 0.9),
        Episode("unknown", 22.5, 90, 60, 0.9),
        Episode("lying", 90, 102, 12, 0.9),
    ]
    assert summary(day) == {
        "first_s": 0,
        "last_s": 102,
        "seen_s": 89.5,
        "activities": {
            "unknown": {"episodes": 1, "seconds": 60},
            "lying": {"episodes": 1, "seconds": 12},
            "sitting": {"episodes": 1, "seconds": 12},
            "walking": {"episodes": 2, "seconds": 5},
            "falling": {"episodes": 1, "seconds": 0.5},
        },
        "most_frequent": "walking",
        "least_frequent": "falling",  # once, as lying and sitting, but shorter
        "longest": {"activity": "sitting", "start_s": 3, "duration_s": 12},  # before the equal lying
        "shortest": {"activity": "falling", "start_s": 22, "duration_s": 0.5},
    }


def test_of_someone_of_whom_nothing_is_known_nothing_is_said():
    brief = summary([Episode("unknown", 0, 1, 1, 0.2)])
    assert [brief[key] for key in ("most_frequent", "least_frequent", "longest", "shortest")] == [None] * 4
    assert summary([])["first_s"] is None
