"""The fan-out lane: connections, and streams of HTTP/2, that were taken over once their request was answered.

Hypercorn and Quart do the handshake and the authorisation, then their tasks and buffers for the connection end. What is
left of it is a ``Wire``: bytes in both directions. ``Socket`` speaks WebSocket on one.
"""

from ticker.lane.http1 import Http1Wire
from ticker.lane.outlet import Outlet
from ticker.lane.pulse import Pulse
from ticker.lane.socket import Socket
from ticker.lane.wire import Sender, TakeOver, Wire, WireUser

__all__ = ["Http1Wire", "Outlet", "Pulse", "Sender", "Socket", "TakeOver", "Wire", "WireUser"]
