"""The `home` model for release: a trained run, with the facts that training does not know.

    python -m wtmr_core.tracking.release RUN [OUT]

writes the finished run RUN into the folder OUT, by default the one in this package. It adds the seconds that a window
really spans (a `.skeleton` file has no times and is read at Kinect's 30 frames a second), and the sources of the
training set with their licences, to the weights and the card.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from wtmr_core import card, checkpoint, description, runs
from wtmr_core.tracking.poses import FRAMES, RATE

PLACE = Path(__file__).with_name("home")
LICENCE = (
    "UTKinect-Action3D and J-HMDB, research use; HMDB51, whose films J-HMDB has, CC BY 4.0; "
    "scenes of this repository, MIT"
)
SOURCES = """## Sources

* Scenes at home played by synthetic bodies (`wtmr_core/tracking/scripts.py`), MIT.
* UTKinect-Action3D (Xia, Chen, Aggarwal, "View invariant human action recognition using histograms of 3D joints", CVPR
  Workshops 2012): research use. Three of its performers train, two test.
* J-HMDB (Jhuang et al., "Towards understanding action recognition", ICCV 2013): research use; its first split.

No recording of a home was trained on. But the clips of GMDCSA-24's subjects 1 and 4 were looked at while the model was
made: scenes of sinking backward, legs drawn up, deep leaning on seats and pictures that cut people off were added
afterwards, two of the rules in `home.yaml` (how seldom lying begins, how a fall begins) were set for their effect on
these clips, and among several trained networks this one was chosen by false falls in UTKinect with the clips' scores in
sight. So the clips are no clean test, nor is UTKinect for false falls; other homes are, and lower figures are to be
expected there.

## In a video

```python
from wtmr_core.tracking.episodes import smooth
from wtmr_core.tracking.poses import activities
times, probabilities = activities(classifier, sightings)  # of one person: `people.Sighting`s with joints
episodes = smooth(times, probabilities, classifier.classes)
```
"""


def release(run_folder: Path, out: Path = PLACE) -> Path:
    """Write a finished run as a release, and return its folder.

    Args:
        run_folder: folder of the run
        out: folder to write; what it holds is deleted

    Raises:
        RunError: where the folder holds no finished run, and for a run whose windows are not those of `poses`.
    """
    run = runs.load(run_folder)
    settings = checkpoint.settings_of(run)
    if settings.stored_frames != FRAMES or not settings.normalise_joints:
        raise runs.RunError(f"{run_folder} takes other windows than those of poses: train experiments/home.yaml")
    seconds = FRAMES / RATE
    facts = description.read(run, settings) | {"licence": LICENCE}
    facts["input"]["seconds"] = seconds
    metrics = run.metrics | {"clip_seconds": seconds}
    tensors = load_file(run_folder / runs.WEIGHTS)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for name in (runs.SETTINGS, runs.ENVIRONMENT, runs.HISTORY, runs.TIMING, runs.PREDICTIONS):
        shutil.copyfile(run_folder / name, out / name)
    runs.write_json(out / runs.METRICS, metrics)
    runs.write(out / runs.WEIGHTS, lambda p: save_file(tensors, p, metadata=description.metadata(facts)))
    tested = {"labels": run.labels, "logits": run.logits, "groups": run.groups}
    page = card.page("home", facts, metrics, tested, run.environment)
    runs.write_text(out / card.CARD, page.replace("## Limits", SOURCES + "\n## Limits"))
    runs.sign(out)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m wtmr_core.tracking.release", description="release a run as `home`")
    parser.add_argument("run", type=Path, help="the folder of a finished run")
    parser.add_argument("out", type=Path, nargs="?", default=PLACE, help="the folder to write")
    options = parser.parse_args()
    print(release(options.run, options.out))


if __name__ == "__main__":
    main()
