"""Fan-out: the one loop that reads the market for every client and writes the bytes.

``loop`` decides whose turn it is, ``cohort`` writes one view to all who stand at one place, ``members`` are the clients
one by one, and ``sink`` is where the bytes go.
"""

from ticker.fanout.loop import Fanout
from ticker.fanout.members import Member, PollMember, StreamMember
from ticker.fanout.sink import Sink

__all__ = ["Fanout", "Member", "PollMember", "Sink", "StreamMember"]
