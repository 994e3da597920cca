"""The scheduler: who gets what, and why not."""

from hypothesis import given
from hypothesis import strategies as st

from hatoba.placement import Assignment, Candidate, Needs, Refusal, place

MIB = 1 << 20


def node(id_: str, **fields: object) -> Candidate:
    return Candidate(**{"id": id_, "cpu": 1024, "memory": 1024 * MIB, "architecture": "x86_64", **fields})  # type: ignore[arg-type]


def placed(needs: list[Needs], nodes: list[Candidate]) -> list[str]:
    return [answer.node if isinstance(answer, Assignment) else "-" for answer in place(needs, nodes)]


def test_equal_tasks_spread_over_the_nodes() -> None:
    assert placed([Needs(cpu=100, group="web")] * 4, [node("b"), node("a")]) == ["a", "b", "a", "b"]


def test_a_group_spreads_even_where_others_run() -> None:
    busy = node("a", running=5, groups={"other": 5})
    assert placed([Needs(group="web")] * 2, [busy, node("b", running=9, groups={"web": 1})]) == ["a", "a"]


def test_what_was_placed_before_counts() -> None:
    needs = [Needs(memory=600 * MIB)] * 3
    assert placed(needs, [node("a"), node("b")]) == ["a", "b", "-"]


def test_a_port_is_taken_once_per_node() -> None:
    assert placed([Needs(ports=frozenset({(80, "tcp")}))] * 3, [node("a"), node("b")]) == ["a", "b", "-"]
    assert placed([Needs(ports=frozenset({(80, "udp")}))], [node("a", ports=frozenset({(80, "tcp")}))]) == ["a"]


def test_a_refusal_explains_itself() -> None:
    nodes = [
        node("a", memory=100 * MIB),
        node("b", memory=0),
        node("c", draining=True),
        node("d", ready=False),
        node("e", cpu=10),
        node("f", architecture="aarch64"),
    ]
    (refusal,) = place([Needs(cpu=500, memory=512 * MIB, architecture="x86_64")], nodes)
    assert isinstance(refusal, Refusal)
    assert refusal.words() == (
        "no capacity: 1 node is not x86_64, 1 node lacks CPU (need 500 units), 1 node is draining, 1 node is lost, "
        "2 nodes lack memory (need 512 MiB)"
    )
    assert refusal.closest == ("a", "memory")


def test_no_nodes_at_all() -> None:
    (refusal,) = place([Needs()], [])
    assert isinstance(refusal, Refusal)
    assert (refusal.words(), refusal.closest) == ("no capacity: there are no nodes", None)


sizes = st.integers(0, 600)


@given(
    st.lists(st.tuples(sizes, sizes, st.sampled_from(["", "g"])), max_size=12),
    st.lists(st.tuples(sizes, sizes, st.booleans(), st.booleans()), max_size=5),
)
def test_nodes_are_never_overfilled_and_refusals_are_true(
    wanted: list[tuple[int, int, str]], there: list[tuple[int, int, bool, bool]]
) -> None:
    needs = [Needs(cpu=cpu, memory=memory, group=group) for cpu, memory, group in wanted]
    nodes = [
        node(str(number), cpu=cpu, memory=memory, ready=ready, draining=draining)
        for number, (cpu, memory, ready, draining) in enumerate(there)
    ]
    free = {one.id: [one.cpu, one.memory] for one in nodes if one.ready and not one.draining}
    for need, answer in zip(needs, place(needs, nodes), strict=True):
        if isinstance(answer, Assignment):
            free[answer.node][0] -= need.cpu
            free[answer.node][1] -= need.memory
        else:
            assert all(cpu < need.cpu or memory < need.memory for cpu, memory in free.values())
            assert sum(len(ids) for ids in answer.lacking.values()) == len(nodes)
    assert all(cpu >= 0 and memory >= 0 for cpu, memory in free.values())
