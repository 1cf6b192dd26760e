"""A task that a person's own function makes."""

from __future__ import annotations

from engine.contracts.errors import DataError
from engine.contracts.message_text import plain
from engine.models.user_modules import import_factory, users_modules_first
from engine.tasks.checking import CheckedTask


def task_of_person(reference: str) -> CheckedTask:
    """The task that `package.module:function` gives, called without arguments.

    Whether that code may run is the caller's business. Raises UnknownFamilyError, DataError.
    """
    with users_modules_first(reference.partition(":")[0]):
        make = import_factory(reference)
        try:
            task = make()
        except DataError:
            raise
        except Exception as error:  # it is their code: anything may happen in it
            words = plain((str(error).strip().splitlines() or [""])[0])
            raise DataError(
                f"the task {reference} cannot be made ({type(error).__name__}: {words}); give a "
                "function that needs no arguments and returns a task (docs/tasks.md)"
            ) from error
    return CheckedTask(task, reference)
