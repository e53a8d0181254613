"""Refuse what makes no sense before TensorFlow starts."""

from graphfreeze.errors import TrainError
from graphfreeze.selection.pattern import parse_pattern
from graphfreeze.train.custom_gradients import ERROR, IGNORE
from graphfreeze.train.optimizers import OPTIMIZERS, check_arguments
from graphfreeze.train.ranges import POSITIVE
from graphfreeze.train.request import MOST_RUNS, TrainRequest


def check_request(request: TrainRequest) -> None:
    """Look at every setting that needs no graph; raises TrainError, SelectionError."""
    _ = request.rate
    optimizer = request.optimizer
    if isinstance(optimizer, str):
        check_arguments(optimizer, request.arguments)
    named = {
        "--schedule": request.schedule,
        "--lr-scale": request.lr_scales,
        "--no-decay": request.no_decay,
    }
    for option, value in named.items():
        if value and not isinstance(optimizer, str):
            raise TrainError.named_only(option)
    if request.no_decay and isinstance(optimizer, str) and not OPTIMIZERS[optimizer].decays:
        raise TrainError.no_decay(optimizer)
    if request.custom_gradients not in (ERROR, IGNORE):
        raise TrainError.unknown_treatment(request.custom_gradients, (ERROR, IGNORE))
    _check_schedule(request)
    for text in (*request.lr_scales, *request.no_decay):
        parse_pattern(text)
    _check_numbers(request)


def _check_schedule(request: TrainRequest) -> None:
    schedule, optimizer = request.chosen_schedule, request.optimizer
    zero = schedule.leads_to_zero if schedule is not None else None
    if zero and isinstance(optimizer, str) and OPTIMIZERS[optimizer].divides_by_rate:
        raise TrainError.rate_of_zero(optimizer, zero)


def _check_numbers(request: TrainRequest) -> None:
    clip, count = request.clip_norm, request.accumulate
    if clip is not None and not POSITIVE.holds(clip):
        raise TrainError.bad_number("--clip-norm", clip, wanted=POSITIVE.text)
    if type(count) is not int or not 1 <= count <= MOST_RUNS:
        wanted = f"a number of runs from 1 to {MOST_RUNS:,}"
        raise TrainError.bad_number("--accumulate", count, wanted=wanted)
    for text, factor in request.lr_scales.items():
        if not POSITIVE.holds(factor):
            option = f"--lr-scale {text}"
            raise TrainError.bad_number(option, factor, wanted=POSITIVE.text)
