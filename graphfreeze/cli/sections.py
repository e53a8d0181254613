"""Options under headings in a command's help."""

from functools import partial

import click

OTHERS = "Other options"


class SectionedCommand(click.Command):
    """A command whose help tells its options by section, in the order of their first ones."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections, options without one last."""
        told: dict[str, list[tuple[str, str]]] = {}
        options = (each for each in self.get_params(ctx) if isinstance(each, click.Option))
        for option in options:
            line = option.get_help_record(ctx)
            if line is not None:
                told.setdefault(getattr(option, "section", OTHERS), []).append(line)
        others = {OTHERS: told.pop(OTHERS, [])}
        for section, lines in (told | others).items():
            with formatter.section(section):
                formatter.write_dl(lines)


class _Scopes(click.Option):
    section = "What stops learning"


class _Entries(click.Option):
    section = "Rows, columns, elements"


class _Words(click.Option):
    section = "Rows by word"


class _Head(click.Option):
    section = "A head for a model without a loss"


class _Training(click.Option):
    section = "What trains the rest"


class _Values(click.Option):
    section = "Where values come from"


scope_option = partial(click.option, cls=_Scopes)
entry_option = partial(click.option, cls=_Entries)
word_option = partial(click.option, cls=_Words)
head_option = partial(click.option, cls=_Head)
training_option = partial(click.option, cls=_Training)
value_option = partial(click.option, cls=_Values)
