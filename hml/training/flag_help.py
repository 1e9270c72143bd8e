"""The help of `hml fit` and the like: hml's flags first, then the most used of Lightning's; the rest on request."""

import argparse
import re
from collections.abc import Mapping, Sequence

from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace
from typing_extensions import override

EVERYTHING = "--help=all"
_TEXTS = {
    "config": "A config, by path or by name (sep_conf). May be repeated: of two values the later one is used.",
    "ckpt_path": "Weights to start from: <run folder>/checkpoints/last.ckpt.",
    "trainer.max_epochs": "Epochs to train.",
    "trainer.max_time": "Stop after this time, DD:HH:MM:SS.",
    "trainer.accelerator": "auto, cpu or gpu.",
    "trainer.devices": "How many devices to use, or a list of their numbers.",
    "trainer.strategy": "How several devices work together: ddp, for one.",
    "trainer.precision": "32-true, bf16-mixed, …; by default bf16-mixed where the hardware multiplies bfloat16.",
    "trainer.gradient_clip_val": "The largest norm of the gradients.",
    "trainer.callbacks": "Callbacks to add: a class path, or a list of them in a config.",
    "trainer.logger": "A logger instead of TensorBoard's, or false.",
    "trainer.default_root_dir": "The folder in which lightning_logs/ is made.",
}
"""Help that replaces Lightning's, which is longer, and has defaults and offers that aren't hml's."""


class _BriefFormatter(DefaultHelpFormatter):
    """Without types; classes by their names, and only those that hml has to offer."""

    @override
    def _get_help_string(self, action: argparse.Action) -> str:  # argparse's own formatters override it likewise
        full = super()._get_help_string(action)
        offered = re.findall(r"\bhml\.(?:(?:data|labels|models|relabel)\.)?([A-Z]\w*)", full)
        default = action.default
        if isinstance(default, Namespace | Mapping):
            shown = str(default.get("class_path", "")).rpartition(".")[2]
        else:
            shown = "" if default in (None, argparse.SUPPRESS) else "%(default)s"
        notes = [f"default: {shown}"] if shown else []
        notes += [f"hml has {', '.join(dict.fromkeys(offered))}"] if len(set(offered)) > 1 else []
        note = f" ({'; '.join(notes)})" if notes else ""
        return f"{action.help}{note}"


def arrange(parser: ArgumentParser, verb: str, everything: bool) -> None:
    """Shorten the help of a verb's parser, unless everything is asked for.

    Only for a parser that does nothing but print its help: a flag without help is left out of configs and recipes too.
    """
    parser.usage = f"hml {verb} --config NAME [--config NAME …] [flags]"
    parser.epilog = f"The flags of a class: hml {verb} --data.strategy.help SeparateLabels."
    _put_trainer_last(parser)
    if everything:
        return
    parser.epilog = f"All flags, Lightning's too: hml {verb} {EVERYTHING}. {parser.epilog}"
    parser.formatter_class = _BriefFormatter
    for action in actions_of(parser):
        action.help = _TEXTS.get(action.dest, action.help) if _is_shown(action) else argparse.SUPPRESS


def actions_of(parser: ArgumentParser) -> Sequence[argparse.Action]:
    """Return a parser's flags, for which neither argparse nor jsonargparse has a public way."""
    return parser._actions


def _put_trainer_last(parser: ArgumentParser) -> None:
    """Show Trainer's flags after all others, for which there is no public way.

    Adding them last would do that too, but of two unions that differ only in their order jsonargparse 4.53 uses the
    one that it sees first for both, and so might parse Trainer's values as other types.
    """
    trainer = (parser.groups or {})["trainer"]
    trainer.title = "Lightning's Trainer"
    parser._action_groups = sorted(parser._action_groups, key=lambda group: group is trainer)


def _is_shown(action: argparse.Action) -> bool:
    """Whether a flag is in the short help: one that sets a single value, and of Lightning's only those with a text."""
    if action.dest.startswith("trainer.") or action.dest == "weights_only":
        return action.dest in _TEXTS
    is_a_group = action.metavar == "CONFIG" and action.dest != "config"
    return not is_a_group and not action.dest.endswith(".help")
