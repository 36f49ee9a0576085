"""Raw movies, gain references, defect lists and other files that users bring."""
