"""Calendar months and years of a time zone, as periods."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from spendgraph.clock import from_us
from spendgraph_reports.period import DAY_US, Period, midnight


def month_of(moment_us: int, zone: str = "UTC") -> Period:
    """The calendar month that a moment lies in.

    >>> month_of(1_790_000_000_000_000).text
    '2026-09-01T00:00:00Z to 2026-10-01T00:00:00Z'
    """
    return _month(_day(moment_us, zone), zone)


def months(period: Period, zone: str = "UTC") -> list[tuple[str, Period]]:
    """The calendar months of a closed period by name, such as `2026-08`; the first and the last end where it does.

    Raises:
        ValueError: The period has no start or no end.
    """
    since, until = closed(period)
    found: list[tuple[str, Period]] = []
    at = since
    while at < until:
        day = _day(at, zone)
        _, end = closed(_month(day, zone))
        found.append((f"{day:%Y-%m}", Period(at, min(end, until))))
        at = end
    return found


def before(period: Period, zone: str = "UTC") -> Period:
    """What a period is compared with: before whole months as many months, before anything else as long a time.

    >>> before(Period.month("2026-03")).text
    '2026-02-01T00:00:00Z to 2026-03-01T00:00:00Z'
    """
    since, until = closed(period)
    if is_whole_months(period, zone):
        start = _day(since, zone)
        count = len(months(period, zone))
        first = date(start.year + (start.month - 1 - count) // 12, (start.month - 1 - count) % 12 + 1, 1)
        return Period(midnight(first, zone), since)
    return Period(2 * since - until, since)


def year_to_date(period: Period, zone: str = "UTC") -> Period:
    """From the start of the calendar year in which a period ends, to its end."""
    _, until = closed(period)
    return Period(midnight(date(_day(until - 1, zone).year, 1, 1), zone), until)


def is_whole_months(period: Period, zone: str = "UTC") -> bool:
    """Whether a period begins and ends with a calendar month."""
    since, until = closed(period)
    return since == month_of(since, zone).since_us and until == month_of(until, zone).since_us


def named(period: Period, zone: str = "UTC") -> str:
    """A period for people: its months by name, its days, or its times.

    >>> named(Period.month("2026-08")), named(Period.between("2026-08-01", "2026-08-04"))
    ('2026-08', '2026-08-01 to 2026-08-03')
    """
    since, until = closed(period)
    if is_whole_months(period, zone):
        (first, _), *_, (last, _) = months(period, zone) * 2
        return first if first == last else f"{first} to {last}"
    first_day, last_day = _day(since, zone), _day(until - 1, zone)
    if since == midnight(first_day, zone) and until == midnight(last_day + timedelta(days=1), zone):
        return f"{first_day}" if first_day == last_day else f"{first_day} to {last_day}"
    start, end = (from_us(at).astimezone(ZoneInfo(zone)) for at in (since, until))
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"


def closed(period: Period) -> tuple[int, int]:
    """Start and end of a period that has both.

    Raises:
        ValueError: It has not.
    """
    if period.since_us is None or period.until_us is None:
        raise ValueError(f"expected a period with a start and an end, found {period.text}")
    return period.since_us, period.until_us


def days(period: Period) -> float:
    """How long a closed period is, in days of 24 hours."""
    since, until = closed(period)
    return (until - since) / DAY_US


def calendar_days(period: Period, zone: str = "UTC") -> tuple[date, date]:
    """The first day of a closed period, and the first day after it; a day whose midnight the clocks leave out begins after it.

    >>> calendar_days(Period.month("2026-08"))
    (datetime.date(2026, 8, 1), datetime.date(2026, 9, 1))

    Raises:
        ValueError: The period has no start or no end, or does not begin and end with a day of the zone.
    """
    since, until = closed(period)
    midnight(date(1970, 1, 1), zone)  # says so where there is no such zone
    first, end = _day(since, zone), _day(until, zone)
    if (midnight(first, zone), midnight(end, zone)) != (since, until):
        raise ValueError(f"expected a period of whole days in {zone}, found {period.text}")
    return first, end


def _day(moment_us: int, zone: str) -> date:
    return from_us(moment_us).astimezone(ZoneInfo(zone)).date()


def _month(day: date, zone: str) -> Period:
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return Period(midnight(first, zone), midnight(following, zone))
