"""The options of ``freeze`` and ``patch`` that choose scopes, and entries of single tables."""

from collections.abc import Callable

import click

from graphfreeze.cli.options import parse_files, parse_places
from graphfreeze.cli.sections import entry_option, scope_option, word_option
from graphfreeze.selection.plan import CHOICES

Command = Callable[..., None]
Decorator = Callable[[Command], Command]


def scopes(command: Command) -> Command:
    """Add those that choose by patterns and tensors to a command."""
    for option in reversed(_BY_PATTERN):
        command = option(command)
    return command


def entries(command: Command) -> Command:
    """Add those that choose by place, by mask and by word to a command."""
    for option in reversed((*_BY_PLACE, *_BY_WORD)):
        command = option(command)
    return command


def _places(name: str, metavar: str, told: str) -> Decorator:
    return entry_option(name, metavar=metavar, multiple=True, callback=parse_places, help=told)


def _array(name: str, told: str) -> Decorator:
    return entry_option(name, metavar="VAR=NPY", multiple=True, callback=parse_files, help=told)


def _file(name: str, told: str) -> Decorator:
    return word_option(name, metavar="VAR=FILE", multiple=True, callback=parse_files, help=told)


def choice_option(make: Callable[..., Decorator], name: str, told: str) -> Decorator:
    """Return an option of few values; the first one holds where it is left out."""
    first, *_ = values = CHOICES[name.lstrip("-").replace("-", "_")]
    shown = click.Choice([value for value in values if value])
    return make(name, type=shown, callback=lambda _, __, value: value or first, help=told)


_BY_PATTERN = (
    scope_option("--freeze", metavar="P", multiple=True, help="Freeze what a pattern matches."),
    scope_option("--except", "except_", metavar="P", multiple=True, help="Leave this trainable."),
    scope_option("--train-only", metavar="P", multiple=True, help="Freeze all but this."),
    scope_option(
        "--stop-gradient",
        metavar="TENSOR",
        multiple=True,
        help="Nothing learns through this tensor.",
    ),
)
_BY_PLACE = (
    _places("--freeze-rows", "VAR=ROWS", "Freeze rows: 'embedding=0:1000,1012,-5:'."),
    _places("--train-rows", "VAR=ROWS", "Freeze all rows but these."),
    _places("--freeze-columns", "VAR=COLS", "Freeze columns: places of the last axis."),
    _array("--freeze-elements", "Freeze where a .npy mask is true; it broadcasts to VAR."),
    _array("--row-scale", "Scale each row's gradient by a factor in [0, 1]; 0 freezes the row."),
    choice_option(
        entry_option,
        "--row-strategy",
        "Mask frozen rows (default), or lay a variable of the other rows over the table.",
    ),
    choice_option(
        entry_option,
        "--mask-kernel",
        "How masks are applied. By default multiply, and select where the checkpoint holds inf, "
        "NaN or denormal values.",
    ),
)
_BY_WORD = (
    _file(
        "--vocab",
        "The words of VAR: one a line, whose number from 0 is the id; or a .tsv or .json map.",
    ),
    _file("--freeze-words", "Freeze the rows of these words, one a line."),
    _file("--train-words", "Freeze all rows but those of these words."),
    choice_option(
        word_option,
        "--missing-words",
        "Listed words that have no id: error (default), or leave them out.",
    ),
    _file("--add-words", "Append a row for each of these words, and what must grow with it."),
    _file("--vectors", "Values that rows start with: word2vec, GloVe, .npy or .npz."),
    choice_option(
        word_option,
        "--partition",
        "How ids lie in a partitioned table, if its lookups do not tell.",
    ),
)
