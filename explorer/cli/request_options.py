"""The options that say what a command is about: which network, which data, which store."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from explorer.cli import options
from explorer.cli.settings_options import Given, check_one_place, takes_settings

T = TypeVar("T")
_KEYWORD = inspect.Parameter.KEYWORD_ONLY
# Fields of a Request with their options, as `--help` lists them, and what is of the machine.
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "preset": (options.Preset, None),
    "protocol": (options.Protocol, "default"),
    "arch": (options.Arch, None),
    "weights": (options.Weights, None),
    "random_weights": (options.RandomWeights, False),
    "task": (options.Task, None),
    "output": (options.Output, None),
    "normalisation": (options.Normalisation, None),
    "allow_factory": (options.AllowFactory, None),
    "trust_pickle": (options.TrustPickle, False),
    "store": (options.Store, None),
    "device": (options.Device, "auto"),
    "loader_workers": (options.LoaderWorkers, None),
    "new_run": (options.NewRun, False),
}


def takes_request(
    *,
    needs_model: bool = True,
    without: Collection[str] = (),
    only: Collection[str] = (),
    first: Collection[str] = (),
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """A command with MODEL, an option for every setting or for some `only`, and those that say what
    it is about, but for some. It gets a Request of all that as `request`; None where no MODEL was
    needed nor given. Arguments of its own that come `first` stand before MODEL."""
    fields = {name: option for name, option in _OPTIONS.items() if name not in without}
    model = (options.Model, inspect.Parameter.empty) if needs_model else (options.AnyModel, None)

    def decorate(command: Callable[..., T]) -> Callable[..., T]:
        command.__annotations__.pop("request")  # it is imported when the command runs
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name != "request"]

        @functools.wraps(command)
        def run(*, settings: Given, **arguments: Any) -> T:
            from explorer.session.open_run import Request

            given = {name: arguments.pop(name) for name in ("model", *fields)}
            given.pop("loader_workers", None)  # about the machine: its option has seen to it
            check_one_place(settings.get("data"), given["task"])
            given["allow_factory"] = given["allow_factory"] or ()
            request = None if given["model"] is None else Request(**given, overrides=settings)
            return command(**arguments, request=request)

        added = [
            inspect.Parameter(name, _KEYWORD, annotation=kind, default=default)
            for name, (kind, default) in {"model": model, **fields}.items()
        ]
        settings = inspect.Parameter("settings", _KEYWORD, annotation=Given)
        own = [parameter.replace(kind=_KEYWORD) for parameter in own]
        run.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[
                *(parameter for parameter in own if parameter.name in first),
                *added,
                *(parameter for parameter in own if parameter.name not in first),
                settings,
            ]
        )
        return takes_settings(only=only)(run)

    return decorate
