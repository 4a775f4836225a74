"""Which of MMDetection's two-stage configs retrofit and export: the list, the trial of each, and the page."""
