"""What is told of loops that no context described."""

from pathlib import Path

import graphfreeze

LOOPS = ("outside/while_context", "outside/inside/while_context", "deep/inside/while_context")


def notes(out: str | None, *no_backprop: str) -> str:
    model = graphfreeze.load(Path(__file__).parents[2] / "testdata/models/nested_loops/graph.pb")
    plan = graphfreeze.FreezePlan(freeze=("outer",))
    frozen = graphfreeze.freeze(model, plan, no_backprop=no_backprop)
    return "\n".join(graphfreeze.report(frozen, out).notes)


def test_a_bundle_has_the_contexts() -> None:
    told = notes(None)
    assert "no context told of 3 while loops and 6 branches: recovered from the nodes" in told
    assert f"gradients pass the recovered {', '.join(LOOPS)}; name" in told


def test_a_loop_in_one_that_no_gradient_passes() -> None:
    told = notes("tuned", "outside/while_context")
    assert "gradients pass the recovered deep/inside/while_context; name" in told
    assert "no gradient passes outside/while_context, as --no-backprop says" in told


def test_a_graph_def_has_no_place_for_contexts() -> None:
    told = notes("tuned.pb")
    assert "a .pb has no place for the contexts of while loops, so tf.gradients passes none" in told
    assert "recovered from the nodes" not in told
