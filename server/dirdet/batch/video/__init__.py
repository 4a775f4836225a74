"""Frames of videos as pictures: lists them by timestamp, and reads each by its timestamp."""
