"""The text of the comment."""

from __future__ import annotations

import re

GITHUB_LIMIT = 65_536
"""Characters that a comment on GitHub may have; Azure DevOps allows more."""

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STACK_URL = re.compile(r"^View (in Browser|Live).*\n", re.MULTILINE)
_KEPT_HEAD = 0.75
"""Share of a preview that is too long that is kept of its beginning; the rest is of its end, where the summary is."""


def build_marker(stack: str) -> str:
    """What a stack's comment is found again by; no reader sees it."""
    return f"<!-- aml-infra: preview of {stack} -->"


def build_comment(stack: str, preview: str, *, succeeded: bool, run_url: str = "", limit: int = GITHUB_LIMIT) -> str:
    """The comment on a stack's preview, in Markdown, at most ``limit`` characters long.

    Args:
        stack: the stack's name.
        preview: what ``pulumi preview --diff`` printed.
        succeeded: whether it succeeded.
        run_url: page of the pipeline's run, which has the whole log.
        limit: characters.
    """
    text = _STACK_URL.sub("", _ANSI.sub("", preview)).strip()
    heading = f"### Preview of `{stack}`" if succeeded else f"### Preview of `{stack}` failed"
    link = f"\n\n[The whole log]({run_url})" if run_url else ""
    summary = _find_summary(text) if succeeded else "Nothing was changed. What is wrong is below."
    head = f"{build_marker(stack)}\n{heading}\n\n{summary}\n\n<details{'' if succeeded else ' open'}>"
    head += "<summary>Details</summary>\n\n"
    fence = "`" * max(3, _find_longest_run(text) + 1)
    tail = f"\n{fence}\n\n</details>{link}\n"
    opening = f"{fence}diff\n"
    room = limit - len(head) - len(opening) - len(tail)
    return head + opening + _shorten(_mark_changes(text), room) + tail


def _find_summary(text: str) -> str:
    """What the engine says at the end: how many resources are created, changed and left."""
    _, found, after = text.rpartition("\nResources:\n")
    counts = [line.strip() for line in after.splitlines() if re.match(r"\s+\S+ .*|\s+\d+ .*", line)]
    return ", ".join(counts) if found and counts else "No summary was printed."


def _mark_changes(text: str) -> str:
    """Puts the signs of changed lines first, where the colours of a `diff` block need them."""
    lines = []
    for line in text.splitlines():
        match = re.match(r"(\s+)(\+-|\+\+|--|[+~-])(?=[ \w])", line)
        if match is None:
            lines.append(f" {line}" if line[:1] in "+-" and line else line)
        else:
            sign = {"~": "!", "+-": "!", "++": "+", "--": "-"}.get(match[2], match[2])
            lines.append(sign + line[1:])
    return "\n".join(lines)


def _find_longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def _shorten(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    notice = "\n... {} lines are left out ...\n"
    kept = max(0, room - len(notice.format(len(text))))
    first, last = int(kept * _KEPT_HEAD), kept - int(kept * _KEPT_HEAD)
    # Whole lines only, at both ends of the gap.
    start = text[:first].rpartition("\n")[0]
    end = text[len(text) - last :].partition("\n")[2] if last else ""
    left_out = text.count("\n") - start.count("\n") - end.count("\n") - 1
    return start + notice.format(left_out) + end
