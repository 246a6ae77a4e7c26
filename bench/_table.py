"""The results as text: one table a workload, implementations down, columns across, and below it why a figure is missing."""

from __future__ import annotations

import textwrap
from typing import Any

WIDTH = 140


def seconds(value: float) -> str:
    """Return a time with three digits and its unit."""
    for unit, scale in (("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3)):
        if value < 999.5 * scale:
            return f"{digits(value / scale)} {unit}"
    return f"{digits(value)} s"


def digits(value: float) -> str:
    """Return a number with about three digits, and separators in great ones."""
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"


def amount(value: float, unit: str) -> str:
    """Return a figure in its unit."""
    return seconds(value) if unit == "s" else f"{digits(value)} {unit.removeprefix('1')}"


def header(results: dict[str, Any]) -> str:
    """Return the lines that say on what the figures were taken, and with what."""
    machine, python = results["machine"], results["python"]
    threading = f", free-threaded, GIL {'on' if python['gil'] else 'off'}" if python["free_threaded"] else ""
    lines = [
        f"{results['date']}  {machine['processor']}, {machine['cores']} cores, {machine['platform']}",
        f"{python['implementation']} {python['version']}{threading}, recursion limit {python['recursion_limit']:,}",
        f"configured with: {python['config_args'] or 'nothing known'}",
        f"CPU time, best of interleaved rounds, garbage collector off in the timed part{'; QUICK run' if results['quick'] else ''}",
        "",
    ]
    for implementation in results["implementations"]:
        about = f"not measured: {implementation['reason']}" if implementation["reason"] else implementation["idiom"]
        lines.append(f"  {implementation['name']:16} {implementation['version']:12} {about}")
    return "\n".join(lines)


def table(workload: dict[str, Any], missing: dict[str, str]) -> str:
    """Return the table of one workload. `missing`: implementations that were not loaded, with the reason."""
    marks = [divisor["mark"] for divisor in workload["divisors"]]
    names = [column["name"] for column in workload["columns"]]
    units = {column["name"]: column.get("unit", workload["unit"]) for column in workload["columns"]}
    head = ["", *(cell for name in names for cell in (name, *(f"/{mark}" for mark in marks)))]
    rows = [head]
    for implementation, figures in workload["figures"].items():
        if not figures and missing.get(implementation) not in workload["reasons"][implementation].values():
            continue  # it has no such thing, which is said below
        row = [implementation]
        for name in names:
            figure = figures.get(name)
            row.append(amount(figure["best"], units[name]) if figure else "-")
            row.extend(digits(figure["ratios"][mark]) if figure and mark in figure["ratios"] else "-" for mark in marks)
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = [f"== {workload['name']} ==", textwrap.fill(f"{workload['what']} {workload.get('means', '')}".rstrip(), WIDTH), ""]
    for first, *others in rows:
        lines.append("  ".join([first.ljust(widths[0]), *(text.rjust(width) for text, width in zip(others, widths[1:], strict=True))]))
    lines += [f"  /{divisor['mark']}: divided by {divisor['text']}" for divisor in workload["divisors"]]
    lines += [textwrap.fill(f"  -  {text}", WIDTH, subsequent_indent="     ") for text in absences(workload, names)]
    return "\n".join(lines)


def absences(workload: dict[str, Any], names: list[str]) -> list[str]:
    """Return one line for each reason why figures are missing."""
    groups: dict[tuple[str, str], list[str]] = {}
    for implementation, reasons in workload["reasons"].items():
        for reason in dict.fromkeys(reasons.values()):
            where = [name for name in names if reasons.get(name) == reason]
            groups.setdefault((reason, "" if where == names else "; ".join(where)), []).append(implementation)
    return [f"{', '.join(who)}{f' ({where})' if where else ''}: {reason}" for (reason, where), who in groups.items()]


def show(results: dict[str, Any]) -> str:
    """Return everything as text."""
    missing = {found["name"]: found["reason"] for found in results["implementations"] if found["reason"]}
    return "\n\n".join([header(results), *(table(workload, missing) for workload in results["workloads"])])
