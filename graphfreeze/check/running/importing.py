"""Import what is to run of a model, as it is but for devices and seeds, and open a session."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from types import ModuleType

from graphfreeze.check.running.opened import Opened
from graphfreeze.check.running.saver_run import saver_nodes
from graphfreeze.check.running.seeds import set_seeds
from graphfreeze.errors import CheckError
from graphfreeze.model.attrs import HINT
from graphfreeze.model.model import Model
from graphfreeze.model.op_origins import with_origins
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.message import importable, meta_graph
from graphfreeze.runtime import building, missing_ops
from graphfreeze.schema import GraphDef


@contextmanager
def opened(
    model: Model, names: Iterable[str], seed: int, *, is_rewritten: bool = True
) -> Iterator[Opened]:
    """Yield a session on what some nodes and the saver need; raises CheckError if it is refused.

    ``is_rewritten`` lets TensorFlow optimize the graph, as it does for its users. Without, it
    runs the ops that are there: what it makes of two graphs may differ in the last bit."""
    with building() as tf:
        needed = model.graph.ancestors([*names, *saver_nodes(model)])
        _import(tf, model, needed, seed)
        config = tf.ConfigProto(allow_soft_placement=True)
        if not is_rewritten:
            options = config.graph_options
            options.rewrite_options.disable_meta_optimizer = True
            options.optimizer_options.opt_level = -1  # L0
        with tf.Session(config=config) as session:
            yield Opened(tf, session, tf.get_default_graph(), model, needed)


@contextmanager
def fresh_session(model: Opened) -> Iterator[Opened]:
    """Yield a second session on the same graph, in which no variable has a value."""
    config = model.tf.ConfigProto(allow_soft_placement=True)
    with model.tf.Session(graph=model.graph, config=config) as session:
        yield replace(model, session=session)


def _import(tf: ModuleType, model: Model, needed: set[str], seed: int) -> None:
    message, functions = importable(meta_graph(Draft(model))), model.graph.functions
    nodes = [node for node in message.graph_def.node if node.name in needed]
    every = chain(nodes, *(function.node_def for function in functions.values()))
    lacking = missing_ops(str(node.op) for node in every if node.op not in functions)
    if lacking:
        told = with_origins(lacking)
        raise CheckError.missing_ops(told, path=model.source.path, version=tf.__version__)
    for node in nodes:
        node.device = ""
        for key in (HINT, "_class"):
            node.attr.pop(key, None)
    library, versions = message.graph_def.library, message.graph_def.versions
    part = GraphDef(node=nodes, library=library, versions=versions)
    set_seeds(part, seed)
    own = message.meta_info_def.stripped_op_list
    try:
        tf.import_graph_def(part, name="", producer_op_list=own if own.op else None)
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        path = model.source.path
        raise CheckError.import_refused(path, str(error), version=tf.__version__) from error
