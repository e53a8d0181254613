"""Batch norm and dropout on the command line, without a train_op."""

import json
from pathlib import Path

import pytest

FREEZE = ("freeze", "batch_norms", "out.meta", "--freeze", "fused")
MEANS = ("fused/bn/moving_mean", "fused/bn/moving_variance")
FUSED, DROPOUT = ["fused/bn/FusedBatchNormV3"], ["fused/dropout/dropout/mul_1"]

# options, the state of the averages, then what infers and what drops no more
OPTIONS = {
    "by default": ((), "frozen", [], []),
    "statistics": (("--batch-norm", "statistics"), "frozen", [], []),
    "inference": (("--batch-norm", "inference"), "frozen", FUSED, []),
    "keep": (("--batch-norm", "keep"), "updated", [], []),
    "dropout off": (("--dropout", "off"), "frozen", [], DROPOUT),
    "dropout kept": (("--dropout", "keep"), "frozen", [], []),
    "both": (("--batch-norm=inference", "--dropout=off"), "frozen", FUSED, DROPOUT),
}


@pytest.mark.parametrize(("given", "state", "norms", "drops"), OPTIONS.values(), ids=OPTIONS)
def test_options(
    run, models: Path, given: tuple[str, ...], state: str, norms: list[str], drops: list[str]
) -> None:
    code, out, err = run(*FREEZE, *given, "--json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert {v["state"] for v in record["variables"] if v["name"] in MEANS} == {state}
    assert (record["batch_norms_inference"], record["dropouts_off"]) == (norms, drops)


def test_what_goes_on_is_said(run, models: Path) -> None:
    _, out, _ = run(*FREEZE, "--batch-norm", "keep")
    assert "updated                12         2\n" in out
    note = "--batch-norm keep: moving averages go on and are not frozen: fused/bn/moving_mean,"
    assert note in " ".join(out.split())
    shown, told, _ = run("show", "out.meta")
    assert (shown, "--batch-norm" in told) == (0, False)
    assert "updated" in told


REFUSED = {
    "another value": (("--freeze", "fused", "--batch-norm", "off"), "'off' is not one of"),
    "nothing to freeze": (
        ("--batch-norm", "keep"),
        "--batch-norm has no meaning without --freeze or --train-only; leave it out",
    ),
    "nothing to freeze, dropout": (
        ("--dropout", "off"),
        "--dropout has no meaning without --freeze or --train-only; leave it out",
    ),
}


@pytest.mark.parametrize(("given", "told"), REFUSED.values(), ids=REFUSED)
def test_refused(run, models: Path, given: tuple[str, ...], told: str) -> None:
    code, _, err = run("freeze", "batch_norms", "out.meta", *given)
    assert code == 2
    assert told in " ".join(err.split())
