"""The block in /etc/hosts: ours alone, and gone without a trace."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hatoba.app.names import with_block

HOSTS = "127.0.0.1 localhost\n# mine\n10.0.0.1 printer\n"


def test_a_block_is_added_renewed_and_removed() -> None:
    first = with_block(HOSTS, "abc", {"web.elb": ["100.64.64.1"]})
    assert first == HOSTS + "# hatoba abc: begin\n100.64.64.1 web.elb\n# hatoba abc: end\n"
    second = with_block(first, "abc", {"shop.elb": ["100.64.64.2", "100.64.64.1"]})
    assert "web.elb" not in second
    assert second.count("shop.elb") == 2
    assert with_block(second, "abc", None) == HOSTS


def test_another_instances_block_is_left_alone() -> None:
    both = with_block(with_block(HOSTS, "abc", {"a": ["1.1.1.1"]}), "def", {"b": ["2.2.2.2"]})
    assert with_block(both, "abc", None) == with_block(HOSTS, "def", {"b": ["2.2.2.2"]})


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=30), max_size=20))
def test_what_was_there_stays(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    assert with_block(with_block(text, "abc", {"n": ["1.2.3.4"]}), "abc", None) == with_block(text, "abc", None)
