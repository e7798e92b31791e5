"""Structured logs, one JSON object a line on standard error; on a terminal, lines for people."""

import logging
import sys

import structlog


def configure(level: str = "info") -> None:
    """Set up structlog for this process. `level` is one of debug, info, warning, error."""
    human = sys.stderr.isatty()
    # Plain tracebacks: the pretty ones print local variables, and passwords and tokens are among them.
    pretty = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer = pretty if human else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *([] if human else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
