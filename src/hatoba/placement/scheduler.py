"""Places one after the other, each seeing what the ones before it took."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping

from hatoba.placement import filters
from hatoba.placement.board import Board
from hatoba.placement.ledger import Ledger
from hatoba.placement.model import Assignment, Lack, Needs, Refusal, Site

PLACES = 250_000  # nodes on all boards together, at about 500 bytes each: so many kinds of need are kept in order
BOARDS = 256  # and no more than so many where there are few nodes


class Scheduler:
    """The ledger, and the boards that are kept in step with it."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._boards: OrderedDict[tuple[Hashable, Needs], Board] = OrderedDict()

    def place(
        self, needs: Needs, count: int, sites: Mapping[str, Site], where: Hashable = ""
    ) -> list[Assignment | Refusal]:
        """An answer for each of `count` equal tasks, in order: after the first refusal there are only refusals.

        `sites` by their ids; the same object stands for the same sites. `where` names them: decisions over other sites
        do not disturb each other.
        """
        board = self._board(where, needs, len(sites))
        board.sync(sites)
        answers: list[Assignment | Refusal] = []
        while len(answers) < count and (node := board.take()) is not None:
            answers.append(Assignment(node=node))
        if len(answers) < count:
            answers += [refuse(board, sites)] * (count - len(answers))
        return answers

    def lack(self, needs: Needs, site: Site) -> Lack | None:
        """What this very node lacks, if anything."""
        return filters.lack(needs, site, self.ledger.use(site.id))

    def _board(self, where: Hashable, needs: Needs, nodes: int) -> Board:
        board = self._boards.get((where, needs))
        if board is None:
            board = self._boards[where, needs] = Board(needs, self.ledger)
            most = max(1, min(BOARDS, PLACES // max(1, nodes)))
            while len(self._boards) > most:
                self._boards.popitem(last=False)
        else:
            self._boards.move_to_end((where, needs))
        return board


def refuse(board: Board, sites: Mapping[str, Site]) -> Refusal:
    lacking: dict[Lack, list[str]] = {}
    closest: tuple[str, Lack] | None = None
    for id_ in sorted(sites):
        lack = filters.lack(board.needs, sites[id_], board.use(id_))
        if lack is None:
            continue
        lacking.setdefault(lack, []).append(id_)
        if closest is None or filters.RANK[lack] > filters.RANK[closest[1]]:
            closest = (id_, lack)
    return Refusal(needs=board.needs, lacking={lack: tuple(nodes) for lack, nodes in lacking.items()}, closest=closest)
