"""Which scopes are frozen, as far as variables tell."""

from collections.abc import Iterable, Iterator

from graphfreeze.model.unfolded import INTO
from graphfreeze.model.variables import Variable
from graphfreeze.selection.choice import FROZEN, Choice


class Scopes:
    """The variables that can learn, by the scopes around them; the root is no scope."""

    def __init__(self, choices: Iterable[Choice], without: Iterable[Variable] = ()) -> None:
        """Index choices; ``without`` are variables that do not learn, whatever is said of them."""
        self._within: dict[str, list[Choice]] = {}
        averages = set(without)
        for choice in choices:
            if choice.variable.is_trainable and choice.variable not in averages:
                for scope in _around(choice.variable.name):
                    self._within.setdefault(scope, []).append(choice)

    def is_frozen(self, name: str) -> bool:
        """Tell whether all that can learn in the innermost such scope around a name is frozen.

        Only a scope that holds such a variable counts: ``bn/moving_mean`` without gamma and beta
        lies in the scope around ``bn``."""
        scopes = (scope for scope in _around(name) if scope in self._within)
        innermost = self._within.get(next(scopes, ""), [])
        return bool(innermost) and all(choice.state == FROZEN for choice in innermost)


def _around(name: str) -> Iterator[str]:
    """Yield the scopes around a node, the innermost first; around a body are those of its call."""
    for step in reversed(name.split(INTO)):
        at = step.partition("[")[0]
        while "/" in at:
            at = at.rpartition("/")[0]
            yield at
