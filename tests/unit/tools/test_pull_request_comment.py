from __future__ import annotations

from tools.pull_request import comment

PREVIEW = """\
Previewing update (azure-dev):
  pulumi:pulumi:Stack: (same)
    [urn=urn:pulumi:azure-dev::aml-infra::pulumi:pulumi:Stack::aml-infra-azure-dev]
    ~ azure-native:machinelearningservices:Compute: (update)
        [id=/subscriptions/0/computes/gpu]
      ~ properties: {
          ~ maxNodeCount: 4 => 8
        }
    +-azure-native:storage:StorageAccount: (replace)
    + azure-native:keyvault:Vault: (create)
Resources:
    + 1 to create
    ~ 1 to update
    +-1 to replace
    3 changes. 20 unchanged
"""


def test_a_comment_starts_with_what_it_is_found_by() -> None:
    """The next preview of the same stack must replace it."""
    text = comment.build_comment("azure-dev", PREVIEW, succeeded=True)

    assert text.startswith(comment.build_marker("azure-dev"))
    assert comment.build_marker("azure-dev") != comment.build_marker("azure-prod")


def test_the_summary_is_seen_without_opening_the_details() -> None:
    """Whoever reviews reads one line first."""
    text = comment.build_comment("azure-dev", PREVIEW, succeeded=True)

    assert "\n+ 1 to create, ~ 1 to update, +-1 to replace, 3 changes. 20 unchanged\n" in text.partition("<details>")[0]


def test_changed_lines_have_their_signs_first() -> None:
    """A `diff` block colours by the first character."""
    text = comment.build_comment("azure-dev", PREVIEW, succeeded=True)

    assert "\n!   ~ azure-native:machinelearningservices:Compute: (update)\n" in text
    assert "\n!   +-azure-native:storage:StorageAccount: (replace)\n" in text
    assert "\n+   + azure-native:keyvault:Vault: (create)\n" in text
    assert "\n!         ~ maxNodeCount: 4 => 8\n" in text
    assert "\n  pulumi:pulumi:Stack: (same)\n" in text


def test_a_failed_preview_is_shown_at_once() -> None:
    """Nobody should look for the reason."""
    text = comment.build_comment("azure-dev", "error: aml-infra:cluster.vm_size: ...", succeeded=False)

    assert "failed" in text
    assert "<details open>" in text
    assert "aml-infra:cluster.vm_size" in text


def test_a_preview_that_is_too_long_keeps_its_beginning_and_its_end() -> None:
    """The services refuse long comments; the summary is at the end."""
    long = "first line\n" + "    + resource\n" * 10_000 + PREVIEW

    text = comment.build_comment("azure-dev", long, succeeded=True, run_url="https://example.com/run/1", limit=20_000)

    assert len(text) <= 20_000
    assert "first line" in text
    assert "lines are left out" in text
    assert "3 changes. 20 unchanged" in text.partition("<details>")[2]
    assert text.rstrip().endswith("[The whole log](https://example.com/run/1)")


def test_fences_in_a_preview_do_not_end_the_block() -> None:
    """A Dockerfile's text or a description may hold some."""
    text = comment.build_comment("azure-dev", "a\n````\nb\n", succeeded=False)

    assert "\n`````diff\n" in text
    assert text.count("`````") == 2


def test_colours_and_links_to_the_engine_are_left_out() -> None:
    """They are noise in a comment, and the link is for those who have an account there."""
    text = comment.build_comment(
        "azure-dev", "View in Browser (Ctrl+O): https://x\n\x1b[1mbold\x1b[0m", succeeded=False
    )

    assert "View in Browser" not in text
    assert "bold" in text
    assert "\x1b" not in text
