"""The table of `make doctor`."""

from __future__ import annotations

from tools.bootstrap import errors, step, steps


def build_table(made: steps.Steps) -> tuple[list[str], bool]:
    """What was found of each step, with the fix of what is missing or too old; and whether all is well."""
    rows: list[tuple[str, str, str, str]] = []
    fixes: list[str] = []
    for chain in made.chains:
        for each in chain:
            finding = _inspect(each)
            state = (
                "ok" if finding.ready else "too old" if finding.version or "older than" in finding.text else "missing"
            )
            rows.append((each.name, state, finding.version, finding.text))
            if not finding.ready and not each.only_for_tests:
                fixes.append(f"{each.name}: {finding.fix}")
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join([*(row[column].ljust(widths[column]) for column in range(3)), row[3]]) for row in rows]
    if fixes:
        lines += ["", "to fix:", *(f"  {fix}" for fix in fixes)]
    return lines, not fixes


def _inspect(each: step.Step) -> step.Finding:
    try:
        return each.inspect()
    except errors.BootstrapError as error:
        return step.Finding(ready=False, text=str(error))
