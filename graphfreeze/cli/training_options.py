"""The options of ``freeze`` that say how what is left is trained, besides loss and optimizer."""

from collections.abc import Callable, Mapping, Sequence

import click

from graphfreeze.cli.sections import training_option
from graphfreeze.model.targets import TARGETS
from graphfreeze.train.custom_gradients import ERROR, IGNORE
from graphfreeze.train.request import MOST_RUNS

Command = Callable[..., None]
_FLAGS = {"true": True, "false": False}


def settings(command: Command) -> Command:
    """Add all of them to a command."""
    for option in reversed(_SETTINGS):
        command = option(command)
    return command


def _parse_arguments(
    context: click.Context, parameter: click.Parameter, texts: Sequence[str]
) -> Mapping[str, float | bool]:
    """Return values by name of ``NAME=VALUE``; the last one of a name holds."""
    pairs = (_split(context, parameter, text, "beta1=0.8") for text in texts)
    return {name: _number(value, _FLAGS.get(value)) for name, value in pairs}


def _parse_scales(
    context: click.Context, parameter: click.Parameter, texts: Sequence[str]
) -> Mapping[str, float]:
    """Return factors by pattern of ``P=FACTOR``, in their order."""
    found: dict[str, float] = {}
    for text in texts:
        pattern, value = _split(context, parameter, text, "bert=0.1")
        found.pop(pattern, None)  # a pattern that is given again holds as the last one
        found[pattern] = _number(value)
    return found


def _parse_gradients(
    context: click.Context, parameter: click.Parameter, texts: Sequence[str]
) -> Mapping[str, str]:
    """Return functions by name of ``NAME=MODULE:FUNCTION``."""
    return dict(_split(context, parameter, text, "GuidedRelu=my_module:guided") for text in texts)


def _split(
    context: click.Context, parameter: click.Parameter, text: str, example: str
) -> tuple[str, str]:
    name, _, value = text.rpartition("=")
    if not name or not value:
        form = parameter.make_metavar(context)
        raise click.BadParameter(f"{text!r} is not {form}, as in {example!r}")
    return name, value


def _number(text: str, flag: bool | None = None) -> float | bool:
    if flag is not None:
        return flag
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no number; give one as in 0.1") from None


_SETTINGS = (
    training_option(
        "--optimizer-argument",
        metavar="NAME=VALUE",
        multiple=True,
        callback=_parse_arguments,
        help="An argument of the optimizer's: 'beta1=0.8', 'weight_decay=0.01' for adamw.",
    ),
    training_option(
        "--no-decay",
        metavar="P",
        multiple=True,
        help="What adamw does not decay. Default: as BERT whatever has LayerNorm, layer_norm or "
        "bias in its name.",
    ),
    training_option(
        "--schedule",
        metavar="KIND:KEY=VALUE,...",
        help="How the learning rate goes: 'polynomial:steps=10000,end=0,power=1,warmup=1000', "
        "'exponential:steps=1000,rate=0.96', 'cosine:steps=10000', 'constant:warmup=1000', or "
        "'piecewise:1000=0.0005,2000=0.0001', from that step on.",
    ),
    training_option(
        "--lr-scale",
        metavar="P=X",
        multiple=True,
        callback=_parse_scales,
        help="Learn with X times the learning rate; of several that match the last holds.",
    ),
    training_option(
        "--clip-norm",
        type=float,
        metavar="X",
        help="Scale gradients down to this norm of all of them; frozen ones do not count.",
    ),
    training_option(
        "--accumulate",
        type=click.IntRange(1, MOST_RUNS),
        metavar="N",
        help="Let the mean gradients of N runs make one step.",
    ),
    training_option(
        "--skip-nonfinite",
        is_flag=True,
        help="Change nothing in a run whose gradients hold inf or NaN, and count it.",
    ),
    training_option(
        "--target",
        type=click.Choice(TARGETS),
        help="The TensorFlow that is to run the train_op. Default: 1.15, and 2 for what "
        "TensorFlow 2 wrote.",
    ),
    training_option(
        "--gradient",
        metavar="NAME=MODULE:FUNCTION",
        multiple=True,
        callback=_parse_gradients,
        help="The Python function that is the gradient of this name, or of this op.",
    ),
    training_option(
        "--custom-gradients",
        type=click.Choice((ERROR, IGNORE)),
        help="Where a gradient was a Python function, which no graph holds: error (default), or "
        "'ignore' it and take that of the op.",
    ),
)
