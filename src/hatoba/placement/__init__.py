"""Where a group of containers should run: filters that can explain a refusal, scores, a scheduler. Pure values.

    model      Needs, Candidate, Assignment, Refusal
    filters    which nodes can take it, and why the others cannot
    scores     which of them should
    scheduler  `place(needs, candidates)`: one after the other, each seeing what the ones before it took

Knows no AWS words: rooms translate their launch types, constraints and failure codes to and from these.
"""

from hatoba.placement.model import Assignment, Candidate, Needs, Refusal
from hatoba.placement.scheduler import place

__all__ = ["Assignment", "Candidate", "Needs", "Refusal", "place"]
