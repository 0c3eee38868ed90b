"""Experiments from outside: decoded, and their arms checked against what the feed can vary."""

import msgspec

from inhouse.core.decoding import UNREADABLE
from inhouse.core.errors import InputError
from inhouse.engagement.experiments.types import Experiment
from inhouse.recommend.tuning import KNOBS, faults_in

_DECODER = msgspec.json.Decoder(Experiment)


def read_experiment(body: bytes) -> Experiment:
    """From JSON. Raises InputError that names what is wrong."""
    try:
        experiment = _DECODER.decode(body)
    except UNREADABLE as error:
        raise InputError(f"experiment: {error}; see /docs for its shape") from error
    check_arms(experiment)
    return experiment


def check_arms(experiment: Experiment) -> None:
    """Raises InputError for a setting that the feed does not have or cannot use."""
    lines = []
    for arm in experiment.arms:
        for name in arm.settings.keys() - set(KNOBS):
            lines.append(f"  {arm.key}.{name}: no such setting, expected one of {', '.join(KNOBS)}")
        lines += [f"  {arm.key}.{fault}" for fault in faults_in(arm.settings)]
    if lines:
        raise InputError("\n".join([f"experiment {experiment.key!r} cannot be started", *lines]))
