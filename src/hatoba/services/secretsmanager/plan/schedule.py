"""When a secret is rotated next: every so many days, by `rate(…)`, by `cron(…)`. Pure; all in UTC.

By the user guide ("Schedule expressions in Secrets Manager rotation"): a rate's windows begin at midnight, at most one
in four hours; a cron expression has six fields (minutes, hours, day of the month, month, day of the week, year), begins
at full hours, and leaves one of the two kinds of days open with a `?`.
"""

from __future__ import annotations

import datetime
import re
from typing import NamedTuple

from hatoba.aws.shapes import secretsmanager as t

DAY, HOUR = 86400, 3600
LEAST_HOURS, MOST_DAYS = 4, 999
_RATE = re.compile(r"rate\((\d{1,5}) (hour|day)s?\)")
_CRON = re.compile(r"cron\(([^()]*)\)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SEARCHED = 366 * 12  # days: enough for any February 29th
_DURATION = re.compile(r"([1-9]\d?)h")


class Unclear(ValueError):
    """No schedule, or one that never comes."""


class Rate(NamedTuple):
    seconds: int

    def next(self, after: float) -> float:
        midnight = int(after) // DAY * DAY
        if self.seconds % DAY == 0:
            return float(midnight + self.seconds)
        return float(midnight + (int(after - midnight) // self.seconds + 1) * self.seconds)


class Days(NamedTuple):
    """Which days a field allows: by number, the last one, and (of weekdays) the n-th in the month."""

    plain: frozenset[int]
    last: bool = False
    nth: frozenset[tuple[int, int]] = frozenset()


class Cron(NamedTuple):
    hours: tuple[int, ...]
    days: Days | None
    months: frozenset[int]
    weekdays: Days | None
    years: frozenset[int]

    def next(self, after: float) -> float:
        """Raises `Unclear` when there is no such day for years."""
        start = datetime.datetime.fromtimestamp(after, datetime.UTC)
        day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        for _ in range(_SEARCHED):
            if self._on(day.date()):
                for hour in self.hours:
                    moment = day.replace(hour=hour).timestamp()
                    if moment > after:
                        return moment
            day += datetime.timedelta(days=1)
        raise Unclear("the schedule never comes")

    def _on(self, day: datetime.date) -> bool:
        if day.year not in self.years or day.month not in self.months:
            return False
        last = (day + datetime.timedelta(days=1)).month != day.month
        if self.days is not None:
            return day.day in self.days.plain or (self.days.last and last)
        assert self.weekdays is not None
        weekday = day.isoweekday() % 7 + 1
        in_last_week = (day + datetime.timedelta(days=7)).month != day.month
        return (
            (weekday in self.weekdays.plain and not self.weekdays.last)
            or (weekday in self.weekdays.plain and self.weekdays.last and in_last_week)
            or (weekday, (day.day - 1) // 7 + 1) in self.weekdays.nth
        )


def parse(expression: str) -> Rate | Cron:
    """Raises `Unclear`."""
    rate = _RATE.fullmatch(expression)
    if rate is not None:
        seconds = int(rate[1]) * (HOUR if rate[2] == "hour" else DAY)
        if not LEAST_HOURS * HOUR <= seconds <= MOST_DAYS * DAY:
            raise Unclear(f"a rate must be between {LEAST_HOURS} hours and {MOST_DAYS} days")
        return Rate(seconds)
    cron = _CRON.fullmatch(expression)
    if cron is None:
        raise Unclear("it must be rate(…) or cron(…)")
    fields = cron[1].split()
    if len(fields) != 6:
        raise Unclear("a cron expression has six fields")
    minute, hour, day, month, weekday, year = fields
    if minute != "0":
        raise Unclear("the minutes must be 0")
    if (day == "?") == (weekday == "?"):
        raise Unclear("one of day of the month and day of the week must be ?")
    return Cron(
        hours=tuple(sorted(_numbers(hour, 0, 23))),
        days=None if day == "?" else _month_days(day),
        months=_numbers(month, 1, 12, _MONTHS),
        weekdays=None if weekday == "?" else _weekdays(weekday),
        years=_numbers(year, 1970, 2199),
    )


def _month_days(field: str) -> Days:
    parts = field.split(",")
    plain = [part for part in parts if part != "L"]
    return Days(plain=_numbers(",".join(plain), 1, 31) if plain else frozenset(), last=len(plain) < len(parts))


def _weekdays(field: str) -> Days:
    name, hash_, place = field.partition("#")
    if hash_:
        (weekday,) = _numbers(name, 1, 7, _WEEKDAYS, single=True)
        (nth,) = _numbers(place, 1, 5, single=True)
        return Days(plain=frozenset(), nth=frozenset({(weekday, nth)}))
    if field.endswith("L"):
        return Days(plain=_numbers(field[:-1] or "7", 1, 7, _WEEKDAYS, single=True), last=True)
    return Days(plain=_numbers(field, 1, 7, _WEEKDAYS))


def _numbers(field: str, low: int, high: int, names: tuple[str, ...] = (), *, single: bool = False) -> frozenset[int]:
    """`*`, `3`, `1-5`, `*/2`, `1/3`, and lists of them."""
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            start, end = low, high
        else:
            start = _number(first, low, high, names)
            end = _number(last, low, high, names) if dash else (high if slash else start)
        every = _number(step, 1, high, ()) if slash else 1
        if end < start:
            raise Unclear(f"{part[:32]} goes backwards")
        found.update(range(start, end + 1, every))
    if single and len(found) != 1:
        raise Unclear(f"{field[:32]} must be one value")
    return frozenset(found)


def _number(text: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text.upper() in names:
        return names.index(text.upper()) + low
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and low <= int(text) <= high):
        raise Unclear(f"'{text[:32]}' is not between {low} and {high}")
    return int(text)


# --- of a secret


class Schedule(NamedTuple):
    """RotationRules. `duration` says how long a window is; rotations begin with it."""

    days: int | None = None
    expression: str | None = None
    duration: str | None = None

    def next(self, after: float) -> float | None:
        if self.days is not None:
            return Rate(self.days * DAY).next(after)
        return None if self.expression is None else parse(self.expression).next(after)


def checked(rules: t.RotationRulesType, now: float) -> Schedule:
    """Raises InvalidParameterException."""
    schedule = Schedule(rules.get("AutomaticallyAfterDays"), rules.get("ScheduleExpression"), rules.get("Duration"))
    if schedule.days is not None and schedule.expression is not None:
        raise _wrong("You can't specify both AutomaticallyAfterDays and ScheduleExpression.")
    if schedule.days is None and schedule.expression is None:
        raise _wrong("You must specify AutomaticallyAfterDays or ScheduleExpression.")
    try:
        first = schedule.next(now)
        assert first is not None
        following = schedule.next(first)
    except Unclear as error:
        raise _wrong(f"Invalid ScheduleExpression: {error}.") from None
    if schedule.duration is not None:
        _check_duration(schedule.duration, first, following or first + DAY)
    return schedule


def _check_duration(duration: str, first: float, following: float) -> None:
    found = _DURATION.fullmatch(duration)
    seconds = int(found[1]) * HOUR if found is not None else 0
    if found is None or seconds > DAY - first % DAY or seconds > following - first:
        raise _wrong("The rotation window must not extend into the next UTC day or into the next rotation window.")


def _wrong(message: str) -> t.InvalidParameterException:
    return t.InvalidParameterException(message)
