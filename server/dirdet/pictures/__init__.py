"""Reads picture files and places pictures on canvases; the server, the command line and the export share it."""
