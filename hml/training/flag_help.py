"""The help of `hml fit`, `validate`, `test` and `predict`: hml's flags, then Lightning's most used ones.

`--help=all` shows all flags.
"""

import argparse
import re
from collections.abc import Mapping, Sequence

from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace
from typing_extensions import override

EVERYTHING = "--help=all"
_TEXTS = {
    "config": "A config, by path or by name (sep_conf). May be repeated: later values override earlier ones.",
    "ckpt_path": "Weights to start from: <run folder>/checkpoints/last.ckpt.",
    "trainer.max_epochs": "Number of epochs to train.",
    "trainer.max_time": "Stop after this time, DD:HH:MM:SS.",
    "trainer.accelerator": "auto, cpu or gpu.",
    "trainer.devices": "Number of devices, or a list of their indices.",
    "trainer.strategy": "How to train on several devices, such as ddp.",
    "trainer.precision": "32-true, bf16-mixed, …; by default bf16-mixed if the hardware supports bfloat16.",
    "trainer.gradient_clip_val": "The maximum norm of the gradients.",
    "trainer.callbacks": "Callbacks to add: a class path, or a list of them in a config.",
    "trainer.logger": "A logger instead of TensorBoard's, or false.",
    "trainer.default_root_dir": "The folder in which lightning_logs/ is created.",
}
"""Texts that replace Lightning's, which are longer and name defaults that aren't hml's."""


class _BriefFormatter(DefaultHelpFormatter):
    """Omits types, and lists classes by name, only those of hml."""

    @override
    def _get_help_string(self, action: argparse.Action) -> str:  # argparse's own formatters override it too
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
    """Shorten the help of a subcommand's parser, unless `everything` is True.

    Use this only on a parser that prints its help: configs and recipes omit flags without a help text.
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
    """Return a parser's flags. Neither argparse nor jsonargparse has a public way to list them."""
    return parser._actions


def _put_trainer_last(parser: ArgumentParser) -> None:
    """Show the Trainer's flags after all others. There is no public way to reorder groups.

    Adding the Trainer's flags last could parse their values as other types: jsonargparse 4.53 treats unions that
    differ only in order as equal, and uses the first one that it meets.
    """
    trainer = (parser.groups or {})["trainer"]
    trainer.title = "Lightning's Trainer"
    parser._action_groups = sorted(parser._action_groups, key=lambda group: group is trainer)


def _is_shown(action: argparse.Action) -> bool:
    """Whether the short help shows a flag: it sets a single value, and a flag of Lightning has an entry in `_TEXTS`."""
    if action.dest.startswith("trainer.") or action.dest == "weights_only":
        return action.dest in _TEXTS
    is_a_group = action.metavar == "CONFIG" and action.dest != "config"
    return not is_a_group and not action.dest.endswith(".help")
