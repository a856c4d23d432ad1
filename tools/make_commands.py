"""Writes docs/COMMANDS.md, the reference of the commands, from their code.

    python tools/make_commands.py [--check]

With --check nothing is written: exit code 1 says that the page is out of date.
"""

from __future__ import annotations

import configparser
import importlib
import inspect
import re
from pathlib import Path

import click

from checked_page import write_or_check
from tfrnnc.cli.options import CommandWithModes, grouped_options

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "docs" / "COMMANDS.md"

HEAD = """\
# Commands

<!-- Written by tools/make_commands.py -->

Every command has `--help` and `--version`. Exit codes: 0, success; 1, failure (or interruption, of
`tfrnnc-train`), with a line on standard error that says what failed and what to do; 2, wrong usage.
Progress bars appear on terminals only.
"""
#: What every command's help repeats.
EXIT_CODES = re.compile(r"\n*Exit codes: .*?\.(?=\n|$)")


def main() -> None:
    """Writes the reference."""
    write_or_check(OUTPUT, reference())


def reference() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(name, main) for name, main in sorted(commands().items()))])


def commands() -> dict[str, click.Command]:
    """The commands that the package installs, by name."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    commands = {}
    for line in setup["options.entry_points"]["console_scripts"].split("\n"):
        name, _, place = line.partition("=")
        if name.strip():
            module, _, attribute = place.strip().partition(":")
            commands[name.strip()] = getattr(importlib.import_module(module), attribute)
    return commands


def section(name: str, command: click.Command) -> str:
    """What one command takes, and its modes."""
    context = click.Context(command, info_name=name, **command.context_settings)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    help_text = EXIT_CODES.sub("", inspect.cleandoc(command.help or ""))
    parts = [f"## {name}", f"```\n{usage}\n```", help_text]
    for title, options in grouped_options(command, context).items():
        records = [option.get_help_record(context) for option in options]
        lines = [f"- `{names}`{': ' * bool(text)}{text}" for names, text in filter(None, records)]
        parts += [f"{title}:", "\n".join(lines)]
    sections = ["\n\n".join(parts) + "\n"]
    if isinstance(command, CommandWithModes):
        sections += [section(f"{name} {mode}", each) for mode, each in command.modes.items()]
    return "\n".join(sections)


if __name__ == "__main__":
    main()
