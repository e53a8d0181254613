"""Refuse what makes no sense before TensorFlow starts."""

import math

from graphfreeze.errors import TrainError
from graphfreeze.selection.pattern import parse_pattern
from graphfreeze.train.optimizers import OPTIMIZERS, check_arguments
from graphfreeze.train.request import TrainRequest


def check_request(request: TrainRequest) -> None:
    """Look at every setting that needs no graph; raises TrainError, SelectionError."""
    _ = request.rate, request.chosen_schedule
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
    for text in (*request.lr_scales, *request.no_decay):
        parse_pattern(text)
    _check_numbers(request)


def _check_numbers(request: TrainRequest) -> None:
    clip, count = request.clip_norm, request.accumulate
    if clip is not None and not 0 < clip < math.inf:
        raise TrainError.bad_number("--clip-norm", clip, wanted="a positive number")
    if type(count) is not int or count < 1:
        raise TrainError.bad_number("--accumulate", count, wanted="a number of runs from 1 on")
    for text, factor in request.lr_scales.items():
        if not 0 < factor < math.inf:
            option = f"--lr-scale {text}"
            raise TrainError.bad_number(option, factor, wanted="a positive number")
