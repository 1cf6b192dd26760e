"""An option for every setting of a run, made from the fields of the settings."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Optional, ParamSpec, TypeVar

import typer

from engine.contracts.errors import UsageError
from engine.contracts.options import SettingField, SettingValue
from engine.contracts.settings import all_settings

P = ParamSpec("P")
T = TypeVar("T")
Given = Mapping[str, SettingValue]  # the settings that were given, by the names of their options


def takes_settings(
    *, leave_out: Collection[str] = (), only: Collection[str] = (), of: str = ""
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """A command with an option for every setting, or for some `only`, but for those that are left
    out and those that it has itself. It gets what was given as `settings`; `of` says whose they
    are."""

    def decorate(command: Callable[..., T]) -> Callable[..., T]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name != "settings"]
        taken = {*leave_out, *(parameter.name for parameter in own)}
        wanted = [each for each in all_settings() if not only or each.option.name in only]
        fields = [each for each in wanted if each.option.name not in taken]

        @functools.wraps(command)
        def run(**arguments: Any) -> T:
            given = {each.option.name: arguments.pop(each.option.name) for each in fields}
            settings = {name: value for name, value in given.items() if value is not None}
            return command(**arguments, settings=settings)

        added = [_parameter(each, of) for each in fields]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *added)]
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def check_one_place(data: object, task: str | None) -> None:
    """Raises UsageError where images and a task were given."""
    if data is not None and task is not None:
        raise UsageError("--data and --task both say what the data are; give one of them")


def _parameter(each: SettingField, of: str) -> inspect.Parameter:
    unset = "the run's own" if of else ""
    flags = [each.option.flag, *([f"-{each.option.short}"] if each.option.short else [])]
    option = typer.Option(*flags, help=f"{of}: {help_of(each, unset)}" if of else help_of(each))
    return inspect.Parameter(
        each.option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[Optional[each.type], option],  # noqa: UP045 - typer reads it
    )


def help_of(each: SettingField, unset: str = "") -> str:
    """What a setting is, what it may be, and what it is unless it is given."""
    also = tuple(word for word in (each.option.beside, each.option.argument) if word)
    *others, last = (*each.option.choices, *also) or ("",)
    words = f": {', '.join(others)} or {last}" if others else f": {last}" if last else ""
    holds = unset or each.option.unset or each.default
    default = "" if holds is None else f"  [default: {holds}]"
    return f"{each.option.help}{words}{default}"
