"""Writes docs/COMMANDS.md, the reference of the commands, from their code."""

from __future__ import annotations

import configparser
import importlib
import inspect
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "docs" / "COMMANDS.md"

HEAD = """\
# Commands

<!-- Written by docs/make_commands.py: make commands -->

Every command has `--help` and `--version`. Exit codes: 0, all went well; 1, something failed, and
a line on standard error says what and what to do; 2, the command was not understood. Progress bars
appear on terminals only.
"""


def main() -> None:
    """Writes the reference."""
    OUTPUT.write_text(reference())


def reference() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(name, main) for name, main in sorted(commands().items()))])


def commands() -> dict[str, click.Command]:
    """The commands that the package installs, by name."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    found = {}
    for line in setup["options.entry_points"]["console_scripts"].split("\n"):
        name, _, place = line.partition("=")
        if name.strip():
            module, _, attribute = place.strip().partition(":")
            found[name.strip()] = getattr(importlib.import_module(module), attribute)
    return found


def section(name: str, command: click.Command) -> str:
    """What one command takes."""
    context = click.Context(command, info_name=name, **command.context_settings)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    options = [each for each in command.get_params(context) if isinstance(each, click.Option)]
    records = [option.get_help_record(context) for option in options]
    lines = [f"- `{names}`{': ' * bool(text)}{text}" for names, text in filter(None, records)]
    help_text = inspect.cleandoc(command.help or "")
    return "\n".join([f"## {name}", "", "```", usage, "```", "", help_text, "", *lines, ""])


if __name__ == "__main__":
    main()
