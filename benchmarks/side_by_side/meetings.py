"""Threads that do nothing but meet: it tells how far apart a host has put their cores."""

MEETINGS_OF_A_LAP = 100_000


def keep_meeting(turns, threads: int) -> dict:
    """Do nothing but meet; the time is that of one meeting."""
    from suite.meeting import Meetings

    meetings = Meetings(threads)
    turns.units = MEETINGS_OF_A_LAP
    while turns():
        meetings.seconds(MEETINGS_OF_A_LAP)
    return {}
