"""What options say about a run: its config, tags and partitions. Reading them needs no definitions."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import click
import msgspec


def with_options(options: Sequence[Any], command: Callable[..., Any]) -> Any:
    """A command that also has these options, in this order."""
    return reduce(lambda made, option: option(made), reversed(options), command)


PARTITION_OPTIONS = (
    click.option("--partition", metavar="KEY", help="Partition to run for."),
    click.option(
        "--partition-range", metavar="FIRST...LAST",
        help="Partitions to run for, both ends included, in one run. Needs a single-run backfill policy.",
    ),
)  # fmt: skip


def config_of(config: Sequence[str], config_json: str | None) -> dict[str, Any] | None:
    """Run config as the two options give it; None if neither does.

    Raises:
        click.UsageError: both do, or what they give cannot be read.
    """
    if config and config_json is not None:
        raise click.UsageError("--config and --config-json both give the run config. Give one of them.")
    return read_config(config) if config else _json_config(config_json)


def read_config(values: Sequence[str]) -> dict[str, Any]:
    """Run config from files, globs of files, or texts; where two say different things, the earlier one is right.

    Raises:
        click.UsageError: there is no such file, or something is neither YAML nor JSON.
    """
    merged: dict[str, Any] = {}
    for value in values:
        for text, where in _texts(value):
            merged = _merge(merged, _parsed(text, where))
    return merged


def _texts(value: str) -> Iterator[tuple[str, str]]:
    if value.lstrip().startswith("{") or "\n" in value or ": " in value:
        yield value, "--config"
        return
    paths = [value] if os.path.isfile(value) else sorted(glob.glob(value))
    if not paths:
        raise click.UsageError(
            f"--config: there is no file {value!r} in {os.getcwd()}. Give a YAML or JSON file, or the config itself."
        )
    for path in paths:
        try:
            yield Path(path).read_text(encoding="utf-8"), path
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"--config: {path} cannot be read: {error}.") from error


def _parsed(text: str, where: str) -> dict[str, Any]:
    try:
        data: Any = msgspec.json.decode(text)
    except msgspec.DecodeError:
        import yaml  # noqa: PLC0415  JSON needs none of it

        try:
            data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise click.UsageError(f"{where} is neither valid YAML nor JSON: {error}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise click.UsageError(
            f"{where} is {data!r}. Run config is a mapping with sections such as `ops` and `resources`."
        )
    return data


def _merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(first)
    for key, value in second.items():
        mine = merged.get(key)
        if key not in merged:
            merged[key] = value
        elif isinstance(mine, dict) and isinstance(value, dict):
            merged[key] = _merge(mine, value)
    return merged


def _json_config(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        data = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise click.UsageError(f"--config-json is not valid JSON: {error}.") from None
    if not isinstance(data, dict):
        raise click.UsageError(
            "--config-json is no JSON object. Run config has sections such as `ops` and `resources`."
        )
    return data


def clauses_of(text: str | None) -> list[str]:
    """The clauses of a selection of ops or steps."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def range_of(partition: str | None, text: str | None) -> tuple[str, str] | None:
    """The first and the last key of the range of partitions that `text` is; None without any.

    Raises:
        click.UsageError: it is none, or a single partition is given as well.
    """
    if text is None:
        return None
    if partition is not None:
        raise click.UsageError("--partition and --partition-range both say what to run for. Give one of them.")
    first, dots, last = text.partition("...")
    if not dots or not first or not last:
        raise click.UsageError(f"--partition-range is {text!r}. Write the first and the last key: FIRST...LAST.")
    return first, last


def read_tags(values: Sequence[str]) -> dict[str, str]:
    """Tags from JSON objects and `key=value` texts.

    Raises:
        click.UsageError: one is neither.
    """
    tags: dict[str, str] = {}
    for text in values:
        if text.lstrip().startswith("{"):
            try:
                given = msgspec.json.decode(text, type=dict[str, Any])
            except msgspec.DecodeError as error:
                raise click.UsageError(f"--tags is not a valid JSON object: {error}.") from None
            tags |= {key: _tag_text(value) for key, value in given.items()}
            continue
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise click.UsageError(f"--tags is {text!r}. Write key=value, or a JSON object.")
        tags[key.strip()] = value.strip()
    return tags


def _tag_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
