"""Where a group of containers should run: filters that can explain a refusal, an order of preference, a scheduler.

    model      Needs, Site, Load, Order, Assignment, Refusal
    ledger     what every node has in use, kept change by change
    filters    which nodes can take it, and why the others cannot
    prefer     which of them should: the key by which nodes are compared
    board      the nodes in that order, kept in order while they fill and empty
    scheduler  `Scheduler.place(needs, count, sites)`: one after the other, each seeing what the ones before it took

Pure but for the ledger, which is told of every change. Knows no AWS words: rooms translate their launch types,
strategies, constraints and failure codes to and from these.
"""

from hatoba.placement.ledger import Ledger, Use
from hatoba.placement.model import Assignment, Condition, Lack, Load, Needs, Order, Refusal, Site
from hatoba.placement.scheduler import Scheduler

__all__ = [
    "Assignment",
    "Condition",
    "Lack",
    "Ledger",
    "Load",
    "Needs",
    "Order",
    "Refusal",
    "Scheduler",
    "Site",
    "Use",
]
