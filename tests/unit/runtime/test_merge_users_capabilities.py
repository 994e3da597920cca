"""An image's defaults under a container's own words; users and groups; capabilities; refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.core.errors import PortError
from hatoba.runtime import capabilities, merge, users
from hatoba.runtime.base import ContainerSpec, ImageConfig, Mount
from hatoba.runtime.check import check
from hatoba.runtime.users import User

IMAGE = ImageConfig(entrypoint=("/entry",), cmd=("run", "it"), env=("A=image", "EMPTY="))

PASSWD = "root:x:0:0:root:/root:/bin/sh\n# no\nbroken\nweb:x:1000:1000::/srv:\nweb2:x:1000:7::/two:\n"
GROUP = "root:x:0:\nweb:x:1000:\nextra:x:1001:root,web\nmore:x:1002:web\nbad\n"


@pytest.mark.parametrize(
    ("entrypoint", "command", "wanted"),
    [
        (None, None, ("/entry", "run", "it")),
        (None, ["other"], ("/entry", "other")),
        (None, [], ("/entry",)),
        (["/mine"], None, ("/mine",)),
        (["/mine"], ["x"], ("/mine", "x")),
        ([], ["x"], ("x",)),
    ],
)
def test_args(entrypoint: list[str] | None, command: list[str] | None, wanted: tuple[str, ...]) -> None:
    assert merge.args(IMAGE, entrypoint, command) == wanted


def test_env_is_overridden_name_by_name() -> None:
    merged = merge.env(IMAGE, {"A": "mine", "B": "x=y"}, hostname="h")
    assert merge.split(merged) == {"PATH": merge.DEFAULT_PATH, "HOSTNAME": "h", "A": "mine", "EMPTY": "", "B": "x=y"}
    assert "PATH=/own" in merge.env(ImageConfig(env=("PATH=/own",)), {})


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("", User(uid=0, gid=0, groups=(1001,), home="/root")),
        ("web", User(uid=1000, gid=1000, groups=(1001, 1002), home="/srv")),
        ("1000", User(uid=1000, gid=1000, groups=(1001, 1002), home="/srv")),
        ("web:extra", User(uid=1000, gid=1001, home="/srv")),
        ("web:55", User(uid=1000, gid=55, home="/srv")),
        ("77", User(uid=77, gid=0, home="/")),
        ("77:web", User(uid=77, gid=1000, home="/")),
    ],
)
def test_users(name: str, wanted: User) -> None:
    assert users.resolve(name, PASSWD, GROUP) == wanted


@pytest.mark.parametrize("name", ["nobody", "web:nogroup", "99999999999", "0:99999999999", "-1"])
def test_unknown_users(name: str) -> None:
    with pytest.raises(PortError):
        users.resolve(name, PASSWD, GROUP)


def test_numbers_need_no_files() -> None:
    assert users.resolve("12:34", "", "") == User(uid=12, gid=34)


@given(st.sets(st.sampled_from(capabilities.ALL)), st.sets(st.sampled_from(capabilities.ALL)))
def test_what_is_added_is_there_and_what_is_only_dropped_is_not(add: set[str], drop: set[str]) -> None:
    found = {name.removeprefix("CAP_") for name in capabilities.resolve(add, drop)}
    assert found == (set(capabilities.DEFAULT) - drop) | add
    assert capabilities.resolve({f"cap_{name.lower()}" for name in add}, drop) == capabilities.resolve(add, drop)


def test_all_capabilities() -> None:
    assert len(capabilities.resolve(("ALL",), ())) == len(capabilities.ALL) == 41
    assert capabilities.resolve((), ("ALL",)) == ()
    assert capabilities.resolve(("CHOWN",), ("ALL",)) == ("CAP_CHOWN",)
    assert "CAP_CHOWN" not in capabilities.resolve(("ALL",), ("CHOWN",))
    assert capabilities.from_mask(0xA80425FB) == tuple(
        sorted(capabilities.resolve((), ()), key=lambda name: capabilities.ALL.index(name[4:]))
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "a/b"},
        {"id": "x" * 77},
        {"id": ""},
        {"args": ()},
        {"cwd": "x"},
        {"env": ("A",)},
        {"mounts": (Mount(target="x", kind="tmpfs"),)},
        {"mounts": (Mount(target="/x", source="relative"),)},
        {"cap_drop": ("NOPE",)},
    ],
)
def test_check_refuses(wrong: dict[str, object]) -> None:
    good = {"id": "a.b-c_d", "image": "x", "args": ("sh",)}
    check(ContainerSpec(**good))  # type: ignore[arg-type]
    with pytest.raises(PortError):
        check(ContainerSpec(**(good | wrong)))  # type: ignore[arg-type]
