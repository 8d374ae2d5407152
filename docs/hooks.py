"""Writes a page for each command of `mnelf`, from the command itself."""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from mobile_nelf.cli import cli

FOLDER = "commands"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lists the pages of all commands under the entry of the navigation that names the first."""
    (pages,) = (entry["Commands"] for entry in config.nav if "Commands" in entry)
    pages += [{name: f"{FOLDER}/{name}.md"} for name, _ in _commands()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages."""
    rows = []
    for name, context in _commands():
        page = "\n".join(_page(context, 1))
        files.append(File.generated(config, f"{FOLDER}/{name}.md", content=page))
        rows.append(f"| [`mnelf {name}`]({name}.md) | {context.command.get_short_help_str(200)} |")
    index = files.get_file_from_path(f"{FOLDER}/index.md")
    assert index is not None
    files.remove(index)
    content = index.content_string.replace("<!-- commands -->", "\n".join(rows))
    files.append(File.generated(config, index.src_uri, content=content))
    return files


def _commands() -> Iterator[tuple[str, click.Context]]:
    root = click.Context(cli, info_name="mnelf", **cli.context_settings)
    for name in cli.list_commands(root):
        yield name, _context(root, name)


def _context(parent: click.Context, name: str) -> click.Context:
    assert isinstance(parent.command, click.Group)
    command = parent.command.get_command(parent, name)
    assert command is not None
    return click.Context(command, parent, name, **command.context_settings)


def _page(context: click.Context, level: int) -> Iterator[str]:
    """Yields the lines for a command and what is below it."""
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield from (f"{'#' * level} {context.command_path}", "")
    yield from (_escaped(inspect.cleandoc(command.help or "").replace("\b", "")), "")
    yield from ("```text", usage, "```", "")
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1]:
            yield from (f"`{record[0]}`", f":   {_escaped(record[1])}", "")
    if command.epilog:
        lines = command.epilog.replace("\b", "").partition("Examples:")[2].strip().splitlines()
        yield from ("**Examples**", "", "```sh", *map(str.strip, lines), "```", "")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from _page(_context(context, name), level + 1)


def _escaped(text: str) -> str:
    """Text of a help whose `<` and `*` are themselves; code stays as it is."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [html.escape(part, quote=False).replace("*", r"\*") for part in parts[::2]]
    return "".join(parts)
