"""The gateway against other servers for the same work: pictures in, decoded and resized, detections out."""
