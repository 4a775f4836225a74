"""Measurements of training, of DIR's price in it, and of NMS."""
