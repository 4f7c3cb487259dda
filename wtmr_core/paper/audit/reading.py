"""Findings 5 and 11: what the published readers make of recordings, and which label a clip gets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from wtmr_core.datasets import ntu60, svideoqa
from wtmr_core.datasets.index import DataError, Unreadable
from wtmr_core.paper import published
from wtmr_core.paper.audit.finding import (
    AS_PUBLISHED,
    NOT_REPRODUCED,
    REPRODUCED,
    AuditError,
    Finding,
    percent,
    share,
    undecided,
)

TWO_PERSON = range(50, 61)  # actions A050 to A060
PUBLISHED_CLIPS = 44_888
LEAST = 16  # frames, below which the published reader drops a file


def first_body_reader(text: str) -> np.ndarray | None:
    """Read a `.skeleton` text as the paper's notebook did, line by line: joints (16, 25, 3), or None where it fails.

    After the first body's 25 joints it takes the next line for the number of bodies of the next frame. So a second
    body, or a frame without one, makes the whole file fail; the notebook passes over that in silence.
    """
    lines = iter(text.splitlines())
    try:
        frames = []
        for _ in range(int(next(lines))):
            int(next(lines))  # bodies
            next(lines)  # the first body's values
            joints = int(next(lines))
            frames.append([[float(value) for value in next(lines).split()[:3]] for _ in range(joints)])
    except (ValueError, StopIteration):
        return None
    if len(frames) < LEAST or {len(frame) for frame in frames} != {25}:
        return None
    return np.array(frames)[np.linspace(0, len(frames) - 1, LEAST).astype(int)]


def readings(texts: Mapping[str, str]) -> pd.DataFrame:
    """What both readers make of `.skeleton` texts, by name: bodies (most in a frame), frames, published, ours.

    `published` is what the notebook's reader gives, `ours` what the corrected one does; `agree`: whether the project's
    own rule for what the notebook loses (`ntu60.published_reader`) says the same.
    """
    rows = []
    for name, text in texts.items():
        clip = first_body_reader(text)
        try:
            skeletons = ntu60.parse(text.encode())
            bodies, frames, ours = int(skeletons.seen.max()), len(skeletons.seen), "read"
        except Unreadable as fault:
            skeletons, bodies, frames, ours = None, 0, 0, fault.reason
        rows.append(
            (name, bodies, frames, "nothing" if clip is None else str(clip.shape), ours, _same(skeletons, clip))
        )
    return pd.DataFrame(rows, columns=["file", "bodies", "frames", "published", "ours", "agree"])


def _same(skeletons: ntu60.Skeletons | None, clip: np.ndarray | None) -> bool:
    try:
        rule = None if skeletons is None else ntu60.published_reader(skeletons)
    except Unreadable:
        rule = None
    return (rule is None) == (clip is None)


def with_second_body(text: str, first: int, frames: int) -> str:
    """A one-body `.skeleton` text in which a second body, a copy one metre aside, is seen in some of the frames."""
    lines = text.splitlines()
    made, at = [lines[0]], 1
    for t in range(int(lines[0])):
        body = lines[at + 1 : at + 28]
        two = first <= t < first + frames
        made += [str(1 + two), *body]
        if two:
            ident, rest = body[0].split(maxsplit=1)
            aside = [f"{float(x) + 1:.7g} {values}" for x, values in (line.split(maxsplit=1) for line in body[2:])]
            made += [f"{int(ident) + 1} {rest}", body[1], *aside]
        at += 28
    return "\r\n".join(made) + "\r\n"


def made_files(text: str) -> dict[str, str]:
    """A real or drawn one-body `.skeleton` text, and four made of it, by what they show."""
    lines = text.splitlines()
    frames = int(lines[0])
    short = "\r\n".join(["12", *lines[1 : 1 + 12 * 28]]) + "\r\n"
    return {
        "one body": text,
        "two bodies throughout": with_second_body(text, 0, frames),
        "a second body in one frame": with_second_body(text, frames // 2, 1),
        "nobody in the first frame": "\r\n".join([str(frames + 1), "0", *lines[1:]]) + "\r\n",
        "12 frames": short,
    }


def action_counts(names: Iterable[str]) -> pd.Series:
    """How many of NTU's sample names are of each action: a series by action number."""
    matches = [ntu60.NAME.match(name) for name in names]
    if None in matches or not matches:
        raise AuditError("these are no names of NTU RGB+D samples, such as S001C001P001R001A001")
    counts = pd.Series(Counter(int(match[5]) for match in matches), name="names").sort_index()
    return counts.rename_axis("action")


def lost_files(
    texts: Mapping[str, str],
    counts: pd.Series | None = None,
    matrix: pd.DataFrame | None = None,
    root: Path | None = None,
) -> Finding:
    """Finding 5: why do 44,888 clips remain of NTU's 56,578?

    Args:
        texts: `.skeleton` texts by what they show, as `made_files`
        counts: names of each action, as `published.ntu60_names`
        matrix: the published one of NTU
        root: NTU's folder, where somebody has it: then all its files are read
    """
    counts = published.ntu60_names() if counts is None else counts
    matrix = published.confusion("ntu60") if matrix is None else matrix
    table = readings(texts)
    two, names = int(counts[counts.index.isin(TWO_PERSON)].sum()), int(counts.sum())
    fails = table[(table.bodies > 1) & (table.published == "nothing")]
    defect = bool(len(fails)) and len(fails) == (table.bodies > 1).sum()
    shown = {
        name: int(matrix.loc[name].sum())
        for name in ("handshaking", "walking towards each other")
        if name in matrix.index
    }
    left = sum(shown.values()) * 5
    least = names - two - PUBLISHED_CLIPS
    survived = (
        f"and, since the matrix, a fifth of all clips, holds {' + '.join(map(str, shown.values()))} clips of "
        f"{' and '.join(shown)}, about {least + left:,} of them or more: about {left} clips of "
        "these two two-person classes survived, of the nine others the matrix says nothing"
        if shown else "and as many more as two-person files survived"
    )  # fmt: skip
    if root is not None:
        kept = sum(
            first_body_reader(path.read_text(errors="replace")) is not None for path in sorted(root.rglob("*.skeleton"))
        )
        verdict = AS_PUBLISHED if defect and kept == PUBLISHED_CLIPS else NOT_REPRODUCED
        whole = f". Read here: {kept:,} of {names:,}"
    else:
        verdict = undecided("the recordings of NTU RGB+D 60") if defect else NOT_REPRODUCED
        whole = ". The set is not here, so the count itself was not made"
    loses = "reads nothing of" if defect else "does not fail on"
    return Finding(
        5,
        "NTU's reader loses files without a word",
        f"NTU RGB+D 60: {PUBLISHED_CLIPS:,} clips of 60 classes",
        "Which files does the notebook's reader lose, and do they explain what is missing?",
        f"the notebook's reader and ours over {len(table)} files; the official list of {names:,} names by action",
        f"the notebook's reader {loses} a file with a second body in any frame, without a word. {two:,} of the names "
        f"are of two-person actions and {names - two:,} of one person; {names - PUBLISHED_CLIPS:,} were lost, so at "
        f"least {least:,} one-person files too (stray second bodies, frames without anybody, fewer than 16 frames), "
        f"{survived}{whole}",
        verdict,
        "NTU's accuracies are mostly of one-person actions: of two of the eleven two-person classes few clips are "
        f"left, {' and '.join(f'{n} {name}' for name, n in shown.items()) or 'none'} in the matrix. Whether the reader "
        f"explains all that is missing cannot be told without the set",
        table,
    )  # fmt: skip


# -- SVideoQA -------------------------------------------------------------------------------------------------


def words_by_sequence(root: Path) -> tuple[dict[str, tuple[str, ...]], pd.Series]:
    """The action words in the tables of each sequence of SVideoQA, and how many clips each sequence has.

    Words stand in the order of `svideoqa.WORDS`. Raises `DataError` where `root` holds no sequences.
    """
    samples = svideoqa.index(root, "-").samples
    pattern = re.compile(r"\b(" + "|".join(svideoqa.WORDS) + r")\b")
    found: dict[str, set[str]] = {}
    for group, path in zip(samples.group, samples.path, strict=True):
        tables = [f for f in (root / path).iterdir() if f.suffix.lower() in svideoqa.TABLES]
        for pairs, _ in map(svideoqa.read_table, tables):
            text = " ".join(row[column] for row in pairs for column in svideoqa.COLUMNS).lower()
            found.setdefault(group, set()).update(pattern.findall(text))
    words = {group: tuple(sorted(some, key=svideoqa.WORDS.index)) for group, some in found.items() if some}
    return words, samples.group.value_counts()


def label_changes(
    words: Mapping[str, tuple[str, ...]], clips: pd.Series, orders: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Label every clip of a sequence by the first of its words, in two random orders: what differs, a row a pair.

    Columns: changed, the share of clips with another label; majority, that of the most frequent label.
    """
    rng, rows = np.random.default_rng(seed), []
    names = [name for name in words if name in clips.index]
    if not names:
        raise DataError("no sequence has an action word in its tables")
    weights = clips[names].to_numpy()
    for _ in range(orders):
        labels = []
        for _ in range(2):
            rank = dict(zip(svideoqa.WORDS, rng.permutation(len(svideoqa.WORDS)), strict=True))
            labels.append([min(words[name], key=rank.get) for name in names])
        changed = np.array(labels[0]) != np.array(labels[1])
        most = pd.Series(weights).groupby(labels[0]).sum().max()
        rows.append((np.average(changed, weights=weights), most / weights.sum()))
    return pd.DataFrame(rows, columns=["changed", "majority"])


def label_entropy(matrix: pd.DataFrame, classes: int) -> tuple[float, float]:
    """Least and greatest entropy (nats) of a matrix's labels: "others" as one class, and spread evenly over the rest.

    No constant answer has a smaller cross-entropy than the entropy of the labels.

    Args:
        matrix: clips, true classes down, "others" maybe among them
        classes: of the data set
    """
    part = matrix.sum(axis=1) / matrix.to_numpy().sum()
    hidden = max(classes - len(part.drop("others", errors="ignore")), 1)
    least = float(stats.entropy(part))
    return least, least + float(part.get("others", 0.0) * np.log(hidden))


def constant_epochs(log: pd.DataFrame) -> tuple[float, int]:
    """The validation accuracy that a log begins with, and for how many epochs it does not move.

    One answer for all clips gives such a beginning: the accuracy is then the part of the class that is answered.
    """
    accuracy = log.sort_values("epoch").val_accuracy.to_numpy()
    return float(accuracy[0]), int(np.cumprod(accuracy == accuracy[0]).sum())


def unstable_labels(
    words: Mapping[str, tuple[str, ...]],
    clips: pd.Series,
    matrix: pd.DataFrame | None = None,
    logs: pd.DataFrame | None = None,
) -> Finding:
    """Finding 11: how many of SVideoQA's labels hang on the order of a set, and what does one class alone give?

    Args:
        words, clips: as `words_by_sequence`
        matrix: the published one of SVideoQA
        logs: as `published.epochs`
    """
    matrix = published.confusion("svideoqa") if matrix is None else matrix
    logs = published.epochs() if logs is None else logs
    logs = logs[logs.dataset == "svideoqa"]
    still, epochs = constant_epochs(logs[logs.model == "released-timesformer"])
    loss, (least, greatest) = logs.train_loss.min(), label_entropy(matrix, 8)
    evener = loss > greatest
    table = label_changes(words, clips)
    low, middle, high = table.changed.quantile([0.025, 0.5, 0.975])
    several = np.mean([len(some) > 1 for some in words.values()])
    totals, right = matrix.sum(axis=1), int(np.diag(matrix).sum())
    majority, all_clips = totals.idxmax(), int(totals.sum())
    base, accuracy = share(int(totals.max()), all_clips), share(right, all_clips)
    if not (table.changed > 0).any():
        verdict = REPRODUCED
    else:
        verdict = NOT_REPRODUCED if accuracy[2] < base[1] else undecided("the labels that were trained on")
    return Finding(
        11,
        "SVideoQA's labels hang on the order of a set",
        "SVideoQA's matrix: WTMR-Net tells 8 classes apart",
        "How many clips change their label with the order of the words, and how good is always the same answer?",
        f"the notebooks' rule under pairs of random orders, on the miniature ({len(words)} sequences, "
        f"{percent(several)} of them with several words); the published matrix beside its most frequent class; the "
        "losses of the logs beside the entropy of the matrix's labels",
        f"{percent(middle)} of the clips change their label from one order to another (19 of 20 pairs {percent(low)} "
        f"to {percent(high)}). In the matrix, {totals.max()} of {all_clips} clips are {majority}: that answer alone "
        f"has {percent(base[0])} right ({percent(base[1])} to {percent(base[2])}), the network {percent(accuracy[0])} "
        f"({percent(accuracy[1])} to {percent(accuracy[2])}). Its labels have an entropy of {least:.2f} to "
        f"{greatest:.2f}; no logged training loss is below {loss:.2f}, "
        f"{'so the logs probably had evener labels' if evener else 'which says nothing of the labels there'}. "
        f"TimeSformer's log has {percent(still)} in validation for its first {epochs} epochs"
        f"{', as one answer for all clips would' if epochs > 2 else ''}",
        verdict,
        f"the matrix shows no recognition: one answer has {percent(base[0])} right there. The accuracies of the logs "
        f"are of other sessions, maybe with other labels, and cannot be held against it: TimeSformer's ends above "
        f"what one answer seems to give in its session; for WTMR-Net's session that is not known"
        if verdict == NOT_REPRODUCED else "the accuracies, as far as the labels are stable",
        table,
    )  # fmt: skip
