"""Tools on top of the client; they import nothing of the server."""
