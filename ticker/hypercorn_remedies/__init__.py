"""Remedies for what is wrong with Hypercorn 0.18, by its settings where there is one, else by subclasses.

Each class says what is wrong and how it was seen; tests/test_hypercorn_remedies.py fails without it. All defects are
there in 0.18.0, the newest release when this was written. No module is patched: the server builds ``Peer`` itself, and
``Peer`` builds the rest.
"""

from ticker.hypercorn_remedies.config import make_config
from ticker.hypercorn_remedies.door import Door
from ticker.hypercorn_remedies.peer import Peer
from ticker.hypercorn_remedies.streams import Reader, Stream, Writer

__all__ = ["Door", "Peer", "Reader", "Stream", "Writer", "make_config"]
