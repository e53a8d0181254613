"""What an earlier freeze says of the model that it wrote."""

from collections.abc import Mapping, Sequence

from graphfreeze.errors import UndoError
from graphfreeze.model.model import Model
from graphfreeze.model.records import VariableRecord
from graphfreeze.read.mark import is_marked, read_mark, read_variables


def find_former(model: Model) -> Mapping[str, VariableRecord]:
    """Return the variables of an earlier freeze by name; there are none if its record is gone."""
    try:
        return {variable.name: variable for variable in read_variables(model)}
    except UndoError:
        return {}


def find_problem(model: Model) -> str | None:
    """Return why what graphfreeze wrote cannot be told as it was written, None if it can."""
    try:
        if is_marked(model):
            read_variables(model)
    except UndoError as error:
        return str(error)
    return None


def is_patched(model: Model) -> bool:
    """Tell whether a model is a training that was patched."""
    try:
        return is_marked(model) and read_mark(model).patch is not None
    except UndoError:
        return False


def former_losses(model: Model) -> Sequence[str]:
    """Return what the train_op of an earlier freeze minimizes; nothing if its record is gone."""
    try:
        return read_mark(model).losses
    except UndoError:
        return ()
