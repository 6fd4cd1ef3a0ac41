"""A report in the format that was asked for. Each format is a module of its own, imported when it is used."""

from __future__ import annotations

from askew.report.model import Report


def render(report: Report, format: str, *, color: bool, width: int, verbose: bool) -> str:
    """The report as text, json, sarif, markdown, github or junit.

    ``color``, ``width`` (columns) and ``verbose`` matter to people only; machine formats do not change with them.
    Raises ValueError for a format that there is none of.
    """
    if format == "text":
        from askew.report import text

        return text.render(report, color=color, width=width, verbose=verbose)
    if format == "json":
        from askew.report import wire

        return wire.encode(wire.report(report)).decode()
    if format == "sarif":
        from askew.report import sarif

        return sarif.render(report)
    if format == "markdown":
        from askew.report import markdown

        return markdown.render(report)
    if format == "github":
        from askew.report import github

        return github.render(report)
    if format == "junit":
        from askew.report import junit

        return junit.render(report)
    raise ValueError(f"there is no format {format!r}; choose one of text, json, sarif, markdown, github, junit")
