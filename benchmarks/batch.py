"""What the batch costs a notebook: an empty one by papermill alone, by `wtmr notebook`, and in a suite.

    python benchmarks/batch.py [--runs 8]

The suite is a project folder with this Snakefile and stand-ins for the five notebooks that only make the files which
the Snakefile expects; so all that is measured is Snakemake, process starts, papermill and its kernels.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import yaml

PROJECT = Path(__file__).resolve().parents[1]
PARAMETERS = "results = suite = name = left_out = dataset = scale = root = None"
MAKES = {
    "01_data": [],
    "02_train": [],
    "03_confusion_matrix": ["figures/03_confusion_matrix-{name}.png", "figures/03_reduced-{name}.png"],
    "04_ablation": ["tables/04_ablation.csv", "tables/04_components.csv", "figures/04_ablation.png",
                    "figures/04_networks.png", "figures/04_components.png"],
    "05_performance_table": ["performance_table.csv", "tables/05_runs.csv", "tables/05_times.csv",
                             "figures/05_accuracy_cost.png"],
}  # fmt: skip


PAIR = """
import subprocess, sys
python, source = sys.argv[1:]
made = [subprocess.Popen([python, "-m", "papermill", source, f"{n}.ipynb", "-k", "python3"]) for n in range(2)]
sys.exit(sum(process.wait() for process in made))
"""


def stand_in(code: str) -> nbformat.NotebookNode:
    """A notebook that takes what the Snakefile gives any of the five, and runs `code`."""
    cells = [nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell(code)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=kernel)


def making(files: list[str]) -> str:
    """Code that writes `files` below the results."""
    body = [f"    (Path(results) / {file!r}.format(name=name))," for file in files]
    make = ["    path.parent.mkdir(parents=True, exist_ok=True)", "    path.write_text('dataset,model,x\\na,b,1\\n')"]
    return "\n".join(["from pathlib import Path", "for path in [", *body, "]:", *make])


def timed(command: list[str], home: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=home, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=8)
    count = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name in ("experiments", "profiles"):
            shutil.copytree(PROJECT / name, home / name)
        shutil.copy(PROJECT / "Snakefile", home)
        (home / "wtmr_core").symlink_to(PROJECT / "wtmr_core")
        (home / "notebooks").mkdir()
        for name, files in MAKES.items():
            nbformat.write(stand_in(making(files)), home / "notebooks" / f"{name}.ipynb")
        entries = {f"r{seed}": {"dataset": "ntu60", "seed": seed} for seed in range(count)}
        suite = {"all": {"scale": "mini", "threads": 1}, "runs": entries}
        (home / "experiments" / "empty.yaml").write_text(yaml.safe_dump(suite))
        source = "notebooks/01_data.ipynb"
        alone = min(
            timed([sys.executable, "-m", "papermill", source, "a.ipynb", "-k", "python3"], home) for _ in range(3)
        )
        pair = [sys.executable, "-c", PAIR, sys.executable, source]
        both = min(timed(pair, home) for _ in range(3)) / 2
        ours = min(
            timed([sys.executable, "-m", "wtmr_core", "notebook", source, "b.ipynb", "--log", "logs/b.log"], home)
            for _ in range(3)
        )
        notebooks = 1 + 2 * count + 2
        whole = timed([sys.executable, "-m", "wtmr_core", "reproduce", "empty"], home)
        again = timed([sys.executable, "-m", "wtmr_core", "reproduce", "empty"], home)
    print(f"papermill alone            {alone:5.2f} s a notebook")
    print(f"two papermills at once     {both:5.2f} s a notebook")
    print(f"wtmr notebook              {ours:5.2f} s a notebook, {ours / alone:.2f}×")
    each = whole / notebooks
    print(f"a suite of {notebooks}             {each:5.2f} s a notebook, {each / both:.2f}× two papermills at once")
    print(f"the same suite once more   {again:5.2f} s in all")


if __name__ == "__main__":
    main()
