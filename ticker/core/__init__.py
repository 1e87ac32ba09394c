"""The pure part: no event loop, no clock, no input or output.

Time comes in as ``now`` and leaves as a deadline; randomness is an injected ``random.Random``.
"""
