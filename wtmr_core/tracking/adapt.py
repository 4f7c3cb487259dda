"""A network adapted to one person: from labelled episodes of their logs to a run folder that `track` takes."""

from __future__ import annotations

import shutil
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from wtmr_core import card, description, runs
from wtmr_core.classifier import Classifier
from wtmr_core.datasets.video import Remark
from wtmr_core.tracking import adaptation, labels
from wtmr_core.tracking.adaptation import Adapted, Example, Head
from wtmr_core.tracking.track import HOME
from wtmr_core.tracking.truth import plain

KEY = "adapted"  # in `metrics.json` and in the description of the weights: a list, one entry each time
OWN = "recordings of one person, the user's own"


def adapt(
    model: str | Path,
    logs: Sequence[str | Path],
    table: str | Path,
    out: str | Path,
    *,
    people: Sequence[str] = (),
    video: Path | None = None,
) -> dict[str, Any]:
    """Adapt a network to one person, and write it as a run folder.

    Args:
        model: `home`, or the folder of a finished run
        logs: folders of logs, as `track` writes them
        table: the person's labelled episodes, see `labels.read_labels`
        out: the folder to write, new or empty
        people: the person's numbers in the table, where it has other people too
        video: where the logs' videos lie, if no longer where the logs name them; see `labels.video_of`

    Returns:
        `folder`; the entry for the card, see `_entry`; and `warnings`

    Raises:
        Refused: where adapting does not help on episodes held back, or there are too few to tell; nothing is written.
        ValueError: for labels, logs, videos or a network that do not fit each other.
        RunError: for a folder that holds no finished run, and where a file cannot be written.
        NotInstalled: where joints are needed and their detector is not installed.
    """
    base, out = HOME if str(model) == "home" else Path(model), Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is there already: name a new folder for the adapted network")
    classifier = Classifier.load(base)
    rows = labels.read_labels(table, people)
    numbers = {plain(name): number for number, name in enumerate(classifier.classes)}
    for row in rows:
        if row.activity not in numbers:
            known = ", ".join(classifier.classes)
            raise ValueError(f"{table}: {row}: the network does not know {row.activity!r}; it knows {known}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", Remark)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # on single small windows several threads wait for each other
        try:
            of_log = labels.by_log(rows, [Path(log) for log in logs])
            videos = {log: labels.video_of(log, video) for log in of_log}
            found = [f for log, mine in of_log.items() for f in labels.find(classifier, log, mine, videos[log])]
        finally:
            torch.set_num_threads(threads)
    told = [str(warning.message) for warning in caught if isinstance(warning.message, Remark)]
    told += [f"left out, as the person is not seen enough: {f.label}" for f in found if not len(f.features)]
    examples = [Example(numbers[f.label.activity], f.features) for f in found if len(f.features)]
    adapted = adaptation.adapt(head_of(classifier), examples)
    entry = _entry(adapted, examples, classifier.classes, base.resolve().name, len(of_log))
    write(base, classifier, adapted.head, entry, out)
    return {"folder": str(out), **entry, "warnings": told}


def head_of(classifier: Classifier) -> Head:
    """The last layer of a network."""
    weights, bias = classifier.head.weight, classifier.head.bias
    return Head(*(values.detach().cpu().double().numpy() for values in (weights, bias)))


def write(base: Path, classifier: Classifier, head: Head, entry: dict[str, Any], out: Path) -> None:
    """Write the run in the folder `base` with another head into the folder `out`, whole or not at all.

    Args:
        base: folder of the run
        classifier: its network
        head: the new head
        entry: what the card says of it
        out: the new folder
    """
    run = runs.load(base)
    facts = classifier.description
    entries = [*facts.get(KEY, []), entry]
    facts = facts | {"licence": facts["licence"].removesuffix(f"; {OWN}") + f"; {OWN}", KEY: entries}
    (name,) = [name for name, module in classifier.network.named_modules() if module is classifier.head]
    tensors = load_file(base / runs.WEIGHTS)
    for part, values in (("weight", head.weights), ("bias", head.bias)):
        old = tensors[f"{name}.{part}"]
        tensors[f"{name}.{part}"] = torch.from_numpy(values).to(old.dtype).reshape(old.shape).contiguous()
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir()
        for file in (runs.SETTINGS, runs.ENVIRONMENT, runs.HISTORY, runs.TIMING, runs.PREDICTIONS):
            if (base / file).is_file():
                shutil.copyfile(base / file, beside / file)
        runs.write_json(beside / runs.METRICS, run.metrics | {KEY: entries})
        runs.write(beside / runs.WEIGHTS, lambda path: save_file(tensors, path, metadata=description.metadata(facts)))
        tested = {"labels": run.labels, "logits": run.logits, "groups": run.groups}
        page = card.page(out.name, facts, run.metrics, tested, run.environment)
        page = page.replace("## Figures", "## Figures before it was adapted")
        page = page.replace("## Use", "".join(map(_section, entries)) + "## Use")
        runs.write_text(beside / card.CARD, page)
        runs.sign(beside)
        if out.is_dir():  # an empty one; Windows does not replace it
            out.rmdir()
        beside.replace(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _entry(
    adapted: Adapted, examples: Sequence[Example], classes: Sequence[str], base: str, logs: int
) -> dict[str, Any]:
    """What is kept of an adaptation: no name, place or time of the person.

    `from` the run's folder; `logs`, `episodes` and their number by activity; mean share of the steps that are right in
    an episode held back, `before` and `after`; how many episodes are `better` and `worse`; `chance`, the probability of
    such a gain by chance; and `strength` of the penalty.
    """
    counts = Counter(classes[example.activity] for example in examples)
    gains = adapted.after - adapted.before
    return {
        "from": base,
        "logs": logs,
        "episodes": len(examples),
        "activities": dict(sorted(counts.items())),
        "before": round(float(adapted.before.mean()), 4),
        "after": round(float(adapted.after.mean()), 4),
        "better": int((gains > 0).sum()),
        "worse": int((gains < 0).sum()),
        "chance": round(adapted.chance, 4),
        "strength": adapted.strength,
    }


def _section(entry: dict[str, Any]) -> str:
    """The section of the card on an adaptation."""
    counts = ", ".join(f"{name} {count}" for name, count in entry["activities"].items())
    return f"""## Adapted to one person

The last layer was adapted, from `{entry["from"]}`, by {entry["episodes"]} labelled episodes of one person in
{entry["logs"]} logs ({counts}).

| on episodes held back | before | after | better | worse | gain by chance |
| --- | --- | --- | --- | --- | --- |
| share of the time that is right | {100 * entry["before"]:.1f} % | {100 * entry["after"]:.1f} % | {entry["better"]} | \
{entry["worse"]} | p = {entry["chance"]:.3f} |

Each episode was held back from a head fitted to others; the one here is fitted to all. Activities without an episode
keep their weights. It is for that person, where these episodes were seen: on other people, and in other rooms, it was
not measured, and the figures below are those of the network before. Its weights derive from recordings of that person:
keep them as you keep those.

"""
