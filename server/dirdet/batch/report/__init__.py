"""A job's report.html: detections, the detector's confidence, failures, speed."""
