"""Look at models: what they hold, how they differ, why a variable learns or not."""

from collections.abc import Sequence

import msgspec

from graphfreeze.check.difference import find_difference, find_states
from graphfreeze.check.explain import explain_gradient as gradients
from graphfreeze.check.explain import explain_writers as writing
from graphfreeze.model.diff_records import DiffRecord
from graphfreeze.model.explain_records import GradientRecord, WritersRecord
from graphfreeze.model.model import Model
from graphfreeze.model.records import ModelRecord
from graphfreeze.report.former import find_former, former_losses
from graphfreeze.report.records import model_record


def show(model: Model, *, scope: Sequence[str] = ()) -> ModelRecord:
    """Tell what a model holds; patterns in ``scope`` limit its variables. Raises SelectionError."""
    return model_record(model, scope)


def diff(first: Model, second: Model) -> DiffRecord:
    """Tell how a second model differs from a first one; values in checkpoints are not compared."""
    sides = (model_record(first).variables, model_record(second).variables)
    found = find_difference(first, second)
    return msgspec.structs.replace(found, variables=find_states(*sides))


def explain_gradient(model: Model, variable: str, *, loss: Sequence[str] = ()) -> GradientRecord:
    """Tell why a variable has a gradient of a loss, or none; what cuts it, or the path it takes.

    Without ``loss`` it is that of a bundle, else the graph's ``losses`` collection has to leave no
    doubt. TensorFlow is not started. Raises CheckError, TrainError.
    """
    former = find_former(model).get(variable.removesuffix(":0"))
    asked = loss or former_losses(model)
    return gradients.explain_gradient(model, variable, loss=asked, former=former)


def explain_writers(model: Model, variable: str, *, train_op: str | None = None) -> WritersRecord:
    """Tell every op that writes a variable, and by which path a train_op runs it.

    Without ``train_op`` the graph's own are asked. TensorFlow is not started. Raises CheckError.
    """
    former = find_former(model).get(variable.removesuffix(":0"))
    return writing.explain_writers(model, variable, train_op=train_op, former=former)
