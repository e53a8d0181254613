"""The record of where the values of a bundle come from, and its lines of text."""

from collections.abc import Iterator, Sequence

from graphfreeze.emit.contents import Contents, variable_of
from graphfreeze.emit.linking import COMPACT, RENAMED, V1, find_left, find_reasons, is_linked
from graphfreeze.emit.recipes import KEPT
from graphfreeze.errors.base import count_text
from graphfreeze.model.values_record import ValuesRecord
from graphfreeze.report.columns import size_text
from graphfreeze.report.lines import MOST_NAMES, some_of
from graphfreeze.rewrite.draft import Draft
from graphfreeze.rewrite.edits import FromInitializer

LINKED, REWRITTEN, NEW = "linked", "rewritten", "new"


def values_record(draft: Draft, contents: Contents) -> ValuesRecord:
    """Return what a bundle's checkpoint takes of the source's."""
    held = contents.held
    links = is_linked(draft, contents)
    left = find_left(contents) if links else {}
    anew = list(_begin_anew(draft, contents))
    kept = [e.key for e in contents.entries if contents.recipes.get(e.key, KEPT).base is None]
    return ValuesRecord(
        files=LINKED if links else NEW if held.prefix is None else REWRITTEN,
        reasons=find_reasons(contents, compact=draft.value_plan.compact),
        keys_left=len(left),
        bytes_left=sum(left.values()),
        renamed={key: held.names.key(key) for key in kept if held.names.key(key) != key},
        excluded=[name for name, key in anew if key in held.names.excluded],
        initialized=[name for name, key in anew if key not in held.names.excluded],
    )


def _begin_anew(draft: Draft, contents: Contents) -> Iterator[tuple[str, str]]:
    """Yield the variables of the source that begin with their initializers, and their keys."""
    known = {variable.name for variable in draft.base.variables}
    for entry in contents.initialized:
        name = variable_of(draft, entry)
        if name in known and isinstance(contents.recipes[entry.key].base, FromInitializer):
            yield name, entry.key


def values_facts(
    record: ValuesRecord | None, *, verbose: bool
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield labelled facts."""
    if record is None:
        return
    most = None if verbose else MOST_NAMES
    for number, told in enumerate(_files(record)):
        yield "" if number else "  files", [told]
    renamed = [f"{key} from {old}" for key, old in record.renamed.items()]
    yield from _counted("  renamed", "key", renamed, most)
    yield from _counted("  excluded", "initial value", record.excluded, most)
    yield from _counted("  missing", "initial value", record.initialized, most)


def _counted(
    label: str, noun: str, names: Sequence[str], most: int | None
) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield how many there are and the first of them, nothing for none."""
    if names:
        first, *others = some_of(names, most)
        yield label, [f"{count_text(len(names), noun)}: {first}", *others]


def _files(record: ValuesRecord) -> Iterator[str]:
    """Yield what became of the source's files, and why."""
    if record.files == LINKED:
        yield "those of the source, linked where the file system can"
        if record.keys_left:
            left = f"{count_text(record.keys_left, 'key')} ({size_text(record.bytes_left)})"
            yield f"{left} in them are restored by nothing: see {COMPACT}"
    elif record.files == NEW:
        yield "new, for the source has no checkpoint"
    for reason, keys in record.reasons.items():
        yield _reason_text(reason, keys)


def _reason_text(reason: str, keys: Sequence[str]) -> str:
    """Return why files were written anew."""
    count = count_text(len(keys), "key")
    if reason == V1:
        return "written anew: the source's are of format V1"
    if reason == COMPACT:
        return f"written anew without {count} that nothing restores ({COMPACT})"
    if reason == RENAMED:
        return f"written anew: {count} renamed ({RENAMED})"
    return f"written anew: {count} changed: {', '.join(some_of(keys, 3))} ({reason})"
