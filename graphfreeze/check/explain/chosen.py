"""Which variable of a model is asked about."""

from graphfreeze.errors import CheckError
from graphfreeze.model.model import Model
from graphfreeze.model.variables import Variable


def get_variable(model: Model, name: str) -> Variable:
    """Return the variable of a name, with or without ``:0``; raises CheckError.

    A scope, or the whole of a partitioned variable, is none."""
    wanted = name.removesuffix(":0").rstrip("/")
    variables = {variable.name: variable for variable in model.variables}
    if wanted in variables:
        return variables[wanted]
    inside = [n for n, v in variables.items() if n.startswith(f"{wanted}/")]
    inside = inside or [n for n, v in variables.items() if v.partition_of == wanted]
    if inside:
        raise CheckError.several_variables(wanted, inside)
    raise CheckError.unknown_variable(wanted, variables)
