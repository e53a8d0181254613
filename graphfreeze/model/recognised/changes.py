"""Read what is added to a variable, or taken from it: rate, slots, decay."""

from dataclasses import dataclass
from functools import cached_property

from graphfreeze.model.names import TensorRef
from graphfreeze.model.reads import writers
from graphfreeze.model.recognised.walk import ADDS, DIVISIONS, Walk
from graphfreeze.model.variables import Variable


@dataclass(frozen=True)
class Changes:
    """Looks into the plain assignments of a training."""

    walk: Walk

    def find(self, variable: Variable, writer: str) -> TensorRef | None:
        """Return what an assignment or a scatter adds to a variable, or takes from it."""
        op, inputs = self.walk.op(TensorRef(writer)), self.walk.inputs(TensorRef(writer))
        if op in ("AssignSub", "AssignAdd", "AssignSubVariableOp", "AssignAddVariableOp"):
            return inputs[1]
        if "ScatterSub" in op or "ScatterAdd" in op:
            return inputs[2]
        if op not in ("Assign", "AssignVariableOp"):
            return None
        value = self.walk.origin(inputs[1])
        if self.walk.op(value) not in ADDS | {"Sub"}:
            return None
        terms = self.walk.inputs(value)
        own = [ref for ref in terms if self._is_own(variable, ref)]
        others = [ref for ref in terms if ref not in own]
        is_after = self.walk.op(value) != "Sub" or terms[0] in own
        return others[0] if len(own) == len(others) == 1 and is_after else None

    def _is_own(self, variable: Variable, ref: TensorRef) -> bool:
        """Tell whether a tensor is the variable's value, less its decay perhaps."""
        ref = self.walk.origin(ref)
        if self.walk.values.find(ref) == variable:
            return True
        is_part = self.walk.op(ref) in {"Mul", "Sub"} and not self.walk.is_decided(ref)
        return is_part and any(self._is_own(variable, each) for each in self.walk.inputs(ref))

    def slots(self, variable: Variable, change: TensorRef) -> tuple[frozenset[str], set[str]]:
        """Return the slots that are in a change, and the numbers that it shares with others."""
        graph, found, todo = self.walk.training.graph, set[str](), [change.node]
        seen = set[str]()
        while todo:
            name = todo.pop()
            if name in self.walk.behind_slots and name not in seen:
                seen.add(name)
                found |= {name} & self.walk.slots.keys()
                todo += [ref.node for ref in graph.data_inputs(name)]
        numbers = {name for name in found if self.walk.slots[name].shape == ()}
        if variable.shape == ():
            return frozenset(found), set()
        return frozenset(found - numbers), numbers

    def rate(self, ref: TensorRef) -> TensorRef | None:
        """Return the factor of a gradient, or of what is made of one; None if it has none.

        Adam's correction is no part of it."""
        factor = self._factor(ref)
        return None if factor is None else self._without_powers(factor)

    def _factor(self, ref: TensorRef) -> TensorRef | None:
        ref = self.walk.origin(ref)
        if ref in self._stored:
            return None  # a factor in there is a slot's own
        op, inputs = self.walk.op(ref), self.walk.inputs(ref)
        decided = [self.walk.is_decided(each) for each in inputs]
        if op == "Neg" or op in DIVISIONS:
            return self._factor(inputs[0])
        if op == "Mul" and any(decided) and not all(decided):
            return inputs[decided.index(False)]
        if op == "Mul" or op in ADDS:
            found = (self._factor(each) for each, able in zip(inputs, decided, strict=True) if able)
            return next((factor for factor in found if factor is not None), None)
        return None

    def _without_powers(self, ref: TensorRef) -> TensorRef:
        """Return a rate without the factors that slots decide, as Adam's correction is."""
        ref = self._corrected(self.walk.origin(ref)) or self.walk.origin(ref)
        op, inputs = self.walk.op(ref), self.walk.inputs(ref)
        if not self.walk.is_behind_slots(ref) or self.walk.values.find(ref) is not None:
            return ref
        if op in DIVISIONS or op == "Neg":
            return self._without_powers(inputs[0])
        plain = [each for each in inputs if not self.walk.is_behind_slots(each)]
        if op == "Mul" and plain:
            return self._without_powers(plain[0])
        return self._without_powers(inputs[0]) if op == "Mul" else ref

    def is_corrected(self, change: TensorRef) -> bool:
        """Tell whether a rate is corrected by powers of a count, as Keras does for Adam."""
        factor = self._factor(change)
        return factor is not None and self._corrected(self.walk.origin(factor)) is not None

    def _corrected(self, ref: TensorRef) -> TensorRef | None:
        """Return x of ``x * (sqrt(1 - p ** n) / (1 - q ** n))``, None if it is something else."""
        inputs = self.walk.inputs(ref) if self.walk.op(ref) == "Mul" else ()
        for own, other in (inputs, inputs[::-1]) if inputs else ():
            correction = self.walk.origin(other)
            if self.walk.op(correction) in DIVISIONS:
                root, rest = map(self.walk.origin, self.walk.inputs(correction))
                is_root = self.walk.op(root) == "Sqrt"
                if is_root and all(map(self._is_rest, (self.walk.inputs(root)[0], rest))):
                    return own
        return None

    def _is_rest(self, ref: TensorRef) -> bool:
        """Tell whether a tensor is what a power leaves of something."""
        ref = self.walk.origin(ref)
        parts = self.walk.inputs(ref) if self.walk.op(ref) == "Sub" else ()
        return any(self.walk.op(self.walk.origin(each)) == "Pow" for each in parts[1:])

    @cached_property
    def _stored(self) -> set[TensorRef]:
        """The tensors that slots are given as new values."""
        training = self.walk.training
        found = (w for v in self.walk.slots.values() for w in writers(training.graph, v))
        stored = (TensorRef(name) for name in found if name in training.found)
        return {self.walk.origin(ref) for name in stored for ref in self.walk.inputs(name)}

    def is_rooted(self, change: TensorRef) -> bool:
        """Tell whether something is divided by the root of a slot."""
        ref = self.walk.origin(change)
        if self.walk.op(ref) in DIVISIONS:
            below = self.walk.above(self.walk.inputs(ref)[1].node)
            ops = {self.walk.op(TensorRef(n)) for n in below if n in self.walk.behind_slots}
            return "Sqrt" in ops
        inner = self.walk.inputs(ref) if self.walk.op(ref) in ADDS | {"Mul", "Neg"} else ()
        return any(self.is_rooted(each) for each in inner)

    def decays(self, variable: Variable, change: TensorRef) -> bool:
        """Tell whether a variable's own value is in a change, and not by way of a gradient."""
        ref = self.walk.origin(change)
        op, inputs = self.walk.op(ref), self.walk.inputs(ref)
        if self.walk.values.find(ref) is not None or op not in ADDS | {"Mul", "Neg", "Sub"}:
            return False
        if op == "Mul" and not self.walk.is_decided(ref):
            own = (self.walk.values.find(each) == variable for each in inputs)
            return any(own) or any(self.decays(variable, each) for each in inputs)
        return any(self.decays(variable, each) for each in inputs)
