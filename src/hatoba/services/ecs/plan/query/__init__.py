"""The cluster query language: which container instances something is about.

    parse     text → a tree of values; raises `BadQuery` and says where
    evaluate  does it hold of an instance, described by its subjects' values
    pattern   the regular expressions of `=~`, matched in linear time

    attribute:ecs.instance-type =~ g2.* and not (task:group == database)

Subjects and operators are those of the developer guide's "Cluster query language". An operator that denies (`!=`,
`!in`, `!~`, `!exists`) holds exactly where its opposite does not, so also where the subject has no value.
"""

from hatoba.services.ecs.plan.query.evaluate import Facts, holds
from hatoba.services.ecs.plan.query.parse import BadQuery, Query, parse, unreadable

__all__ = ["BadQuery", "Facts", "Query", "holds", "parse", "unreadable"]
