"""What all our command lines share: settings from options, and errors told the same way."""

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click

from campfire.config import Settings
from campfire.domain.errors import DomainError
from campfire.errors import CATALOGUE, CampfireError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

EXIT_CODES = {"LOG_DAMAGED": 3, "DATA_DIRECTORY_IN_USE": 4, "CONFIGURATION_INVALID": 78}
EXIT_CODES_HELP = "Exit codes: 0 done, 1 failed, 2 wrong use, 3 log damaged, 4 data directory in use, 78 wrong setting."

data_option = click.option("--data", metavar="DIR", help="The data directory.  [default: CAMPFIRE_DATA, else ./data]")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def settings_from(data: str | None = None, **overrides: str | None) -> Settings:
    """The settings in force; raises `CampfireError` `CONFIGURATION_INVALID`."""
    return Settings.from_environment(None, data=data, **overrides)


def telling_errors(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """End a command that raises an error of the catalogue with a sentence, advice and an exit code.

    What the command writes is for its owner only: a data directory made by somebody else may be open to all.
    """

    @wraps(command)
    def run(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
        mask = os.umask(0o077)
        try:
            return command(*arguments, **options)
        except (CampfireError, DomainError) as error:
            click.echo(f"{error.code}: {error.detail}", err=True)
            advice = CATALOGUE[error.code].advice
            if advice != error.detail and not advice.startswith("See /"):  # an address of the server's
                click.echo(advice, err=True)
            sys.exit(EXIT_CODES.get(error.code, 1))
        finally:
            os.umask(mask)

    return run


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
