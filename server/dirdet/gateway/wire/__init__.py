"""The server's process and its sockets."""
