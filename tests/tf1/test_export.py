"""The real TensorFlow 1.15.5 serves what was exported, with the bits of the training session."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from export_runs import train

from graphfreeze.api import export, load

TESTS = Path(__file__).parents[1]
PYTHON = os.environ.get("GRAPHFREEZE_TF1_PYTHON", TESTS.parent / ".venv-tf1" / "bin" / "python")
CASES = {"text_classifier": "resource", "saved_model": "kept"}


def test_served_is_trained(make_bundle: Callable[..., object], tmp_path: Path) -> None:
    jobs = []
    for name, kind in CASES.items():
        made, out = make_bundle(name), tmp_path / name
        out.mkdir()
        run = train(made.job.source, made.folder, made.feeds, out)
        export(load(made.folder), out / "served", checkpoint=run.prefix, variables=kind)
        document = json.loads(made.feeds.read_text())
        jobs.append(
            {
                "bundle": str(made.folder),
                "checkpoint": str(run.prefix),
                "served": str(out / "served"),
                "feeds": document["feeds"],
                "assets": document.get("assets", {}),
            }
        )
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    command = [str(PYTHON), "-W", "ignore", TESTS / "tf1" / "run_served.py", tmp_path / "jobs.json"]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr[-3000:]
