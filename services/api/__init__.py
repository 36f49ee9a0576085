"""REST on Falcon, served by gunicorn."""
