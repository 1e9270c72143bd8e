"""Runs commands of `hml` in this process."""

from hml.cli import main


def rejected(capsys, code, *args):
    """Run a command that must fail with one message and no traceback; return the message."""
    capsys.readouterr()
    assert main(list(args)) == code
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert "hml: " in message
    return message
