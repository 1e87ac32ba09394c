"""Many lean clients in one process, and what came to them: the load of ``ticker bench`` and ``ticker lab``."""
